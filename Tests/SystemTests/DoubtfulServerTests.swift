import TestSupport
import Testing

extension WholeDaemon {
    /// A server that closes instead of answering the final dot, whether or not it has taken the message.
    @Suite struct DoubtfulServerTests {
        private static let recipients = 200
        private static let relays = 12
        private static let restarts = 10
        private static let trial = "doubtful server"

        /// Takes every other message, and never says so.
        private static let silent = SMTPScript { event in
            guard event.phase == .dot else { return nil }
            return event.occurrence.isMultiple(of: 2) ? .taking(.closeConnection) : .closeConnection
        }

        @Test(.timeLimit(.minutes(3)))
        func `two hundred messages without a reply are uncertain and never sent again, through ten restarts`()
            async throws
        {
            let scenario = try await Scenario.running(
                Self.silent, relays: Self.relays, lines: ["[sending]", "pause_after_uncertain = 0"])
            let everybody = Scenario.readers(Self.recipients)
            try await scenario.importAccepted(everybody)
            try scenario.dropOverAllRelays("news", to: everybody, relays: Self.relays)
            let began = MonotonicClock.now()
            for number in 0..<Self.restarts {
                let dots = 8 + number * (Self.recipients - 30) / Self.restarts
                let hasSent = await scenario.server.waitUntil(dots: dots, timeout: .seconds(30))
                #expect(hasSent, "sending stands still before restart \(number + 1):\n\(scenario.lastWords)")
                try await restart(scenario, byForce: number.isMultiple(of: 2))
                if number == Self.restarts / 2 {
                    try scenario.dropOverAllRelays("news", to: everybody, relays: Self.relays, name: "news-again")
                }
            }
            let receipt = try await scenario.spool.waitForState("news", "finished", timeout: .seconds(60))
            // What might still come would come within a second of a start.
            try await restart(scenario, byForce: true)
            try await Task.sleep(for: .seconds(2))
            try judge(scenario, everybody, receipt, seconds: Figures.seconds(since: began))
        }

        private func restart(_ scenario: Scenario, byForce: Bool) async throws {
            if byForce {
                try await scenario.daemon.kill()
            } else {
                scenario.daemon.terminate()
                try await scenario.daemon.waitUntilExit()
            }
            try await scenario.daemon.startAndWait()
        }

        private func judge(
            _ scenario: Scenario, _ everybody: [String], _ receipt: JobReceipt, seconds: Double
        ) throws {
            let rows = try scenario.recipients("news")
            let named = everybody.filter {
                rows[$0]?["state"] == "uncertain" && rows[$0]?["messageId"]?.isEmpty == false
            }
            let messages = scenario.server.messages
            let resent = messages.count - Set(messages.flatMap(\.recipients)).count
            Figures.say(
                "doubtful server: \(Self.recipients) messages, \(Self.restarts + 1) restarts, "
                    + "\(Figures.shown(seconds, digits: 1)) s: \(receipt.count("uncertain")) uncertain, "
                    + "\(messages.count) dots, of these \(scenario.server.accepted.count) taken, \(resent) resent")
            #expect(receipt.counts.filter { $0.value > 0 } == ["recipients": 200, "uncertain": 200])
            #expect(named.count == Self.recipients, "everybody is named as uncertain, with a Message-ID")
            #expect(resent == 0, "nobody is sent it again")
            #expect(
                messages.count > Self.recipients - Self.restarts * Self.relays,
                "a kill makes one message a relay uncertain at most")
            #expect(try scenario.spool.receipt("news-again") != nil, "the second drop is answered")
            #expect(try scenario.spool.receipt("news")?.repeats == 1, "the second drop is counted, and no more")
            scenario.expectHonestDialogue()
            Proof.count(Self.trial, .steps, messages.count)
            Proof.count(Self.trial, .crashes, Self.restarts / 2 + 1)
            Proof.count(Self.trial, .doubles, resent)
            Proof.count(Self.trial, .losses, Self.recipients - named.count)
        }

        @Test(.timeLimit(.minutes(5)))
        func `after twenty messages without a reply in a row the campaign pauses and says why`() async throws {
            let scenario = try await Scenario.running(Self.silent)
            let everybody = Scenario.readers(25)
            try await scenario.mail("news", to: everybody)
            let receipt = try await scenario.spool.waitForState("news", "paused", timeout: .seconds(60))
            try await Task.sleep(for: .seconds(2.5))
            let dots = scenario.server.messages.count
            #expect(dots == 20, "not one message more leaves: there were \(dots) dots")
            #expect(receipt.counts.filter { $0.value > 0 } == ["recipients": 25, "uncertain": 20, "queued": 5])
            let because = receipt.pausedBecause ?? ""
            #expect(because.contains("20") && because.contains("no answer"), "\(because)")
            #expect(scenario.daemon.standardError.contains("campaign news is paused: \(because)"))
            #expect(scenario.status.contains("20 uncertain"), "\(scenario.status)")
            scenario.expectHonestDialogue()
            Proof.count(Self.trial, .steps, dots)
            Proof.count(Self.trial, .doubles, dots - Set(scenario.server.messages.flatMap(\.recipients)).count)
            Figures.say("doubtful server: paused after \(dots): \(because)")
        }
    }
}

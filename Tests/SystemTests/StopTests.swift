import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// Stopping, killing and starting again around the final dot.
    @Suite struct StopTests {
        private let reader = "reader@readers.example"

        @Test func `a stop waits for the reply to a final dot and records it`() async throws {
            let slow = SMTPScript().on(.dot, times: 1, .delay(.seconds(3), then: .proceed))
            let scenario = try await Scenario.running(slow)
            try await scenario.mail("news", to: [reader])
            #expect(await scenario.server.waitUntil(dots: 1, timeout: .seconds(5)), "the dot has been read")
            let asked = MonotonicClock.now()
            scenario.daemon.terminate()
            #expect(try await scenario.daemon.waitUntilExit() == 0, "the stop is orderly:\n\(scenario.lastWords)")
            let seconds = Figures.seconds(since: asked)
            Figures.say("stop: waited \(Figures.shown(seconds, digits: 2)) s for a reply that took 3 s")
            #expect(seconds > 2.5, "it waits for the reply")

            try await scenario.daemon.startAndWait()
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 1, "the reply was recorded: \(receipt.json.text)")
            #expect(scenario.server.messages.count == 1)
            scenario.expectHonestDialogue()
        }

        @Test(arguments: [SMTPScript.Phase.greeting, .mail, .data])
        func `a stop before the dot leaves without it and the next start sends the message once`(
            phase: SMTPScript.Phase
        ) async throws {
            let scenario = try await Scenario.running(SMTPScript().on(phase, .stall))
            try await scenario.mail("news", to: [reader])
            let isWaiting = await scenario.server.waitUntil(timeout: .seconds(5)) { seen in
                switch phase {
                case .greeting: seen.connectionsOpened > 0
                case .mail: seen.commands.contains { $0.contains(" MAIL ") }
                default: seen.commands.contains { $0.hasSuffix(" DATA") }
                }
            }
            #expect(isWaiting, "the daemon waits for the relay: \(scenario.server.snapshot.commands)")
            let asked = MonotonicClock.now()
            scenario.daemon.terminate()
            #expect(try await scenario.daemon.waitUntilExit() == 0, "the stop is orderly:\n\(scenario.lastWords)")
            let seconds = Figures.seconds(since: asked)
            Figures.say("stop: \(Figures.shown(seconds, digits: 2)) s while the relay stalls at \(phase)")
            #expect(seconds < 3, "nothing before the dot is waited for")
            #expect(scenario.server.messages.isEmpty, "no dot has left")

            scenario.server.use(.success)
            try await scenario.daemon.startAndWait()
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 1, "\(receipt.json.text)")
            #expect(scenario.server.messages.count == 1, "the message is sent exactly once")
            #expect(scenario.server.snapshot.violations.isEmpty)
        }

        @Test(arguments: [true, false])
        func `a connection lost after the dot leaves the message uncertain for good`(isKilled: Bool) async throws {
            let readers = Scenario.readers(2)
            let lost: SMTPScript.Action = isKilled ? .taking(.stall) : .taking(.closeConnection)
            let scenario = try await Scenario.running(SMTPScript().on(.dot, times: 1, lost))
            try await scenario.mail("news", to: readers)
            #expect(await scenario.server.waitUntil(dots: 1, timeout: .seconds(5)), "the dot has been read")
            if isKilled {
                try await scenario.daemon.kill()
                try await scenario.daemon.startAndWait()
            }
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("uncertain") == 1, "\(receipt.json.text)")
            #expect(receipt.count("sent") == 1, "the other one is sent")
            let first = try #require(scenario.server.messages.first?.recipients.first)
            #expect(try scenario.recipients("news")[first]?["state"] == "uncertain", "it is named")

            scenario.daemon.terminate()
            try await scenario.daemon.waitUntilExit()
            try await scenario.daemon.startAndWait()
            try await scenario.mail("later", to: ["other@readers.example"])
            try await scenario.spool.waitForState("later", "finished")
            #expect(scenario.server.snapshot.acceptedPerRecipient[first] == 1, "it is never sent again")
            scenario.expectHonestDialogue()
        }

        @Test func `a relay that is down leaves the campaign running until it is up`() async throws {
            let scenario = try Scenario()
            scenario.server.stop()
            try await scenario.daemon.startAndWait()
            try await scenario.mail("news", to: [reader])
            try await scenario.spool.waitForState("news", "running")
            let isKnown = await eventually(timeout: .seconds(5)) {
                scenario.daemon.standardError.contains("cannot be used")
            }
            #expect(isKnown, "the journal says that the relay cannot be used")
            #expect(try scenario.spool.receipt("news")?.state == "running", "due is running")
            try scenario.server.start()
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 1)
            scenario.expectHonestDialogue()
        }
    }
}

import TestSupport
import Testing

extension WholeDaemon {
    /// The promise: handed over at most once, and whatever cannot be proven is named.
    @Suite struct KillTests {
        private static let recipients = 800
        private static let relays = 20
        private static let kills = 40

        /// Answers after a moment, which gives the kills more to hit, and lets the relays begin one after another.
        private static let unhurried = SMTPScript { event in
            guard event.phase == .greeting, event.connection <= relays else { return nil }
            return .delay(.milliseconds(event.connection * 60), then: .proceed)
        }
        .on(.dot, .delay(.milliseconds(40), then: .proceed))

        /// What became of everybody, and what it must be compared with.
        private struct Tally {
            var sent = 0
            var uncertain = 0
            var uncertainAndNotAccepted = 0
            var lost: [String] = []
        }

        @Test(.timeLimit(.minutes(5)))
        func `forty kills at random moments neither send a message twice nor lose one`() async throws {
            let seed = UInt64.random(in: 1...1_000_000)
            Figures.say("kill: seed \(seed)")
            var generator = SeededGenerator(seed: seed)
            let scenario = try await Scenario.running(Self.unhurried, relays: Self.relays)
            let everybody = Scenario.readers(Self.recipients)
            try await scenario.importAccepted(everybody)
            let job = JobText.campaign(
                "news", to: [.list("list.csv")],
                extra: ["relays": .array(Scenario.relayNames(Self.relays).map { .string($0) })])
            try scenario.spool.dropBundle("news", json: job, files: ["list.csv": Scenario.list(everybody)])

            let began = MonotonicClock.now()
            for number in 0..<Self.kills {
                try await waitForKill(number, scenario, &generator)
                #expect(
                    try scenario.spool.receipt("news")?.state != "finished",
                    "kill \(number + 1) came after the end of the campaign")
                try await scenario.daemon.kill()
                try scenario.daemon.start()
            }
            try await scenario.spool.waitForState("news", "finished", timeout: .seconds(90))
            report(try tally(everybody, scenario), scenario, seconds: Figures.seconds(since: began))
        }

        /// A random moment: some soon after the start, before the daemon is ready, the others once it has sent again.
        private func waitForKill(
            _ number: Int, _ scenario: Scenario, _ generator: inout SeededGenerator
        ) async throws {
            let isEarly = number > 0 && Int.random(in: 0..<5, using: &generator) == 0
            if !isEarly {
                let dots = 10 + number * (Self.recipients - 80) / Self.kills
                let hasSent = await scenario.server.waitUntil(dots: dots, timeout: .seconds(30))
                #expect(hasSent, "sending stands still before kill \(number + 1):\n\(scenario.lastWords)")
            }
            let pause = Int.random(in: 0..<(isEarly ? 250 : 1000), using: &generator)
            try await Task.sleep(for: .milliseconds(pause))
        }

        private func tally(_ everybody: [String], _ scenario: Scenario) throws -> Tally {
            let rows = try scenario.recipients("news")
            let accepted = scenario.server.snapshot.acceptedPerRecipient
            var tally = Tally()
            for address in everybody {
                let copies = accepted[address] ?? 0
                switch rows[address]?["state"] {
                case "sent" where copies == 1: tally.sent += 1
                case "uncertain":
                    tally.uncertain += 1
                    if copies == 0 { tally.uncertainAndNotAccepted += 1 }
                case let state: tally.lost.append("\(address) is \(state ?? "not listed"), accepted \(copies) times")
                }
            }
            return tally
        }

        private func report(_ tally: Tally, _ scenario: Scenario, seconds: Double) {
            let twice = scenario.server.snapshot.acceptedPerRecipient.filter { $0.value > 1 }
            Figures.say(
                "kill: \(Self.recipients) messages, \(Self.kills) kills, \(Figures.shown(seconds, digits: 1)) s: "
                    + "\(tally.sent) sent, \(tally.uncertain) uncertain, of these \(tally.uncertainAndNotAccepted) not "
                    + "accepted, \(twice.count) twice, \(tally.lost.count) lost")
            #expect(twice.isEmpty, "nobody gets a message twice")
            #expect(tally.lost.isEmpty, "everybody is sent and has it, or is named as uncertain")
            #expect(tally.uncertain * 10 <= Self.recipients, "at most 10 % are uncertain")
            #expect(
                tally.uncertainAndNotAccepted * 20 <= Self.recipients,
                "at most 5 % are uncertain although the relay has not taken them")
            scenario.expectHonestDialogue()
        }
    }
}

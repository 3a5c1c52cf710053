import TestSupport
import Testing

extension WholeDaemon {
    /// The limit, as the relay sees it.
    @Suite struct PaceTests {
        /// 3600 s over 3000 messages.
        private static let interval = 1.2
        private static let duration = 180.0

        @Test(.timeLimit(.minutes(5)))
        func `three minutes at 3000 an hour keep the limit over a stop and a kill and use it well`() async throws {
            let scenario = try await Scenario.running()
            try await scenario.mail("news", to: Scenario.readers(220))
            #expect(await scenario.server.waitUntil(dots: 1, timeout: .seconds(10)), "sending has begun")
            let first = try #require(scenario.server.messages.first).dotAt
            try await pass(until: first, seconds: 60)
            scenario.daemon.terminate()
            #expect(try await scenario.daemon.waitUntilExit() == 0, "a stop is orderly")
            try scenario.daemon.start()
            try await pass(until: first, seconds: 120)
            try await scenario.daemon.kill()
            try scenario.daemon.start()
            try await pass(until: first, seconds: Self.duration)
            let end = first + UInt64(Self.duration * 1e9)
            check(scenario.server.snapshot.dotTimes.filter { $0 < end })
            scenario.expectHonestDialogue()
        }

        private func pass(until first: UInt64, seconds: Double) async throws {
            let left = seconds - Figures.seconds(since: first)
            if left > 0 { try await Task.sleep(for: .seconds(left)) }
        }

        private func check(_ dots: [UInt64]) {
            let pace = GapStatistics(times: dots)
            let allowed = Self.duration / Self.interval
            let share = Double(dots.count) / allowed
            let fullest = pace.maximumCount(inWindowOf: 59.9)
            Figures.say(
                "pace: \(dots.count) dots in \(Self.duration) s "
                    + "(\(Figures.shown(share * 100, digits: 1)) % of the limit); gaps in s: "
                    + "least \(Figures.shown(pace.minimum)), median \(Figures.shown(pace.median)), 95 % "
                    + "\(Figures.shown(pace.percentile(95))), most \(Figures.shown(pace.maximum)); "
                    + "fullest 59.9 s: \(fullest)")
            #expect((pace.minimum ?? 0) >= Self.interval - 0.025, "no gap is shorter than the interval")
            #expect(abs((pace.median ?? 0) / Self.interval - 1) <= 0.02, "the median gap is the interval")
            #expect(fullest <= 50, "no minute has more than its share")
            #expect(share >= 0.9, "the limit is used")
        }
    }
}

import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// How quickly a job becomes a message.
    @Suite struct LatencyTests {
        private static let drops = 20

        @Test(.timeLimit(.minutes(3)))
        func `an idle daemon hands a message over within 100 ms of the rename into incoming`() async throws {
            let scenario = try await Scenario.running()
            let readers = Scenario.readers(Self.drops)
            try await scenario.importAccepted(readers)
            var handOvers: [Double] = []
            var synchronizations: [Double] = []
            for (number, reader) in readers.enumerated() {
                synchronizations.append(try synchronizationTime(in: scenario.daemon.directory))
                let began = MonotonicClock.now()
                let text = JobText.campaign("news-\(number)", to: [.address(reader)], subject: "News \(number)")
                let renamed = try scenario.spool.dropFile("news-\(number)", json: text)
                let hasCome = await scenario.server.waitUntil(dots: number + 1, timeout: .seconds(5))
                try #require(hasCome, "message \(number + 1) has not come:\n\(scenario.lastWords)")
                handOvers.append(Double(scenario.server.messages[number].dotAt - renamed) / 1e6)
                try await Task.sleep(for: .seconds(max(0, 3 - Figures.seconds(since: began))))
            }
            let times = Percentiles(handOvers)
            let median = try #require(times.value(50))
            Figures.say(
                "latency: rename to dot in ms over \(Self.drops) drops: "
                    + "least \(Figures.shown(times.value(0), digits: 1)), median \(Figures.shown(median, digits: 1)), "
                    + "most \(Figures.shown(times.value(100), digits: 1)); "
                    + "one fsync of 4 KiB: median \(Figures.shown(Percentiles(synchronizations).value(50), digits: 2))")
            #expect(median <= 100, "the median message is handed over within 100 ms")
            scenario.expectHonestDialogue()
        }

        /// Milliseconds of one fsync of 4 KiB in a file of its own.
        private func synchronizationTime(in directory: TemporaryDirectory) throws -> Double {
            let descriptor = open(directory.path("fsync"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw TestSupportError("cannot open a file to measure fsync") }
            defer { close(descriptor) }
            let bytes = [UInt8](repeating: 7, count: 4096)
            let began = MonotonicClock.now()
            guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
                throw TestSupportError("cannot measure fsync")
            }
            return Figures.seconds(since: began) * 1000
        }
    }
}

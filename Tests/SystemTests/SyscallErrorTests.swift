import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// The same calls as in the sweep of kills, failing: the daemon says why, waits, and goes on by itself.
    @Suite struct SyscallErrorTests {
        private static let trial = "syscall errors"
        /// A message whose connection breaks waits for a minute, so many at a time.
        private static let width = 32

        @Test(.timeLimit(.minutes(15)))
        func `a call that fails once costs nothing but a moment`() async throws {
            let sweep = try await Sweep(Self.trial)
            let plans = try await Self.plans(sweep, bounded: 30) { .fail($0) }
            let trials = try await sweep.all(plans, width: Self.width).map(Self.judged)
            sweep.report("EIO or ENOSPC at the nth call", trials)
        }

        @Test(.timeLimit(.minutes(15)))
        func `a fault that lasts is named and waited for until it is lifted`() async throws {
            let sweep = try await Sweep(Self.trial)
            let plans = try await Self.plans(sweep, bounded: 30) { .failUntilLifted($0) }
            let trials = try await sweep.all(plans, width: Self.width).map(Self.judged)
            sweep.report("EIO or ENOSPC from the nth call on", trials)
        }

        /// Both errors in a whole proof, else one of them, in turns.
        private static func plans(
            _ sweep: Sweep, bounded: Int, _ strike: (Int32) -> Interposer.Plan.Strike
        ) async throws -> [SweepWorld.Plans] {
            // A message whose connection breaks waits for a minute: not in a short run.
            let isFilesOnly = !Proof.isWhole
            let calls = try await sweep.undisturbed().filter { !isFilesOnly || $0.what != .send }
            let numbers = sweep.numbers(calls.count, bounded: bounded)
            return numbers.enumerated().flatMap { index, number in
                (Proof.isWhole ? [EIO, ENOSPC] : [index % 2 == 0 ? EIO : ENOSPC]).map { code in
                    let plan = Interposer.Plan(at: number, strike: strike(code), isFilesOnly: isFilesOnly)
                    return SweepWorld.Plans(runs: [plan], whileFaulty: isNamed)
                }
            }
        }

        /// Nothing crashed, so there is no doubt; and nothing fails unsaid, but for the tidying up of the write-ahead
        /// log at the end of a stop, which the next start makes up for.
        private static func judged(_ trial: Sweep.Trial) -> Sweep.Trial {
            var trial = trial
            if trial.verdict.uncertain > 0 { trial.verdict.unexplained.append("somebody is uncertain without a crash") }
            if let first = trial.verdict.struck.first, first.number <= trial.verdict.callsBeforeStop,
                !isOfFault(trial.verdict.words)
            {
                trial.verdict.unexplained.append("the journal does not tell of it")
            }
            return trial
        }

        /// While the fault lasts, the journal and the status line must tell of it.
        private static func isNamed(_ scenario: Scenario) async throws -> [String] {
            let journal = await eventually(timeout: .seconds(3)) { isOfFault(scenario.daemon.standardError) }
            let status = await eventually(timeout: .seconds(3)) {
                isOfFault(scenario.daemon.notifications.last { $0.hasPrefix("STATUS=") } ?? "")
            }
            return (journal ? [] : ["the journal does not say why"])
                + (status ? [] : ["the status line does not say why"])
        }

        private static func isOfFault(_ words: String) -> Bool {
            [
                "Input/output error", "disk I/O error", "No space left on device", "database or disk is full",
                "Failed sending data to the peer",
            ].contains { words.contains($0) }
        }
    }
}

import Foundation
import TestSupport
import Testing

extension WholeDaemon {
    /// The same without a library of our own. strace counts in each thread by itself, so this is no sweep of every
    /// moment; but it strikes what the system is asked and not what the C library is.
    @Suite struct StraceSweepTests {
        private static let calls = [
            "pwrite64", "fdatasync", "fsync", "renameat2", "ftruncate", "mkdirat", "unlinkat", "unlink", "sendto",
        ]

        @Test(.timeLimit(.minutes(15)))
        func `strace kills the daemon at the nth call of a thread and nobody gets a message twice`() async throws {
            let sweep = try await Sweep("syscall sweep")
            let places = try await Self.places(sweep, Self.calls + ["write"], bounded: 24)
            try await Self.strike(sweep, "kills by strace", places.map { "\($0.call):signal=KILL:when=\($0.number)" })
        }

        @Test(.timeLimit(.minutes(15)))
        func `strace fails the nth call of a thread and the daemon goes on by itself`() async throws {
            let sweep = try await Sweep("syscall errors")
            // A message whose connection breaks waits for a minute: not in a short run.
            let calls = Self.calls.filter { Proof.isWhole || $0 != "sendto" }
            let places = try await Self.places(sweep, calls, bounded: 16)
            let faults = places.enumerated().flatMap { index, place in
                (Proof.isWhole ? ["EIO", "ENOSPC"] : [index % 2 == 0 ? "EIO" : "ENOSPC"]).map {
                    "\(place.call):error=\($0):when=\(place.number)"
                }
            }
            try await Self.strike(sweep, "EIO or ENOSPC by strace", faults)
        }

        private struct Place {
            let call: String
            let number: Int
        }

        /// All that an undisturbed run has, or about `bounded` of them.
        private static func places(_ sweep: Sweep, _ calls: [String], bounded: Int) async throws -> [Place] {
            let directory = try TemporaryDirectory()
            let trace = directory.path("trace")
            let world = try await SweepWorld.live(
                sweep.interposer, SweepWorld.Plans(strace: Strace.witness(trace)))
            #expect(world.verdict.isClean, "\(world.verdict.complaints)\n\(world.verdict.words)")
            let most = try Strace.mostInOneThread(trace)
            let all = calls.flatMap { call in (0..<(most[call] ?? 0)).map { Place(call: call, number: $0 + 1) } }
            #expect(all.count > 50, "there is something to strike")
            if Proof.isWhole { return all }
            return Array(all.shuffled().prefix(bounded))
        }

        private static func strike(_ sweep: Sweep, _ what: String, _ injections: [String]) async throws {
            let directory = try TemporaryDirectory()
            let plans = injections.enumerated().map { index, injection in
                let call = String(injection.prefix { $0 != ":" })
                return SweepWorld.Plans(
                    strace: [
                        "-o", directory.path("trace\(index)"), "-e", "trace=\(call)", "-e", "inject=\(injection)",
                    ], isStraceBeside: injection.contains(":error="), mayRefuseToStart: true)
            }
            let trials = try await sweep.all(plans)
            let struck = try injections.indices.count {
                let text = String(decoding: try directory.read("trace\($0)"), as: UTF8.self)
                return text.contains("(INJECTED)") || text.contains("killed by SIGKILL")
            }
            sweep.report(what, zip(injections, trials).map(named), isStruck: struck)
            #expect(struck * 2 > injections.count, "strace has struck")
        }

        private static func named(_ injection: String, _ trial: Sweep.Trial) -> Sweep.Trial {
            var trial = trial
            if !trial.verdict.isClean { trial.verdict.unexplained.append(injection) }
            return trial
        }
    }
}

import Foundation
import TestSupport
import Testing

extension WholeDaemon {
    /// Killed at every call that changes a file or speaks to a relay.
    @Suite struct SyscallSweepTests {
        private static let trial = "syscall sweep"

        @Test(.timeLimit(.minutes(15)))
        func `a kill at the nth call sends nothing twice and loses nobody for every n`() async throws {
            let sweep = try await Sweep(Self.trial)
            let calls = try await sweep.undisturbed()
            // Threads take turns differently each time: what the n-th call is, differs.
            let rounds = Proof.isWhole ? 3 : 1
            let plans = sweep.numbers(calls.count, bounded: 60).flatMap { number in
                (0..<rounds).map { Interposer.Plan(at: number, strike: (number + $0) % 3 == 0 ? .tear : .kill) }
            }
            let trials = try await sweep.all(plans.map { SweepWorld.Plans(runs: [$0]) })
            sweep.report("kills at the nth call", trials)
            let places = Set(calls.map(\.place))
            var left = places.subtracting(trials.flatMap { $0.verdict.struck.map(\.place) })
            for _ in 0..<8 where Proof.isWhole && !left.isEmpty {
                let near = Set(calls.filter { left.contains($0.place) }.flatMap { $0.number - 4...$0.number + 4 })
                let more = try await sweep.all(
                    near.filter { $0 > 0 }.sorted().map { SweepWorld.Plans(runs: [Interposer.Plan(at: $0)]) })
                sweep.report("kills around what was missed", more)
                left.subtract(more.flatMap { $0.verdict.struck.map(\.place) })
            }
            Figures.say("syscall sweep: \(places.count - left.count) of \(places.count) places; not: \(left.sorted())")
            if Proof.isWhole { #expect(left.isEmpty, "there is no kind of call at which it was not killed") }
        }

        @Test(.timeLimit(.minutes(15)))
        func `a second kill at the mth call of the start after a kill changes nothing of that`() async throws {
            let sweep = try await Sweep(Self.trial)
            let last = try await sweep.undisturbed().count
            let seed = UInt64.random(in: 1...1_000_000)
            Figures.say("syscall sweep: seed \(seed) for the pairs")
            var generator = SeededGenerator(seed: seed)
            let pairs = (0..<(Proof.isWhole ? 900 : 30)).map { _ in
                // The calls of the start itself are about 80; then follows what was left of the mailing.
                let isEarly = Bool.random(using: &generator)
                return SweepWorld.Plans(runs: [
                    Interposer.Plan(at: Int.random(in: 1...last, using: &generator)),
                    Interposer.Plan(
                        at: Int.random(in: 1...(isEarly ? 80 : last), using: &generator), isFromStart: true),
                ])
            }
            sweep.report("pairs of kills", try await sweep.all(pairs))
        }

        @Test func `no call slips past the library that counts them`() async throws {
            let sweep = try await Sweep(Self.trial)
            let directory = try TemporaryDirectory()
            let trace = directory.path("trace")
            let world = try await SweepWorld.live(
                sweep.interposer, SweepWorld.Plans(runs: [.recording], strace: Strace.witness(trace)))
            #expect(world.verdict.isClean, "\(world.verdict.complaints)\n\(world.verdict.words)")
            let seen = try Strace.witnessed(trace, below: world.scenario.daemon.directory.path)
            let counted = Dictionary(grouping: try world.calls(1), by: \.what).mapValues(\.count)
            let total = counted.values.reduce(0, +)
            Figures.say("syscall sweep: \(total) calls from start to stop, and strace has seen no other")
            #expect(counted == seen.counts, "the library has counted what strace has seen")
            #expect(total > 300, "there is something to strike")
            #expect(seen.mapped == ["ledger.sqlite-shm"], "nothing else is written through memory")
        }

        @Test(.timeLimit(.minutes(5)))
        func `a recovery that queues what was in flight again is found out`() async throws {
            let sweep = try await Sweep(Self.trial)
            let dots = try await sweep.undisturbed().filter { $0.what == .send }.map(\.number).suffix(6)
            let plans = dots.flatMap { dot in
                (1...2).map {
                    SweepWorld.Plans(
                        runs: [Interposer.Plan(at: dot + $0)], whileDown: SweepMutant.forgetWhatWasInFlight)
                }
            }
            let found = try await sweep.all(plans).map(\.verdict.doubles.count).reduce(0, +)
            Figures.say("syscall sweep: a recovery that sends again: \(found) doubles in \(plans.count) kills")
            Proof.count(Self.trial, .mutants, 1)
            Proof.count(Self.trial, .mutantsFound, found > 0 ? 1 : 0)
            #expect(found > 0, "a recovery that sends again what was in flight is found out")
        }
    }
}

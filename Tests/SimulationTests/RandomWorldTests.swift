import Foundation
import TestSupport
import Testing

/// Worlds from seeds: several relays and campaigns, people who change their minds, crashes, clocks that are set.
struct RandomWorldTests {
    /// `CAMPAIGND_SEED` plays one world again, with the daemon's journal, or several: the first and the last, with a
    /// hyphen between them.
    private static var seeds: ClosedRange<UInt64> {
        let wanted = (ProcessInfo.processInfo.environment["CAMPAIGND_SEED"] ?? "").split(separator: "-").map {
            UInt64($0)
        }
        if let first = wanted.first.flatMap({ $0 }), let last = wanted.last.flatMap({ $0 }), first <= last {
            return first...last
        }
        // A test run is the same each time; a whole proof looks for what nobody has seen yet.
        let first = Proof.isWhole ? UInt64.random(in: 1...1_000_000_000) : 716_456_216
        return first...(first + (Proof.isWhole ? 2999 : 249))
    }

    @Test func `whatever happens nobody gets a message twice and nobody is forgotten`() async throws {
        let seeds = Self.seeds
        let trials = seeds.map { seed in
            let (scenario, fate) = RandomScenario.draw(seed)
            return Trials.Trial(
                scenario: scenario, fate: fate, label: "seed \(seed) (again by: make replay SEED=\(seed))")
        }
        let sum = await Trials.play(trials)
        Trials.say(
            "random worlds: \(sum.worlds) from seed \(seeds.lowerBound), \(sum.crashes) crashes, \(sum.failedSteps) "
                + "calls failed, \(sum.dots) dots, \(sum.doubles) doubles, \(sum.losses) losses, \(sum.unexplained) "
                + "unexplained")
        Proof.count("random worlds", .steps, sum.failedSteps)
        sum.report("random worlds")
        #expect(sum.isGood, "\(sum.failures.joined(separator: "\n\n"))")
    }
}

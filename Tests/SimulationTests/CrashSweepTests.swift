import Foundation
import TestSupport
import Testing

/// A crash at every step that can be seen on the disk or at the relay.
struct CrashSweepTests {
    @Test(arguments: ["mixed", "eventful", "moved", "windows", "rerouted"])
    func `a crash at any step neither sends a message twice nor loses one`(name: String) async throws {
        let scenario = try Scenario(try #require(Scenarios.all[name]))
        let quiet = await Trials.play(Trials.Trial(scenario: scenario, fate: World.Fate(), label: "no crash"))
        try #require(quiet.isGood, "\(quiet.failures)")
        let steps = try #require(quiet.steps.first)
        let few = ["windows", "rerouted"].contains(name) ? 9 : 5
        let trials = stride(from: 1, through: steps, by: Proof.isWhole ? 1 : few).map { step in
            Trials.Trial(scenario: scenario, fate: World.Fate(crashes: [step]), label: "\(name), crash at \(step)")
        }
        let began = Date.now
        let sum = await Trials.play(trials)
        Trials.say(
            "crash sweep, \(name): \(steps) steps, \(sum.worlds) crashed, \(sum.dots) dots, \(sum.doubles) doubles, "
                + "\(sum.losses) losses, \(sum.unexplained) unexplained, \(-began.timeIntervalSinceNow) s")
        Proof.count("crash sweep", .steps, steps)
        sum.report("crash sweep")
        #expect(sum.isGood, "\(sum.failures.joined(separator: "\n\n"))")
    }
}

/// Two crashes: one, and another one while the daemon recovers from it.
struct PairSweepTests {
    @Test func `a crash in the recovery from a crash neither sends a message twice nor loses one`() async throws {
        let scenario = try Scenario(Scenarios.small)
        let quiet = await Trials.play(Trials.Trial(scenario: scenario, fate: World.Fate(), label: "no crash"))
        try #require(quiet.isGood, "\(quiet.failures)")
        let steps = try #require(quiet.steps.first)
        var trials: [Trials.Trial] = []
        for first in stride(from: 1, through: steps, by: Proof.isWhole ? 1 : 23) {
            // How far the recovery goes is known only when it was played once.
            let once = await Trials.play(
                Trials.Trial(scenario: scenario, fate: World.Fate(crashes: [first]), label: "crash at \(first)"))
            try #require(once.isGood, "\(once.failures)")
            let recovery = once.steps.count > 1 ? once.steps[1] : 0
            // Another beginning for each first crash: between them the seconds stand everywhere.
            let stride = Proof.isWhole ? 5 : 17
            for second in Swift.stride(from: 1 + first % stride, through: recovery, by: stride) {
                trials.append(
                    Trials.Trial(
                        scenario: scenario, fate: World.Fate(crashes: [first, second]),
                        label: "crashes at \(first) and \(second)"))
            }
        }
        let sum = await Trials.play(trials)
        Trials.say(
            "pairs of crashes: \(sum.worlds), \(sum.doubles) doubles, \(sum.losses) losses, "
                + "\(sum.unexplained) unexplained")
        Proof.count("pairs of crashes", .steps, trials.count)
        sum.report("pairs of crashes")
        #expect(sum.isGood, "\(sum.failures.joined(separator: "\n\n"))")
    }
}

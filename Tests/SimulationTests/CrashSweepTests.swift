import Foundation
import TestSupport
import Testing

/// A crash at every step that can be seen on the disk or at the relay, in whichever run of the daemon it falls.
struct CrashSweepTests {
    @Test(arguments: ["mixed", "eventful", "moved", "windows", "rerouted"])
    func `a crash at any step neither sends a message twice nor loses one`(name: String) async throws {
        let scenario = try Scenario(try #require(Scenarios.all[name]))
        let quiet = await Trials.play(Trials.Trial(scenario: scenario, fate: World.Fate(), label: "no crash"))
        try #require(quiet.isGood, "\(quiet.failures)")
        let few = ["windows", "rerouted"].contains(name) ? 9 : 5
        var trials: [Trials.Trial] = []
        for (run, steps) in quiet.steps.enumerated() {
            // The runs before it end as the scenario has it.
            let before = [Int?](repeating: nil, count: run)
            for step in stride(from: 1, through: steps, by: Proof.isWhole ? 1 : run == 0 ? few : 2 * few) {
                trials.append(
                    Trials.Trial(
                        scenario: scenario, fate: World.Fate(crashes: before + [step]),
                        label: "\(name), crash at \(step) of run \(run + 1)"))
            }
        }
        let began = Date.now
        let sum = await Trials.play(trials)
        Trials.say(
            "crash sweep, \(name): \(quiet.steps) steps, \(sum.worlds) crashed, \(sum.dots) dots, \(sum.doubles) "
                + "doubles, \(sum.losses) losses, \(sum.unexplained) unexplained, \(-began.timeIntervalSinceNow) s")
        Proof.count("crash sweep", .steps, sum.worlds)
        sum.report("crash sweep")
        #expect(sum.isGood, "\(sum.failures.joined(separator: "\n\n"))")
    }
}

/// Two crashes: one, and another one while the daemon recovers from it.
struct PairSweepTests {
    /// The recovery is what the daemon does before it waits for anything. Of what comes after it fewer steps are tried.
    @Test func `a crash in the recovery from a crash neither sends a message twice nor loses one`() async throws {
        let scenario = try Scenario(Scenarios.small)
        let quiet = await Trials.play(Trials.Trial(scenario: scenario, fate: World.Fate(), label: "no crash"))
        try #require(quiet.isGood, "\(quiet.failures)")
        let steps = try #require(quiet.steps.first)
        let (few, later) = Proof.isWhole ? (2, 23) : (9, 37)
        var trials: [Trials.Trial] = []
        var recoveries = 0
        for first in stride(from: 1, through: steps, by: Proof.isWhole ? 1 : 23) {
            // How far the recovery goes is known only when it was played once.
            let once = await Trials.play(
                Trials.Trial(scenario: scenario, fate: World.Fate(crashes: [first]), label: "crash at \(first)"))
            try #require(once.isGood, "\(once.failures)")
            try #require(once.steps.count == 2, "after the crash at \(first) the daemon starts once")
            let recovery = once.recoveries[1]
            recoveries += recovery
            // Another beginning for each first crash: between them the seconds stand everywhere.
            let seconds =
                Array(stride(from: 1 + first % few, through: recovery, by: few))
                + Array(stride(from: recovery + 1 + first % later, through: once.steps[1], by: later))
            trials += seconds.map { second in
                Trials.Trial(
                    scenario: scenario, fate: World.Fate(crashes: [first, second]),
                    label: "crashes at \(first) and \(second)")
            }
        }
        let sum = await Trials.play(trials)
        Trials.say(
            "pairs of crashes: \(sum.worlds), the recoveries have \(recoveries) steps, \(sum.doubles) doubles, "
                + "\(sum.losses) losses, \(sum.unexplained) unexplained")
        Proof.count("pairs of crashes", .steps, trials.count)
        sum.report("pairs of crashes")
        #expect(sum.isGood, "\(sum.failures.joined(separator: "\n\n"))")
    }
}

import TestSupport
import Testing

/// Daemons that are wrong on purpose: the sweep must find each of them.
struct MutantTests {
    @Test(arguments: Mutant.allCases)
    func `a daemon that is wrong on purpose is found out`(mutant: Mutant) async throws {
        var trials: [Trials.Trial] = []
        for name in mutant.scenarios {
            let scenario = try Scenario(try #require(Scenarios.all[name]))
            trials.append(
                Trials.Trial(scenario: scenario, fate: World.Fate(mutant: mutant), label: "\(mutant), \(name)"))
            for step in stride(from: 1, through: 1200, by: 7) {
                trials.append(
                    Trials.Trial(
                        scenario: scenario, fate: World.Fate(crashes: [step], mutant: mutant),
                        label: "\(mutant), \(name), crash at \(step)"))
            }
        }
        let sum = await Trials.play(trials, untilFirstFailure: true)
        Trials.say("mutant \(mutant): found in \(sum.worlds) worlds: \(sum.failures.first?.prefix(160) ?? "not found")")
        Proof.count("mutants", .mutants, 1)
        Proof.count("mutants", .mutantsFound, sum.isGood ? 0 : 1)
        #expect(!sum.isGood, "the sweep does not notice that \(mutant)")
    }
}

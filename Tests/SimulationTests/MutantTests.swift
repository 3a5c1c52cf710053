import TestSupport
import Testing

/// Daemons that are wrong on purpose: the sweep must find each of them, and say what is wrong.
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
        let sum = await Trials.play(trials, until: mutant.words)
        let isFound = sum.fails(mutant.words)
        let reason = sum.reasons.first { $0.contains(mutant.words) } ?? "not found, but \(sum.reasons.prefix(3))"
        Trials.say("mutant \(mutant): found in \(sum.worlds) worlds: \(reason)")
        Proof.count("mutants", .mutants, 1)
        Proof.count("mutants", .mutantsFound, isFound ? 1 : 0)
        #expect(isFound, "the sweep does not notice that \(mutant)")
    }
}

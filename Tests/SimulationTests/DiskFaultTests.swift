import Glibc
import TestSupport
import Testing

/// A disk that fails at any step, once or for a while, and is well again afterwards.
struct DiskFaultTests {
    @Test(arguments: [EIO, ENOSPC])
    func `a disk that fails at any step neither doubles a message nor loses one`(reason: Int32) async throws {
        let scenario = try Scenario(Scenarios.mixed)
        let quiet = await Trials.play(Trials.Trial(scenario: scenario, fate: World.Fate(), label: "no fault"))
        let steps = try #require(quiet.steps.first)
        var trials: [Trials.Trial] = []
        for first in stride(from: 1, through: steps, by: Proof.isWhole ? 1 : 11) {
            for length in Proof.isWhole ? [0, 3, 60] : [first % 2 * 40] {
                let fault = SimulatedDisk.Fault(first: first, last: first + length, reason: reason)
                trials.append(
                    Trials.Trial(
                        scenario: scenario, fate: World.Fate(faults: [[fault]]),
                        label: "error \(reason) at the steps \(first) to \(first + length)"))
            }
        }
        let sum = await Trials.play(trials)
        Trials.say(
            "disk faults, error \(reason): \(sum.worlds) worlds, \(sum.failedSteps) calls failed, \(sum.doubles) "
                + "doubles, \(sum.losses) losses, \(sum.unexplained) unexplained")
        Proof.count("disk faults", .steps, sum.failedSteps)
        sum.report("disk faults")
        #expect(sum.isGood, "\(sum.failures.joined(separator: "\n\n"))")
    }
}

import Foundation
import TestSupport
import Testing

extension WholeDaemon {
    /// The power goes at every moment between the first start and the end of a mailing. The calls come from a record of
    /// the real daemon; what survives of them is worked out by `PowerLossDisk`, since neither a FUSE file system nor
    /// snapshots of a block device could be had in every place where the tests run, and neither would be as unkind.
    @Suite struct PowerLossTests {
        private static let trial = "power loss"
        private static let width = 10

        @Test(.timeLimit(.minutes(20)))
        func `after a loss of power nobody gets a message twice and no answer is taken back`() async throws {
            let began = MonotonicClock.now()
            let states = try PowerLossStates(try await Self.recorded()).all()
            let chosen = Proof.isWhole ? states : Self.sample(states, 130)
            let verdicts = try await concurrently(chosen, width: Self.width) { try await PowerLossWorld.live($0) }
            let doubles = verdicts.map(\.doubles.count).reduce(0, +)
            let losses = verdicts.map(\.losses.count).reduce(0, +)
            let unexplained = verdicts.map(\.unexplained.count).reduce(0, +)
            Figures.say(
                "power loss: \(chosen.count) of \(states.count) different states, "
                    + "\(verdicts.map(\.uncertain).reduce(0, +)) uncertain, \(doubles) doubles, \(losses) losses, "
                    + "\(unexplained) unexplained, \(Figures.shown(Figures.seconds(since: began), digits: 0)) s")
            Proof.count(Self.trial, .steps, Set(chosen.map(\.cut)).count)
            Proof.count(Self.trial, .crashes, chosen.count)
            Proof.count(Self.trial, .doubles, doubles)
            Proof.count(Self.trial, .losses, losses)
            Proof.count(Self.trial, .unexplained, unexplained)
            for (state, verdict) in zip(chosen, verdicts) where !verdict.isClean {
                Issue.record("\(state.description): \(verdict.complaints)\n\(verdict.words.suffix(2000))")
            }
        }

        /// What the model must not let through, each by its construction.
        private enum Mutant: CaseIterable {
            /// Commits of intents and outcomes do not reach the disk.
            case noCommitIsSynchronized
            /// The start forgets what was in flight.
            case recoveryForgets
        }

        @Test(.timeLimit(.minutes(5)))
        func `a daemon that did not synchronize its intents or forgot them would be found out`() async throws {
            let states = try PowerLossStates(try await Self.recorded())
            for mutant in Mutant.allCases {
                let suspects = try states.all(ignoring: mutant == .recoveryForgets ? [] : [.fdatasync]) { _, _ in
                    [.none]
                }.filter { $0.place == "send relay" && !$0.dots.isEmpty }
                let verdicts = try await concurrently(Array(suspects.prefix(8)), width: Self.width) {
                    try await PowerLossWorld.live(
                        $0, whileDown: mutant == .recoveryForgets ? SweepMutant.forgetWhatWasInFlight : { _ in })
                }
                let found = verdicts.count { !$0.doubles.isEmpty }
                Figures.say("power loss: \(mutant) is found out in \(found) of \(verdicts.count) states")
                Proof.count(Self.trial, .mutants, 1)
                Proof.count(Self.trial, .mutantsFound, found > 0 ? 1 : 0)
                #expect(found > 0, "\(mutant) is found out: \(verdicts.map(\.complaints))")
            }
        }

        private static func recorded() async throws -> SweepWorld {
            let world = try await SweepWorld.live(try await Interposer(), SweepWorld.Plans(runs: [.recording]))
            #expect(world.verdict.isClean, "\(world.verdict.complaints)\n\(world.verdict.words)")
            return world
        }

        /// Half of them from between the first dot and the end, where it matters most.
        private static func sample(_ states: [PowerLossState], _ count: Int) -> [PowerLossState] {
            let (early, late) = (states.filter(\.dots.isEmpty), states.filter { !$0.dots.isEmpty })
            return Array(early.shuffled().prefix(count / 2) + late.shuffled().prefix(count / 2))
        }
    }
}

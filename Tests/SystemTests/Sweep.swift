import TestSupport
import Testing

/// Many worlds, several at a time, and what came of them.
struct Sweep {
    /// As in the table of the proof.
    let trial: String
    let interposer: Interposer
    private let began = MonotonicClock.now()

    struct Trial: Sendable {
        let plans: [Interposer.Plan]
        var verdict: SweepWorld.Verdict
    }

    init(_ trial: String) async throws {
        self.trial = trial
        interposer = try await Interposer()
    }

    /// The calls of a run that nothing happens to.
    func undisturbed() async throws -> [RecordedCall] {
        let world = try await SweepWorld.live(interposer, SweepWorld.Plans(runs: [Interposer.Plan()]))
        #expect(world.verdict.isClean, "\(world.verdict.complaints)\n\(world.verdict.words)")
        #expect(world.verdict.uncertain == 0)
        return try world.calls(1)
    }

    /// Numbers from 1 to a little more than there should be: all in a whole proof, else about `bounded` of them.
    func numbers(_ last: Int, bounded: Int) -> [Int] {
        let step = Proof.isWhole ? 1 : max(last / bounded, 1)
        return Array(stride(from: Int.random(in: 1...step), through: last + 10, by: step))
    }

    /// - Parameter width: how many at a time; they mostly wait.
    func all(_ plans: [SweepWorld.Plans], width: Int = 10) async throws -> [Trial] {
        try await concurrently(plans, width: width) { [interposer] plans in
            Trial(plans: plans.runs, verdict: try await SweepWorld.live(interposer, plans).verdict)
        }
    }

    /// Figures for people and for the table, and an issue for each world that was not as it should be.
    ///
    /// - Parameter isStruck: whether something was put in; nil for what the library recorded.
    func report(_ what: String, _ trials: [Trial], isStruck: Int? = nil) {
        let steps = isStruck ?? trials.count { !$0.verdict.struck.isEmpty }
        let crashes = trials.map(\.verdict.crashes).reduce(0, +)
        let doubles = trials.map(\.verdict.doubles.count).reduce(0, +)
        let losses = trials.map(\.verdict.losses.count).reduce(0, +)
        let unexplained = trials.map(\.verdict.unexplained.count).reduce(0, +)
        Figures.say(
            "\(trial): \(what): \(trials.count) worlds, \(steps) struck, \(crashes) crashes, "
                + "\(trials.map(\.verdict.uncertain).reduce(0, +)) uncertain, \(doubles) doubles, \(losses) losses, "
                + "\(unexplained) unexplained, \(Figures.shown(Figures.seconds(since: began), digits: 0)) s")
        Proof.count(trial, .steps, steps)
        Proof.count(trial, .crashes, crashes)
        Proof.count(trial, .doubles, doubles)
        Proof.count(trial, .losses, losses)
        Proof.count(trial, .unexplained, unexplained)
        for trial in trials where !trial.verdict.isClean {
            let places = trial.verdict.struck.map { "\($0.number) \($0.place)" }.prefix(3)
            let plans = trial.plans.map { "\($0.strike) at \($0.at)" }
            Issue.record("\(plans) \(places): \(trial.verdict.complaints)\n\(trial.verdict.words.suffix(3000))")
        }
    }
}

/// Does `work` for each item, `width` at a time; results in the order of the items.
func concurrently<Item: Sendable, Value: Sendable>(
    _ items: [Item], width: Int, _ work: @escaping @Sendable (Item) async throws -> Value
) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value).self) { group in
        var values: [Int: Value] = [:]
        for (index, item) in items.enumerated() {
            if index >= width, let (done, value) = try await group.next() { values[done] = value }
            group.addTask { (index, try await work(item)) }
        }
        while let (done, value) = try await group.next() { values[done] = value }
        return items.indices.compactMap { values[$0] }
    }
}

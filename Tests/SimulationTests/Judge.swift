import TestSupport

/// Judges a world only by what the relays were given, what people had said at that moment, and the receipts.
struct Judge {
    /// What a record comes to.
    struct Verdict: Sendable, CustomStringConvertible {
        /// Messages that a relay was given again though it may have had them.
        var doubles: [String] = []
        /// Messages that are sent by the record and that no relay took, and people who are named nowhere.
        var losses: [String] = []
        /// Doubt without a cause, and whatever else should not be.
        var unexplained: [String] = []

        var isGood: Bool { doubles.isEmpty && losses.isEmpty && unexplained.isEmpty }

        var description: String {
            (doubles.map { "double: \($0)" } + losses.map { "loss: \($0)" } + unexplained.map { "unexplained: \($0)" })
                .joined(separator: "\n")
        }
    }

    let scenario: Scenario
    let record: Record
    var verdict = Verdict()

    static func judge(_ record: Record, of scenario: Scenario) -> Verdict {
        var judge = Judge(scenario: scenario, record: record)
        judge.verdict.unexplained += record.objections
        if !record.isComplete { judge.verdict.unexplained.append("the jobs have not all come to an end") }
        judge.judgeRepeats()
        judge.judgeConsent()
        judge.judgePace()
        judge.judgeHours()
        judge.judgeControls()
        judge.judgeRoutes()
        judge.judgeReceipts()
        return judge.verdict
    }

    private init(scenario: Scenario, record: Record) {
        self.scenario = scenario
        self.record = record
    }

    /// After a dot that may have been taken there is no other, unless a person asked for it in between, or a key makes
    /// it harmless.
    private mutating func judgeRepeats() {
        let byPerson = Dictionary(grouping: record.dots) { "\($0.campaign) \($0.recipient)" }
        for (person, dots) in byPerson.sorted(by: { $0.key < $1.key }) {
            var asked = dots.first.map { resends($0.campaign, $0.recipient) } ?? []
            for (dot, next) in zip(dots, dots.dropFirst()) where !dot.mayRepeat {
                // A key is known to the relay that got it, and nowhere else.
                if let key = dot.key, next.key == key, next.relay == dot.relay, isKeyed(dot.relay) { continue }
                // What was taken for resent cannot have been before its first dot, nor after the next one.
                let pardon = asked.firstIndex { $0.droppedAt <= next.at && $0.seenAt ?? .max >= dot.at }
                if let pardon {
                    asked.remove(at: pardon)
                } else {
                    verdict.doubles.append("\(person) at \(dot.at / 1_000_000) and at \(next.at / 1_000_000) ms")
                }
            }
        }
    }

    /// The jobs by which somebody had this one sent again, in the order in which they were dropped.
    func resends(_ campaign: String, _ recipient: String) -> [Record.Control] {
        settlements(campaign, recipient, as: "resend")
    }

    func settlements(_ campaign: String, _ recipient: String, as settlement: String) -> [Record.Control] {
        record.controls.values.filter {
            $0.campaign == campaign && $0.settlement == settlement && !$0.isRejected
                && $0.address ?? recipient == recipient
        }.sorted { $0.droppedAt < $1.droppedAt }
    }

    func isKeyed(_ relay: String) -> Bool { scenario.relays.contains { $0.name == relay && $0.knowsKeys } }

    /// After a pause or a cancellation was answered nothing of the campaign leaves until somebody resumes it.
    private mutating func judgeControls() {
        for control in record.controls.values where ["pause", "cancel"].contains(control.action) {
            guard let seen = control.seenAt, !control.isRejected else { continue }
            let resumed = record.controls.values.filter {
                $0.campaign == control.campaign && $0.action == "resume" && !$0.isRejected
                    && ($0.droppedAt >= control.droppedAt || $0.seenAt ?? .max >= seen)
            }
            // What a full disk keeps from being taken is not taken in the order of dropping.
            let until = resumed.map { max($0.droppedAt, seen) }.min() ?? .max
            for dot in record.dots
            where dot.campaign == control.campaign && dot.at > seen + Observer.grace && dot.at < until {
                verdict.unexplained.append("\(dot.recipient) got \(dot.campaign) after its \(control.action)")
            }
        }
    }
}

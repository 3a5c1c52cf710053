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

    /// After a dot that may have been taken there is no other, unless a person asked for it, or a key makes it
    /// harmless.
    private mutating func judgeRepeats() {
        let byPerson = Dictionary(grouping: record.dots) { "\($0.campaign) \($0.recipient)" }
        for (person, dots) in byPerson.sorted(by: { $0.key < $1.key }) {
            let campaign = dots.first?.campaign ?? ""
            var pardons = record.controls.values.count { $0.campaign == campaign && $0.settlement == "resend" }
            for (dot, next) in zip(dots, dots.dropFirst()) where !dot.mayRepeat {
                // A key is known to the relay that got it, and nowhere else.
                if let key = dot.key, next.key == key, next.relay == dot.relay, isKeyed(dot.relay) { continue }
                if pardons > 0 {
                    pardons -= 1
                } else {
                    verdict.doubles.append("\(person) at \(dot.at / 1_000_000) and at \(next.at / 1_000_000) ms")
                }
            }
        }
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

    private mutating func judgeReceipts() {
        var doubts = 0
        for (campaign, people) in scenario.campaigns.sorted(by: { $0.key < $1.key }) {
            guard let receipt = record.receipts[campaign] else {
                verdict.losses.append("campaign \(campaign) has no receipt")
                continue
            }
            guard ["finished", "cancelled", "expired"].contains(receipt.state) else { continue }
            let rows = Dictionary(grouping: record.recipients[campaign] ?? []) { $0["address"] ?? "" }
            for person in Set(people).sorted() {
                let address = Scenario.address(person)
                guard let row = rows[address]?.first, rows[address]?.count == 1 else {
                    verdict.losses.append("\(address) stands \(rows[address]?.count ?? 0) times in \(campaign)")
                    continue
                }
                judge(address, campaign, row, doubts: &doubts)
            }
            if let person = scenario.reports[campaign] { judgeReport(of: campaign, to: person, doubts: &doubts) }
        }
        let silent = record.dots.count { !$0.mayRepeat }
        if doubts > record.doubtsOfCrashes + silent {
            verdict.unexplained.append("\(doubts) are uncertain, and \(record.crashes) crashes explain fewer")
        }
    }

    /// Whoever is to be told of the end of a campaign is told by one job, whatever changes later.
    private mutating func judgeReport(of campaign: String, to person: String, doubts: inout Int) {
        let jobs = record.receipts.filter { name, receipt in
            name.hasPrefix(Record.reportPrefix(campaign)) && receipt.state != "rejected"
        }
        // A drop that was repeated may have a receipt of its own, which shows that of the first.
        guard let name = jobs.keys.min() else {
            verdict.losses.append("nobody is told of the end of \(campaign)")
            return
        }
        let address = Scenario.address(person)
        let rows = record.recipients[name] ?? []
        guard rows.map({ $0["address"] }) == [address] else {
            verdict.losses.append("\(address) does not stand alone in \(name)")
            return
        }
        judge(address, "\(campaign) report", rows[0], doubts: &doubts)
    }

    private mutating func judge(
        _ address: String, _ campaign: String, _ row: [String: String], doubts: inout Int
    ) {
        let state = row["state"] ?? ""
        let dots = record.dots.filter { $0.campaign == campaign && $0.recipient == address }
        let taken = dots.count { $0.isTaken }
        let consent = scenario.people.first { Scenario.address($0.name) == address }?.consent
        if consent != "accepted", !dots.isEmpty {
            verdict.unexplained.append("\(address) never agreed and got \(campaign)")
        }
        let isSettled = (row["reason"] ?? "").hasPrefix("settled as sent")
        let pardons = record.controls.values.count { $0.campaign == campaign && $0.settlement == "resend" }
        switch state {
        // Whoever has something sent again that had arrived has it arrive twice.
        case "sent" where (1...1 + pardons).contains(taken) || isSettled: break
        case "sent": verdict.losses.append("\(address) is sent in \(campaign), and \(taken) were taken")
        case "uncertain":
            doubts += 1
            let isCause = dots.contains { !$0.mayRepeat } || record.crashes > 0 || record.failedSteps > 0
            if !isCause { verdict.unexplained.append("\(address) is uncertain in \(campaign) without a cause") }
        case "bounced", "withheld", "expired", "cancelled":
            if taken > pardons { verdict.losses.append("\(address) is \(state) in \(campaign), and the relay took it") }
        default: verdict.losses.append("\(address) is \(state) in \(campaign), which has ended")
        }
    }
}

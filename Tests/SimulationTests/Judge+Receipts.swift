import TestSupport

/// What the receipts say, and whether there was a cause for it.
extension Judge {
    /// Whoever never agreed gets nothing, also of a campaign that has not ended. Who withdrew is looked at when a dot
    /// is seen.
    mutating func judgeConsent() {
        let agreed = Set(scenario.people.filter { $0.consent == "accepted" }.map { Scenario.address($0.name) })
        for dot in record.dots where !agreed.contains(dot.recipient) {
            verdict.unexplained.append("\(dot.recipient) never agreed and got \(dot.campaign)")
        }
    }

    mutating func judgeReceipts() {
        var doubts = 0
        for (campaign, people) in scenario.campaigns.sorted(by: { $0.key < $1.key }) {
            guard let receipt = record.receipts[campaign] else {
                verdict.losses.append("campaign \(campaign) has no receipt")
                continue
            }
            guard ["finished", "cancelled", "expired"].contains(receipt.state) else {
                judgeWait(of: campaign, receipt)
                continue
            }
            let all = record.recipients[campaign] ?? []
            judgeCounts(of: campaign, receipt, all)
            let rows = Dictionary(grouping: all) { $0["address"] ?? "" }
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
        if doubts > record.doubtsOfCrashes {
            verdict.unexplained.append(
                "\(doubts) are uncertain whose relay was not silent, and \(record.crashes) crashes explain fewer")
        }
    }

    /// The figures of a campaign that has ended are those of its rows.
    private mutating func judgeCounts(of campaign: String, _ receipt: JobReceipt, _ rows: [[String: String]]) {
        var counts = Dictionary(grouping: rows) { $0["state"] ?? "" }.mapValues(\.count)
        counts["recipients"] = rows.count
        let claimed = receipt.counts.filter { $0.value != 0 }
        guard claimed != counts else { return }
        verdict.losses.append("\(campaign) counts \(claimed), and its rows are \(counts)")
    }

    /// A campaign that has not ended waits for a person, who is told of a cause that there was.
    private mutating func judgeWait(of campaign: String, _ receipt: JobReceipt) {
        let because = receipt.pausedBecause ?? ""
        let isCause =
            switch receipt.state {
            case "rejected": scenario.takesRelaysAway
            case "paused": mayPause(campaign, because)
            case "held": scenario.repeats(campaign)
            default: false
            }
        guard !isCause else { return }
        verdict.unexplained.append("\(campaign) is \(receipt.state) without a cause: “\(because)”")
    }

    private func mayPause(_ campaign: String, _ because: String) -> Bool {
        if because.hasSuffix("got no answer to the final dot") {
            return scenario.pausesInDoubt && record.dots.contains { $0.campaign == campaign && $0.isSilent }
        }
        if because.contains("were refused by the relay's policy") { return scenario.refusesByPolicy }
        return record.controls.values.contains {
            $0.campaign == campaign && $0.action == "pause" && !$0.isRejected
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
        let asked = resends(campaign, address)
        let isSettled =
            (row["reason"] ?? "").hasPrefix("settled as sent")
            && !settlements(campaign, address, as: "sent").isEmpty
        switch state {
        // Whoever has something sent again that had arrived has it arrive twice.
        case "sent" where (1...1 + asked.count).contains(taken) || isSettled: break
        case "sent": verdict.losses.append("\(address) is sent in \(campaign), and \(taken) were taken")
        case "uncertain":
            guard !isSilent(dots) else { break }
            doubts += 1
            guard !mayBeInDoubt(dots, isResent: !asked.isEmpty) else { break }
            verdict.unexplained.append("\(address) is uncertain in \(campaign) without a cause")
        case "bounced", "withheld", "cancelled":
            if taken > asked.count {
                verdict.losses.append("\(address) is \(state) in \(campaign), and the relay took it")
            }
            let reason = row["reason"] ?? ""
            // What a full disk keeps from being taken is not taken in the order of dropping: here the import.
            let isOvertaken = reason == "external" && record.failedSteps > 0
            guard !isOvertaken, !mayEnd(address, campaign, state) else { break }
            verdict.losses.append("\(address) is \(state) in \(campaign) without a cause: “\(reason)”")
        // No world lasts as long as a campaign lives.
        default: verdict.losses.append("\(address) is \(state) in \(campaign), which has ended")
        }
    }

    /// Whether the relay did not answer the last dot. Under a key a doubt outlives the answers to its repetitions.
    private func isSilent(_ dots: [SimulatedRelay.Dot]) -> Bool {
        dots.last?.isSilent == true || dots.contains { $0.isSilent && $0.key != nil }
    }

    /// Whether a crash, or a disk that failed, came between an intent and its outcome.
    private func mayBeInDoubt(_ dots: [SimulatedRelay.Dot], isResent: Bool) -> Bool {
        if record.failedSteps > 0 { return true }
        guard let last = dots.last, last.key == nil else { return record.crashes > 0 }
        let roundTrip = scenario.relays.first { $0.name == last.relay }?.milliseconds ?? 0
        // Later than that the reply is recorded; but a message that may be repeated may be before its next dot.
        let latest = last.mayRepeat || isResent ? .max : last.at + (roundTrip + 100) * 1_000_000
        return record.crashedAt.contains { (last.at...latest).contains($0) }
    }

    /// Whether somebody may be left out for good, in this state.
    private func mayEnd(_ address: String, _ campaign: String, _ state: String) -> Bool {
        let isRefused = scenario.answers.contains {
            Scenario.address($0.name) == address && $0.answers.contains(where: \.isForGood)
        }
        switch state {
        case "bounced": return isRefused
        case "cancelled":
            return record.controls.values.contains {
                $0.campaign == campaign && $0.action == "cancel" && !$0.isRejected
            }
        default:
            let consent = scenario.people.first { Scenario.address($0.name) == address }?.consent
            // An address that is refused as dead is suppressed.
            return consent != "accepted" || isRefused || record.withdrawals.values.contains { $0.address == address }
        }
    }
}

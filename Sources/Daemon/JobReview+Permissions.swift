import Mailing

/// Who may do what.
extension JobReview {
    /// Root and the daemon's own user may everything.
    var isTrusted: Bool { submitter.uid == 0 || submitter.uid == ownUser }

    private var speaksForRecipients: Bool { configuration.recipientChannels.contains(submitter.uid) }

    /// How errors speak of who dropped the job.
    var who: String {
        submitter.name.map { "the user \($0) (uid \(submitter.uid))" } ?? "the user \(submitter.uid)"
    }

    /// Something that a table does not permit.
    private struct Refusal {
        var pointer: String
        var message: String
    }

    mutating func checkPermission(_ job: Job) {
        if isTrusted { return }
        if case .campaign(let campaign) = job, ClosingReport.isReport(campaign) {
            let message = "the purpose “\(ClosingReport.purpose)” with such an id is for reports of campaignd itself"
            return refuse(message, pointer: "/purpose")
        }
        if case .consent(let consent) = job, speaksForRecipients,
            consent.events.allSatisfy({ $0.by == .recipient })
        {
            return
        }
        let tables = configuration.submitters.filter { $0.means(submitter) }
        guard !tables.isEmpty else {
            let message =
                "\(who) may drop nothing: no [submitters] table of the configuration names this user or a group of "
                + "it; ask the administrator for that"
            return refuse(message, pointer: "")
        }
        // One table must permit the whole job. Of those that do not, the one that lacks least tells what to mend; one
        // that does not even permit the kind tells nothing of the rest.
        let attempts = tables.map { (table: $0, refusals: refusals(of: job, by: $0)) }
        permits = attempts.filter(\.refusals.isEmpty).map(\.table)
        guard permits.isEmpty else { return }
        let least = attempts.map(\.refusals).min { distance($0) < distance($1) } ?? []
        for refusal in least { refuse("\(who) \(refusal.message)", pointer: refusal.pointer) }
    }

    private func distance(_ refusals: [Refusal]) -> Int {
        refusals.contains { $0.pointer == "/kind" } ? .max : refusals.count
    }

    private func refusals(of job: Job, by table: Submitters) -> [Refusal] {
        if case .control(let control) = job { return refusals(of: control, by: table) }
        guard table.kinds.contains(job.kind) else {
            switch job {
            case .consent: return [mayNot("record consent", "/kind")]
            default: return [mayNot("drop jobs of the kind “\(job.kind.rawValue)”", "/kind")]
            }
        }
        switch job {
        case .campaign(let campaign): return refusals(of: campaign, by: table)
        case .contacts(let contacts):
            guard let purpose = contacts.consent?.purpose else { return [] }
            return refusals(purpose: purpose, "/consent/purpose", by: table)
        case .consent(let consent):
            return consent.events.enumerated().flatMap { index, event in
                refusals(purpose: event.purpose, "/events/\(index)/purpose", by: table)
            }
        case .control: return []
        }
    }

    private func refusals(of campaign: Campaign, by table: Submitters) -> [Refusal] {
        var found = refusals(purpose: campaign.purpose, "/purpose", by: table)
        if !table.bases.contains(campaign.basis) {
            let bases = table.bases.map(\.rawValue).sorted()
            found.append(may("drop campaigns on the basis", only: bases, table, "/basis"))
        }
        let address = campaign.sender.address
        if !table.senders.isEmpty, !table.senders.contains(where: { $0.matches(address) }) {
            found.append(may("send as", only: table.senders.map(\.description), table, "/from/address"))
        }
        found += reportRefusals(campaign, by: table)
        guard !table.relays.isEmpty else { return found }
        for (index, name) in JobReview.relays(campaign, configuration).enumerated() where !table.relays.contains(name) {
            let pointer = campaign.relays.isEmpty ? "/relays" : "/relays/\(index)"
            found.append(may("use the relay", only: table.relays.sorted(), table, pointer))
        }
        return found
    }

    /// A report is mail that nobody agreed to. It goes to whom the mailing is from, to its `replyTo` where lists
    /// of senders permit that as a sender, too, and to whom the table names.
    private func reportRefusals(_ campaign: Campaign, by table: Submitters) -> [Refusal] {
        guard let to = campaign.reportTo, to.key != campaign.sender.address.key,
            !table.reportsTo.contains(where: { $0.matches(to) })
        else { return [] }
        let relays = JobReview.relays(campaign, configuration).compactMap { configuration.relays[$0] }
        // Without any list of senders everybody could be one, and so a replyTo would be anybody.
        let isLimited = !table.senders.isEmpty || relays.allSatisfy { !$0.senders.isEmpty }
        if to.key == campaign.replyTo?.key, isLimited, relays.allSatisfy({ $0.carries(to) }),
            table.senders.isEmpty || table.senders.contains(where: { $0.matches(to) })
        {
            return []
        }
        let words = [campaign.sender.address.text] + table.reportsTo.map(\.description)
        return [may("have reports sent to", only: words, table, "/report/to")]
    }

    private func refusals(of control: ControlJob, by table: Submitters) -> [Refusal] {
        switch table.controls {
        case .all:
            guard let relay = control.route?.to, !table.relays.isEmpty, !table.relays.contains(relay) else { return [] }
            return [may("use the relay", only: table.relays.sorted(), table, "/to")]
        case .none: return [mayNot("control campaigns", "/kind")]
        case .own:
            guard controlledSubmitter == submitter.uid else {
                let message =
                    "may control only what the same user dropped, and “\(control.campaign)” is no such campaign"
                return [Refusal(pointer: "/campaign", message: message)]
            }
            switch control.action {
            case .approve where isHeldSinceStart, .resume where isHeldSinceStart:
                // The first of these is the word that the campaigns of everybody may go on.
                return [mayNot("\(control.action.rawValue) while the ledger is held as restored", "/action")]
            case .approve, .pause, .resume, .cancel: return []
            case .settle, .reroute: return [mayNot("\(control.action.rawValue)", "/action")]
            }
        }
    }

    private func refusals(purpose: String, _ pointer: String, by table: Submitters) -> [Refusal] {
        if table.purposes.isEmpty || table.purposes.contains(purpose) { return [] }
        return [may("act for the purpose", only: table.purposes.sorted(), table, pointer)]
    }

    private func mayNot(_ what: String, _ pointer: String) -> Refusal {
        Refusal(pointer: pointer, message: "may not \(what); ask the administrator")
    }

    /// - Parameter words: What the table permits; empty for nothing.
    private func may(_ what: String, only words: [String], _ table: Submitters, _ pointer: String) -> Refusal {
        let list = words.isEmpty ? "none" : words.map { "“\($0)”" }.joined(separator: ", ")
        return Refusal(
            pointer: pointer,
            message: "may \(what) \(list) only ([submitters.\(table.name)]); ask the administrator")
    }

    /// What the ledger is to record: a refusal that somebody reports in the recipient's name counts at once, but as
    /// what it is, the word of the one who reports it.
    mutating func believed(_ consent: ConsentJob) -> ConsentJob {
        guard !speaksForRecipients else { return consent }
        var believed = consent
        for index in believed.events.indices where believed.events[index].by == .recipient {
            believed.events[index].by = .operator
            warnings.append(
                "event \(index + 1) is recorded as “operator”: “recipient” is believed only from the users that "
                    + "[consent] recipient_channels names")
        }
        return believed
    }

    /// Whether what is said in the recipients' name is theirs to say.
    mutating func checkWord(_ consent: ConsentJob) {
        for (index, event) in consent.events.enumerated()
        where event.by == .recipient && !speaksForRecipients && event.event != .withdrawn && event.event != .refused {
            refuse(
                "“by”: “recipient” is believed only from the users that [consent] recipient_channels names; "
                    + "if somebody of the house records it, write “operator”", pointer: "/events/\(index)/by")
        }
    }
}

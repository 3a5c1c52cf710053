import Ledger
import Logging
import Mailing
import Spool

/// Does what an accepted job asks for.
struct JobDesk {
    let context: DaemonContext
    let library: CampaignLibrary
    let keeper: CampaignKeeper
    let wakeLanes: @Sendable () -> Void

    func work(_ drop: Intake.AcceptedDrop) async throws {
        switch drop.job {
        case .campaign(let campaign): try await plan(campaign, drop)
        case .contacts(let contacts): try await register(contacts, drop)
        case .consent(let consent): try await record(consent, drop)
        case .control(let control): try await apply(control, drop)
        }
    }

    private func plan(_ campaign: Campaign, _ drop: Intake.AcceptedDrop) async throws {
        // A reload may come in between.
        let configuration = context.settings.current
        guard !JobReview.relays(campaign, configuration).isEmpty else {
            throw refusal("/relays", "there is no relay “default” any more: name the campaign's relays in “relays”")
        }
        let prepared = try await library.campaign(campaign.id)
        let expander = Expander(
            context: context, prepared: prepared, directory: context.spool.keptDirectory(of: campaign.id),
            fingerprint: drop.review.fingerprint, accepted: drop.acceptedAt, limit: drop.review.recipientLimit,
            configuration: configuration)
        let (number, state) = try await expander.expand(warnings: drop.review.warnings)
        wakeLanes()
        context.journal.note(
            .notice, state == .held ? .needsApproval : .planned,
            "campaign \(campaign.id) is planned and \(state.rawValue)",
            drop.journalFields.merging(["STATE": state.rawValue, "RECEIPT": drop.receipt.text]) { $1 })
        await keeper.touch(number)
    }

    private func register(_ contacts: ContactsImport, _ drop: Intake.AcceptedDrop) async throws {
        var registrar = Registrar(
            context: context, job: contacts, directory: context.spool.keptDirectory(of: contacts.id))
        let (counts, _) = try await registrar.run()
        try await answer(drop, "contacts of \(contacts.id) are registered: \(counts["rows"] ?? 0) rows")
        // Nothing is made from an import's files any more, and they hold personal data.
        try context.spool.removeKept(contacts.id)
    }

    private func record(_ consent: ConsentJob, _ drop: Intake.AcceptedDrop) async throws {
        _ = try await context.ledger.record(
            consent.events, job: consent.id, warnings: drop.review.warnings, now: context.clocks.wall)
        try context.spool.removeKept(consent.id)
        try await answer(drop, "\(consent.events.count) consent events of \(consent.id) are recorded")
    }

    private func settle(
        _ control: ControlJob, as settlement: Settlement, reason: String, _ drop: Intake.AcceptedDrop
    ) async throws {
        let evidence = SettlementEvidence(kind: .person, text: reason, job: control.id)
        let result = try await context.ledger.settle(
            campaign: control.campaign, address: control.address, as: settlement, by: evidence, control: control.id,
            now: context.clocks.wall)
        switch result {
        case nil: throw try await unknownCampaign(control)
        case .failure(let why):
            var pointer = "/campaign"
            if case .ended = why { pointer = "/as" }
            if case .notUncertain = why { pointer = "/address" }
            throw refusal(pointer, why.description)
        case .success(let settled):
            try context.spool.removeKept(control.id)
            for doubt in settled { context.journal.settled(doubt, by: evidence, job: control.id) }
            if let number = settled.first?.campaign { await keeper.touch(number) }
            wakeLanes()
            try await answer(drop, "\(settled.count) deliveries of \(control.campaign) are settled: \(reason)")
        }
    }

    func unknownCampaign(_ control: ControlJob) async throws -> Expander.Refused {
        if try await context.ledger.job(control.campaign) != nil {
            return refusal(
                "/campaign", "“\(control.campaign)” is still being planned, or is no campaign; try again in a moment")
        }
        return refusal("/campaign", "there is no campaign “\(control.campaign)”; it is the id of a campaign job")
    }

    private func apply(_ control: ControlJob, _ drop: Intake.AcceptedDrop) async throws {
        if let settlement = control.settlement, let reason = control.reason {
            return try await settle(control, as: settlement, reason: reason, drop)
        }
        if let route = control.route { return try await reroute(control, route, drop) }
        let because = control.reason ?? "an operator asked for it (job \(control.id))"
        let result = try await context.ledger.control(
            campaign: control.campaign, action: control.action, because: because, by: control.id,
            now: context.clocks.wall)
        switch result {
        case nil: throw try await unknownCampaign(control)
        case .failure(let why):
            throw refusal("/action", why.description)
        case .success(let state):
            try context.spool.removeKept(control.id)
            if let number = try await context.ledger.campaignNumber(of: control.campaign) {
                await keeper.touch(number)
            }
            wakeLanes()
            let event: DaemonJournal.Event = state == .paused ? .paused : .changed
            context.journal.note(
                .notice, event, "campaign \(control.campaign) is \(state.rawValue): \(because)",
                drop.journalFields.merging(["STATE": state.rawValue]) { $1 })
            try await answer(drop, "control job \(control.id) is done")
        }
    }

    func refusal(_ pointer: String, _ message: String) -> Expander.Refused {
        Expander.Refused(errors: [
            JobError(pointer: pointer, line: nil, column: nil, file: "job.json", message: message)
        ])
    }

    /// The receipt of a job that is over when its work is done.
    func answer(_ drop: Intake.AcceptedDrop, _ message: String) async throws {
        guard let record = try await context.ledger.job(drop.job.id) else {
            throw LedgerError.conflict("job \(drop.job.id) is gone")
        }
        // Who finds the answer finds the campaign's receipt as it is after it.
        if case .control(let control) = drop.job { try await keeper.refresh(job: control.campaign) }
        try context.spool.write(JobReceipts.receipt(of: record), to: drop.receipt, durable: true)
        context.journal.note(
            .info, .done, message, drop.journalFields.merging(["RECEIPT": drop.receipt.text]) { $1 })
    }
}

/// Receipts of jobs that are over when their work is done.
enum JobReceipts {
    static func receipt(of record: JobRecord) -> Receipt {
        var receipt = Receipt(
            job: record.id.text, kind: record.kind.rawValue, state: record.isFinished ? .finished : .planned)
        receipt.acceptedAt = record.acceptedAt
        receipt.sha256 = record.sha256
        receipt.repeats = record.repeats
        receipt.warnings = record.warnings
        receipt.registered = record.registered
        return receipt
    }
}

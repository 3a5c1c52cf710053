import Foundation
import Ledger
package import Mailing
import RecipientLists
import Spool

/// What the ledger would make of a job that was not dropped yet. Nothing of it is kept, and nothing is changed.
///
/// A campaign's recipients are gone through and asked about by the code that plans them.
package struct JobTrial: Sendable {
    /// What the plan of a campaign would be.
    package struct Plan: Sendable, Equatable {
        /// The state in which it would begin: held, scheduled or running.
        package var state: String
        package var counts: Receipt.Counts
        /// Withheld recipients by reason.
        package var withheld: [String: Int]
        /// Recipients by consent status, `external` among them.
        package var consent: [String: Int]
        /// Messages by relay.
        package var relays: [String: Int]
        /// If its relays had nothing else to do; nil if nothing would be sent.
        package var estimatedFinish: Timestamp?
        package var heldBecause: String?
    }

    /// Nil for other kinds of job, and where it was not tried.
    package private(set) var plan: Plan?
    package private(set) var errors: [JobError] = []
    package private(set) var warnings: [String] = []
    /// Why the ledger was not asked; nil if it was.
    package private(set) var notTried: String?

    /// - Parameter job: One without errors.
    package init(_ job: JobExamination, configuration: Configuration, now: Timestamp) async throws {
        guard let found = job.job else { return }
        let ledger: TrialLedger
        do throws(LedgerError) {
            guard let opened = try TrialLedger(path: configuration.ledgerPath) else {
                notTried = "the ledger may not be read or is not there yet: what the plan would be is not known"
                return
            }
            ledger = opened
        } catch {
            notTried = "\(error): what the plan would be is not known"
            return
        }
        let file = job.inspection.jobFileName
        if let known = try await ledger.job(found.id) {
            if known.sha256 == job.inspection.sha256 {
                warnings.append(
                    "the same job was dropped before (receipt \(known.receipt)): it would be counted, and nothing done")
            } else {
                errors.append(Intake.usedBefore(known, file: file))
            }
            return
        }
        if var judge = job.judge {
            try await judge.review(found, asking: ledger, isKnown: false)
            errors = judge.errors
            guard errors.isEmpty else { return }
        }
        guard case .campaign(let campaign) = found, let prepared = job.prepared else { return }
        let fingerprint = JobReview.fingerprint(campaign, files: job.inspection.files)
        let plan = Expander.plan(campaign, configuration, fingerprint: fingerprint, accepted: now)
        do {
            var walk = RecipientWalk(
                book: ledger, prepared: prepared, directory: job.inspection.directory,
                presetsDirectory: configuration.presetsDirectory, plan: plan, number: TrialLedger.number,
                limit: job.recipientLimit,
                proceed: {})
            try await walk.run()
        } catch let refused as Expander.Refused {
            errors = refused.errors.map { error in
                var error = error
                if error.file == "job.json" { error.file = file }
                return error
            }
            return
        }
        try await conclude(plan, campaign, ledger: ledger, configuration: configuration, now: now)
    }

    private mutating func conclude(
        _ plan: CampaignPlan, _ campaign: Campaign, ledger: TrialLedger, configuration: Configuration, now: Timestamp
    ) async throws {
        let outcome = try await ledger.outcome(limited: configuration.limitedDomains)
        let twin = try await ledger.twin(
            fingerprint: plan.fingerprint, since: now.adding(seconds: -Campaign.repeatWindow), otherThan: campaign.id)
        let (state, because) = Expander.beginning(
            plan, campaign, twin: twin, hold: try await ledger.holdOnNew(), now: now)
        var finish: Timestamp?
        if outcome.counts.queued > 0 {
            let end = configuration.estimatedFinish(
                of: outcome.backlog, windows: campaign.windows, from: max(plan.sendAfter ?? now, now))
            if let late = Expander.warning(end, plan) { warnings.append(late) }
            finish = end
        }
        self.plan = Plan(
            state: state.rawValue, counts: outcome.counts, withheld: outcome.withheld, consent: outcome.consent,
            relays: outcome.backlog.relays, estimatedFinish: finish, heldBecause: because)
    }
}

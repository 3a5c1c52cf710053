import Ledger
import Mailing
import Spool

/// Turns a campaign's recipients into planned deliveries: instant 1.
///
/// It works in batches, each a transaction of its own, so that other campaigns are sent meanwhile; until the plan is
/// committed as a whole, nothing of it counts.
struct Expander {
    let context: DaemonContext
    let prepared: PreparedCampaign
    let directory: String
    private let limit: RecipientLimit?
    private let plan: CampaignPlan

    /// Recipients of one campaign, all sources together.
    static let recipientLimit = 2_000_000

    /// - Parameter configuration: That by which the campaign was found to have relays; nil for the one in force.
    init(
        context: DaemonContext, prepared: PreparedCampaign, directory: String, fingerprint: String,
        accepted: Timestamp, limit: RecipientLimit? = nil, configuration: Configuration? = nil
    ) {
        self.limit = limit
        self.context = context
        self.prepared = prepared
        self.directory = directory
        plan = Expander.plan(
            prepared.campaign, configuration ?? context.settings.current, fingerprint: fingerprint, accepted: accepted)
    }

    static func plan(
        _ campaign: Campaign, _ configuration: Configuration, fingerprint: String, accepted: Timestamp
    ) -> CampaignPlan {
        CampaignPlan(
            job: campaign.id, basis: campaign.basis, purpose: campaign.purpose, fingerprint: fingerprint,
            acceptedAt: accepted, sendAfter: campaign.sendAfter,
            expires: JobReview.expires(campaign, now: accepted), relays: JobReview.relays(campaign, configuration),
            renewalBefore: accepted.adding(seconds: -Int64(configuration.renewalDays) * 86_400),
            windows: campaign.windows, reportTo: campaign.reportTo)
    }

    /// A campaign that cannot be planned, for reasons that its submitter can mend.
    struct Refused: Error {
        var errors: [JobError]
    }

    /// The end of planning that was cut off by a stop; the next start begins anew.
    struct Stopped: Error {}

    /// Plans and commits. Returns the campaign's number and state.
    func expand(warnings: [String]) async throws -> (number: Int64, state: CampaignState) {
        let number = try await context.ledger.beginPlan(plan)
        var walk = RecipientWalk(
            book: context.ledger, prepared: prepared, directory: directory,
            presetsDirectory: context.settings.current.presetsDirectory, plan: plan, number: number,
            limit: limit,
            proceed: { [context] in
                if context.stopping.isSet { throw Stopped() }
                context.progress.beat("planning", at: context.clocks.boot)
            })
        try await walk.run()
        return try await commit(number, warnings: warnings)
    }

    private func commit(
        _ number: Int64, warnings: [String]
    ) async throws -> (number: Int64, state: CampaignState) {
        let now = context.clocks.wall
        let twin = try await context.ledger.twin(
            fingerprint: plan.fingerprint, since: now.adding(seconds: -Campaign.repeatWindow), otherThan: plan.job)
        let (state, because) = Expander.beginning(
            plan, prepared.campaign, twin: twin, hold: try await context.ledger.holdOnNew(), now: now)
        var warnings = warnings
        let configuration = context.settings.current
        if let summary = try await context.ledger.summary(campaign: number, limited: configuration.limitedDomains) {
            let finish = configuration.estimatedFinish(
                of: summary.backlog, windows: plan.windows, from: max(plan.sendAfter ?? now, now))
            if summary.counts.queued > 0, let late = Expander.warning(finish, plan) { warnings.append(late) }
        }
        try await context.ledger.commitPlan(
            campaign: number, job: plan.job, state: state, because: because, warnings: warnings)
        return (number, state)
    }

    /// The state in which a campaign begins, and why if it is held.
    ///
    /// - Parameters:
    ///   - twin: A campaign that is equal in all but its id, and was accepted of late.
    ///   - hold: Why new campaigns are held, after a restore.
    static func beginning(
        _ plan: CampaignPlan, _ campaign: Campaign, twin: String?, hold: Recovery.Hold?, now: Timestamp
    ) -> (state: CampaignState, because: String?) {
        if let because = hold?.becauseNew { return (.held, because) }
        if let twin {
            return (
                .held, "it is equal to campaign \(twin) in all but its id: approve it only if it shall be sent again"
            )
        }
        if campaign.test?.needsApproval == true { return (.held, "it waits for approval after the test mail") }
        return ((plan.sendAfter ?? now) > now ? .scheduled : .running, nil)
    }

    /// What is said of a campaign that would not be ready in time; nil if it would.
    ///
    /// - Parameter finish: When it would be ready; nil if never.
    static func warning(_ finish: Timestamp?, _ plan: CampaignPlan) -> String? {
        guard let finish else {
            return "its window and that of its relay leave no time to send it in, or its relay is not configured any "
                + "more"
        }
        guard finish > plan.expires else { return nil }
        return "at this rate it would end at \(finish), after it expires at \(plan.expires)"
    }
}

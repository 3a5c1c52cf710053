import Ledger
import Mailing

/// What the judgement of a drop takes from outside of it.
extension Intake {
    /// Looked up once a drop, unless it makes no difference. A directory service that is slow to answer is no fault of
    /// this loop.
    func submitter(_ owner: UInt32) throws -> Account {
        if owner == 0 || owner == ownUser { return Account(uid: owner) }
        context.progress.rests("intake")
        defer { context.progress.beat("intake", at: context.clocks.boot) }
        return try account(owner)
    }

    /// - Parameter isKnown: Whether the ledger has the job, from a start that ended before its work did; it counts
    ///   there already.
    func review(_ job: Job, by judge: inout JobReview, isKnown: Bool) async throws {
        try await judge.review(job, asking: context.ledger, isKnown: isKnown)
    }
}

/// Who knows what the judgement of a job takes from the ledger.
protocol ReviewBook: Sendable {
    func holdOnNew() async throws -> Recovery.Hold?
    func job(_ id: JobID) async throws -> JobRecord?
    func pendingWork(of submitter: UInt32) async throws -> PendingWork
}

extension DeliveryLedger: ReviewBook {}
extension TrialLedger: ReviewBook {}

extension JobReview {
    /// - Parameter isKnown: Whether the ledger has the job, from a start that ended before its work did; it counts
    ///   there already.
    mutating func review(_ job: Job, asking ledger: some ReviewBook, isKnown: Bool) async throws {
        if case .control(let control) = job {
            isHeldSinceStart = try await ledger.holdOnNew() != nil
            controlledSubmitter = try await ledger.job(control.campaign)?.submitter
        }
        review(job)
        if errors.isEmpty, needsQuota(job), !isKnown {
            checkQuota(try await ledger.pendingWork(of: submitter.uid))
        }
    }
}

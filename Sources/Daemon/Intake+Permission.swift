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
        if case .control(let control) = job {
            judge.isHeldSinceStart = try await context.ledger.holdOnNew() != nil
            judge.controlledSubmitter = try await context.ledger.job(control.campaign)?.submitter
        }
        judge.review(job)
        if judge.errors.isEmpty, judge.needsQuota(job), !isKnown {
            judge.checkQuota(try await context.ledger.pendingWork(of: judge.submitter.uid))
        }
    }
}

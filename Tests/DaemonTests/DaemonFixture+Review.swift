import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

extension DaemonFixture {
    /// Drops a bundle, inspects it as the intake does and reviews it as if that user had dropped it.
    ///
    /// - Parameters:
    ///   - other: Who dropped the campaign that a control job is about.
    ///   - isHeldSinceStart: Whether the ledger was restored, or comes from another machine.
    func review(
        _ json: String, files: [String: String] = [:], by submitter: Account = Account(uid: 0), ownUser: UInt32 = 4000,
        controlling other: UInt32? = nil, isHeldSinceStart: Bool = false,
        change: (inout Configuration) -> Void = { _ in }
    ) throws -> JobReview {
        try producer().dropBundle("drop", json: json, files: files.mapValues { Array($0.utf8) })
        var hints = IncomingHints()
        let pending = try context.spool.pending(hints: &hints, now: clock.wall).drops
        guard case .claimed(let claim) = try context.spool.claim(try #require(pending.first)) else {
            throw TestSupportError("the drop could not be claimed")
        }
        let inspection = try context.spool.inspect(claim)
        try #require(inspection.errors.isEmpty, "\(inspection.errors)")
        var configuration = configuration
        change(&configuration)
        var review = JobReview(
            configuration: configuration, inspection: inspection, submitter: submitter, ownUser: ownUser,
            now: clock.wall, file: "job.json")
        review.controlledSubmitter = other
        review.isHeldSinceStart = isHeldSinceStart
        review.review(try job(json))
        return review
    }
}

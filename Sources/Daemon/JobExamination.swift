package import Mailing
package import Spool

/// What the daemon will say of a job that was not dropped yet: it is read and reviewed by the same code.
///
/// What only the ledger knows is not asked: whether the id was used before, whether a group exists, how much the
/// submitter has under way, whose campaign a control job is about. `JobTrial` asks that.
package struct JobExamination: Sendable {
    /// The job's id and kind, as far as they could be read.
    package private(set) var id: String?
    package private(set) var kind: String?
    /// Nil if there are errors that keep it from being read.
    package private(set) var job: Job?
    package private(set) var errors: [JobError]
    package private(set) var warnings: [String] = []
    /// Of a campaign without errors.
    private(set) var prepared: PreparedCampaign?
    /// The most recipients that this submitter's campaigns may have; nil for what everybody may.
    private(set) var recipientLimit: RecipientLimit?
    let inspection: Inspection
    /// Judges nothing yet; nil without a configuration.
    private(set) var judge: JobReview?

    /// Identity of the contents; nil if there are errors in its files.
    package var sha256: String? { inspection.sha256 }

    /// - Parameters:
    ///   - configuration: Nil if it may not be read; then only what holds with every configuration is judged.
    ///   - submitter: Who is to drop it.
    ///   - daemonUser: The user that the daemon runs as.
    package init(
        _ examined: ExaminedJob, configuration: Configuration?, submitter: Account, daemonUser: UInt32, now: Timestamp
    ) {
        inspection = examined.inspection
        errors = examined.inspection.errors
        guard errors.isEmpty, let form = inspection.form else { return }
        let file = inspection.jobFileName
        switch JobReader.read(examined.jobFile, file: file, form: form) {
        case .failure(let found):
            (id, kind, errors) = (found.id, found.kind, found.errors)
        case .success(let job):
            (id, kind, self.job) = (job.id.text, job.kind.rawValue, job)
            guard let configuration else { return }
            var review = JobReview(
                configuration: configuration, inspection: inspection, submitter: submitter, ownUser: daemonUser,
                now: now, file: file)
            judge = review
            // Whose campaign it is about only the ledger knows: the daemon will look.
            review.controlledSubmitter = submitter.uid
            review.review(job)
            recipientLimit = review.recipientLimit
            if case .consent(let consent) = job { _ = review.believed(consent) }
            errors = review.errors
            warnings = review.warnings
            prepared = review.prepared
        }
    }
}

import Ledger
import Logging
import Mailing
import Spool

/// What a drop is told when it is no new job.
extension Intake {
    /// Puts a drop aside that the daemon seems to die of.
    func park(_ claim: ClaimedDrop) async throws {
        let record = try await context.ledger.job(claimedAs: claim.id)
        if let record, record.isFinished { return report(try context.spool.discard(claim)) }
        let message =
            "the daemon crashed \(claim.attempts) times while it read or planned this drop; it is put aside: "
            + "find the cause in the journal before you drop it again"
        let error = JobError(pointer: nil, line: nil, column: nil, file: "\(claim.name)", message: message)
        try await forget(record)
        try await reject(
            claim, errors: [error], id: record?.id.text, kind: record?.kind.rawValue,
            name: record.flatMap { ReceiptName($0.receipt) })
    }

    func forget(_ record: JobRecord?) async throws {
        guard let record else { return }
        try await context.ledger.forget(job: record.id)
        try context.spool.removeKept(record.id)
    }

    /// Whether the ledger knows the job already; then the drop is answered.
    func isKnown(_ job: Job, claim: ClaimedDrop, sha256: String, file: String) async throws -> Bool {
        guard let record = try await context.ledger.job(job.id) else { return false }
        if record.claim == claim.id {
            // A crash came while it was planned. Should the original have changed since, it is a new job.
            if record.sha256 != sha256 { try await forget(record) }
            return false
        }
        guard record.sha256 == sha256 else {
            try await reject(
                claim, errors: [Intake.usedBefore(record, file: file)], id: job.id.text, kind: job.kind.rawValue,
                sha256: sha256, fields: job.journalFields)
            return true
        }
        let repeated = try await context.ledger.noteRepeat(job: job.id)
        try await answerRepeat(of: repeated, claim: claim, fields: job.journalFields)
        return true
    }

    /// A crash, or trouble with the receipt, came after the work was committed. The job's own copy stands; the original
    /// is not read again.
    func finishAgain(_ record: JobRecord, _ claim: ClaimedDrop) async throws {
        try await answerAgain(record)
        if record.kind != .campaign { try context.spool.removeKept(record.id) }
        report(try context.spool.discard(claim))
    }

    static func usedBefore(_ record: JobRecord, file: String) -> JobError {
        let message =
            "the id “\(record.id)” was used before for other content (receipt \(record.receipt)); "
            + "give this job an id of its own"
        return JobError(pointer: "/id", line: nil, column: nil, file: file, message: message)
    }

    /// The receipt may not have been written when the work was done.
    private func answerAgain(_ record: JobRecord) async throws {
        if record.kind == .campaign {
            try await keeper.refresh(job: record.id)
        } else if let name = ReceiptName(record.receipt) {
            try context.spool.write(JobReceipts.receipt(of: record), to: name, durable: true)
        }
    }

    func answerRepeat(of record: JobRecord, claim: ClaimedDrop, fields: [String: String]) async throws {
        guard let first = ReceiptName(record.receipt) else {
            throw LedgerError.conflict("“\(record.receipt)” of job \(record.id) is no name of a receipt")
        }
        var receipt = JobReceipts.receipt(of: record)
        if record.kind == .campaign, let known = try await keeper.refresh(job: record.id) {
            receipt = known
        } else {
            try context.spool.write(receipt, to: first)
        }
        if claim.receiptName != first.text {
            receipt.firstReceipt = first.text
            try context.spool.write(receipt, to: try await reserve(claim.receiptName, owner: claim.id))
        }
        report(try context.spool.discard(claim))
        context.journal.note(
            .info, .accepted, "job \(record.id) came again (\(record.repeats)): nothing is done twice",
            fields.merging(["RECEIPT": first.text, "DROP": "\(claim.name)"]) { $1 })
    }

    func tellAccepted(_ job: Job, claim: ClaimedDrop, receipt: ReceiptName) {
        let fields = ["RECEIPT": receipt.text, "DROP": "\(claim.name)", "KIND": job.kind.rawValue]
        context.journal.note(
            .info, .accepted, "drop \(claim.name) is accepted as \(job.kind.rawValue) job \(job.id)",
            job.journalFields.merging(fields) { $1 })
    }

    func reject(
        _ claim: ClaimedDrop, errors: [JobError], id: String?, kind: String?, sha256: String? = nil,
        name: ReceiptName? = nil, fields: [String: String]? = nil
    ) async throws {
        // It may have been begun before a restart, and be judged otherwise now: a rejected job reserves no id.
        if let begun = try await context.ledger.job(claimedAs: claim.id), !begun.isFinished { try await forget(begun) }
        var receipt = Receipt(job: id, kind: kind, state: .rejected)
        receipt.errors = errors
        receipt.sha256 = sha256
        var name = name
        if name == nil { name = try await reserve(claim.receiptName, owner: claim.id) }
        guard let name else { throw LedgerError.conflict("the drop \(claim.name) has no receipt") }
        try context.spool.write(receipt, to: name, durable: true)
        try context.spool.reject(claim, receipt: receipt, as: name)
        context.meters.job(isAccepted: false)
        let first = errors.first.map { "\($0.file): \($0.message)" } ?? ""
        context.journal.note(
            .notice, .rejected, "drop \(claim.name) is rejected: \(first)",
            (fields ?? Intake.fields(id: id, kind: kind)).merging(
                ["RECEIPT": name.text, "ERRORS": "\(errors.count)", "DROP": "\(claim.name)"]) { $1 })
    }

    /// What is known of a job that could not be read: of a control job not which campaign it is about.
    private static func fields(id: String?, kind: String?) -> [String: String] {
        guard let id else { return [:] }
        return kind == Job.Kind.control.rawValue ? ["JOB": id] : ["JOB": id, "CAMPAIGN": id]
    }

    func reserve(_ name: String, owner: String) async throws -> ReceiptName {
        let taken = try await context.ledger.receipts(like: name, exceptOf: owner)
        return try context.spool.reserveReceipt(name, owner: owner, isTaken: { taken.contains($0.text) })
    }

    func report(_ leftover: SpoolError?) {
        if let leftover { fail("\(leftover)") }
    }

    func fail(_ message: String) {
        context.journal.note(.error, .spoolTrouble, message)
    }

    /// For trouble that keeps a loop from its work until it is gone: the status says so too.
    func hindered(_ loop: String, by why: String, about subject: String, _ fields: [String: String]) {
        context.progress.hindered(loop, by: why)
        fail(why, about: subject, fields)
    }

    /// For trouble that is tried again soon.
    private func fail(_ message: String, about subject: String, _ fields: [String: String]) {
        context.journal.noteSeldom(
            .error, .spoolTrouble, message, fields, now: context.clocks.boot, about: subject)
    }
}

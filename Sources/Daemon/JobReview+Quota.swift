import Ledger
import Mailing
import Spool

/// The most recipients that a campaign of somebody may have.
struct RecipientLimit: Sendable {
    var count: Int
    /// Of the table that says so.
    var table: String

    var message: String {
        "a campaign of this user has at most \(count) recipients ([submitters.\(table)] recipients): divide the list, "
            + "or ask the administrator"
    }
}

/// How much may be under way. Of several tables that permit a job the widest quota counts.
extension JobReview {
    /// Nil for whoever has no quota.
    var recipientLimit: RecipientLimit? {
        permits.max { $0.quota.recipients < $1.quota.recipients }
            .map { RecipientLimit(count: $0.quota.recipients, table: $0.name) }
    }

    /// Whether it counts at all: consent and control jobs are done as they come, and a withdrawal must never be refused
    /// for want of room.
    func needsQuota(_ job: Job) -> Bool {
        guard !permits.isEmpty else { return false }
        switch job {
        case .campaign, .contacts: return true
        case .consent, .control: return false
        }
    }

    /// - Parameter pending: What the same user has under way already, without this job.
    mutating func checkQuota(_ pending: PendingWork) {
        if let table = permits.max(by: { $0.quota.pendingJobs < $1.quota.pendingJobs }),
            pending.jobs >= table.quota.pendingJobs
        {
            refuse(
                "\(who) has \(pending.jobs) jobs that have not ended, and \(table.quota.pendingJobs) are allowed "
                    + "([submitters.\(table.name)] pending_jobs): drop this one again when one of them has ended",
                pointer: "")
        }
        guard let table = permits.max(by: { $0.quota.pendingBytes < $1.quota.pendingBytes }) else { return }
        let limit = table.quota.pendingBytes
        let key = "([submitters.\(table.name)] pending_bytes)"
        if bytes > limit {
            refuse("it has \(bytes) bytes, and \(who) may have \(limit) under way \(key): make it smaller", pointer: "")
        } else if bytes > limit - pending.bytes {
            refuse(
                "\(who) has \(pending.bytes) bytes in jobs that have not ended, this one has \(bytes), and \(limit) "
                    + "are allowed \(key): drop it again when one of them has ended", pointer: "")
        }
    }

    /// Of all files of the drop.
    var bytes: Int64 { inspection.files.reduce(0) { $0 + $1.size } }
}

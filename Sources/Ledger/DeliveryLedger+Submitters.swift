import GRDB

/// Jobs that have not ended: of contacts and campaigns, because all others end as they come.
package struct PendingWork: Sendable, Equatable {
    package var jobs: Int
    /// Of the copies that are kept of their drops.
    package var bytes: Int64

    package init(jobs: Int, bytes: Int64) {
        self.jobs = jobs
        self.bytes = bytes
    }
}

extension DeliveryLedger {
    /// What one user has dropped that has not ended: is not worked on yet, or is a campaign that is not over.
    package func pendingWork(of submitter: UInt32) throws(LedgerError) -> PendingWork {
        try read { try Self.pendingWork($0, of: submitter) }
    }

    static func pendingWork(_ database: Database, of submitter: UInt32) throws -> PendingWork {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT count(*), coalesce(sum(bytes), 0) FROM (
                  SELECT bytes FROM jobs WHERE finished = 0 AND submitter = ?1
                  UNION ALL
                  SELECT j.bytes FROM campaigns c INDEXED BY open_campaigns CROSS JOIN jobs j ON j.id = c.job
                  WHERE c.state NOT IN ('finished', 'cancelled', 'expired') AND j.finished = 1 AND j.submitter = ?1
                )
                """,
            arguments: [Int64(submitter)])
        guard let row else { return PendingWork(jobs: 0, bytes: 0) }
        return PendingWork(jobs: row[0], bytes: row[1])
    }
}

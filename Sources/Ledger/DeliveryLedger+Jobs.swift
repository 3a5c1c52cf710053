import Foundation
import GRDB
package import Mailing

/// A job as the ledger remembers it, for ever.
package struct JobRecord: Sendable, Equatable {
    package var id: JobID
    package var kind: Job.Kind
    package var sha256: String
    /// The name under which its receipt stands.
    package var receipt: String
    /// Of the drop that it was accepted from: tells a crash from a repeat.
    package var claim: String
    package var acceptedAt: Timestamp
    package var isFinished: Bool
    package var repeats: Int
    /// What became of the rows of a contacts or consent job.
    package var registered: [String: Int]
    package var warnings: [String]
    /// The user that dropped it; nil where that was not recorded yet.
    package var submitter: UInt32?
}

extension DeliveryLedger {
    package func job(_ id: JobID) throws(LedgerError) -> JobRecord? {
        try read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [id.text]).map(Self.jobRecord)
        }
    }

    /// Jobs that were begun and not ended: what a restart goes on with.
    package func unfinishedJobs() throws(LedgerError) -> [JobRecord] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM jobs WHERE finished = 0 ORDER BY accepted_at, id")
                .map(Self.jobRecord)
        }
    }

    /// Remembers a job before its work begins. A job of that id must not exist.
    ///
    /// - Parameters:
    ///   - submitter: The user that dropped it.
    ///   - bytes: Of what is kept of its drop.
    package func begin(
        job: Job, sha256: String, receipt: String, claim: String, submitter: UInt32? = nil, bytes: Int64 = 0,
        now: Timestamp
    ) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql: """
                    INSERT INTO jobs (id, kind, sha256, receipt, claim, accepted_at, submitter, bytes)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    job.id.text, job.kind.rawValue, sha256, receipt, claim, now.milliseconds,
                    submitter.map { Int64($0) }, bytes,
                ])
        }
    }

    /// Forgets a job that was begun and then found wrong: a rejected job reserves no id.
    package func forget(job id: JobID) throws(LedgerError) {
        try write { database in
            let number = try Int64.fetchOne(
                database, sql: "SELECT number FROM campaigns WHERE job = ?", arguments: [id.text])
            if let number { try Self.discardPlan(database, number: number) }
            try database.execute(sql: "DELETE FROM jobs WHERE id = ? AND finished = 0", arguments: [id.text])
        }
    }

    /// The job that was accepted from that claim; nil if there is none.
    package func job(claimedAs claim: String) throws(LedgerError) -> JobRecord? {
        try read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM jobs WHERE claim = ?", arguments: [claim])
                .map(Self.jobRecord)
        }
    }

    /// The names of receipts that belong to jobs and are NAME or NAME.2, NAME.3 …
    ///
    /// - Parameter claim: A claim whose own receipt does not count.
    package func receipts(like name: String, exceptOf claim: String) throws(LedgerError) -> Set<String> {
        try read { database in
            Set(
                try String.fetchAll(
                    database,
                    sql: """
                        SELECT receipt FROM jobs WHERE receipt = ?1 AND claim <> ?2
                        UNION
                        SELECT receipt FROM jobs WHERE receipt > ?1 || '.' AND receipt < ?1 || '/'
                          AND receipt GLOB ?1 || '.[0-9]*' AND claim <> ?2
                        """,
                    arguments: [name, claim]))
        }
    }

    /// One page of all jobs, for writing their receipts again.
    package func jobs(after id: String, limit: Int) throws(LedgerError) -> [JobRecord] {
        try read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM jobs WHERE id > ? AND finished = 1 ORDER BY id LIMIT ?",
                arguments: [id, limit]
            ).map(Self.jobRecord)
        }
    }

    /// Marks a job of rows as done, with what became of them.
    package func finish(
        job id: JobID, registered: [String: Int], warnings: [String]
    ) throws(LedgerError) {
        try write { try Self.finish($0, job: id, registered: registered, warnings: warnings) }
    }

    static func finish(_ database: Database, job id: JobID, registered: [String: Int], warnings: [String]) throws {
        try database.execute(
            sql: "UPDATE jobs SET finished = 1, registered = ?, warnings = ? WHERE id = ?",
            arguments: [try json(registered), try json(warnings), id.text])
    }

    /// Counts one more drop of the same job and returns its record.
    package func noteRepeat(job id: JobID) throws(LedgerError) -> JobRecord {
        try write { database in
            let row = try Row.fetchOne(
                database, sql: "UPDATE jobs SET repeats = repeats + 1 WHERE id = ? RETURNING *", arguments: [id.text])
            guard let row else { throw LedgerError.conflict("there is no job \(id)") }
            return try Self.jobRecord(row)
        }
    }

    static func jobRecord(_ row: Row) throws -> JobRecord {
        guard let id = JobID(row["id"]), let kind = Job.Kind(rawValue: row["kind"]) else {
            throw LedgerError.storage(reason: "a job's row is not readable")
        }
        let registered: String = row["registered"]
        let warnings: String = row["warnings"]
        return JobRecord(
            id: id, kind: kind, sha256: row["sha256"], receipt: row["receipt"], claim: row["claim"],
            acceptedAt: Timestamp(milliseconds: row["accepted_at"]), isFinished: row["finished"],
            repeats: row["repeats"],
            registered: try JSONDecoder().decode([String: Int].self, from: Data(registered.utf8)),
            warnings: try JSONDecoder().decode([String].self, from: Data(warnings.utf8)),
            submitter: (row["submitter"] as Int64?).flatMap { UInt32(exactly: $0) })
    }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

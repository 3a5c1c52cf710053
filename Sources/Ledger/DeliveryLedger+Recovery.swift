import Foundation
import GRDB
import Mailing

/// What the start found.
package struct Recovery: Sendable, Equatable {
    /// Deliveries that were in flight, and are uncertain now.
    package var uncertain = 0
    /// The relays on which they were.
    package var relays: Set<String> = []
    /// The ledger is older than the counter of intents beside it: it was restored from a copy.
    package var isRestored = false
}

extension DeliveryLedger {
    /// The whole recovery: every delivery still in flight becomes uncertain.
    ///
    /// Campaigns of a ledger that is older than the counter of intents are paused: what it shows as queued may have
    /// been sent since the copy was made.
    package func recover() throws(LedgerError) -> Recovery {
        let written = counter.read()
        return try write { database in
            var recovery = Recovery()
            let inFlight = try Row.fetchAll(
                database,
                sql: """
                    SELECT d.relay, d.is_test, d.contact, d.address_key, d.intent_at, c.basis, c.purpose, c.job
                    FROM deliveries d JOIN campaigns c ON c.number = d.campaign WHERE d.state = 'inFlight'
                    """)
            recovery.uncertain = inFlight.count
            recovery.relays = Set(inFlight.map { $0["relay"] })
            try database.execute(
                sql: """
                    UPDATE deliveries SET state = 'uncertain', reason = 'the daemon was stopped before the reply came'
                    WHERE state = 'inFlight'
                    """)
            for row in inFlight {
                try self.noteRequest(database, row, at: Timestamp(milliseconds: row["intent_at"]))
            }
            let known = try Int64.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'intents'") ?? 0
            guard known < written else { return recovery }
            recovery.isRestored = true
            try database.execute(sql: "UPDATE facts SET value = ? WHERE name = 'intents'", arguments: [written])
            try database.execute(sql: "INSERT INTO facts VALUES ('restored', 1) ON CONFLICT DO NOTHING")
            _ = try Self.pause(
                database, where: "true",
                because: "the ledger was restored from an older copy: what it shows as queued may have been sent", [])
            return recovery
        }
    }

    /// Whether the ledger was restored from an older copy and no person has said since that sending may go on.
    package func isRestored() throws(LedgerError) -> Bool {
        try read { database in
            try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM facts WHERE name = 'restored')") ?? false
        }
    }

    /// A request for consent that left, or may have left, makes the person one who was asked.
    func noteRequest(_ database: Database, _ row: Row, at moment: Timestamp) throws {
        guard row["basis"] as String == Campaign.Basis.consentRequest.rawValue, !(row["is_test"] as Bool),
            let contact: Int64 = row["contact"], let job = JobID(row["job"])
        else { return }
        let proof = ConsentProof(
            purpose: row["purpose"], source: "campaign \(job)", text: nil, at: moment, by: .system, job: job)
        let event = ConsentEvent(kind: .requested, by: .system, at: moment, recordedAt: moment)
        var chain = try ConsentChain(database, key: key)
        _ = try chain.record(event, contact: contact, addressKey: row["address_key"], proof: proof)
    }
}

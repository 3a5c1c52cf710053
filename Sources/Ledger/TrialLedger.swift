import Foundation
import GRDB
package import Mailing

/// A ledger that is looked at and never changed, and a plan beside it of which nothing is kept.
///
/// The plan is written by the statements that plan in earnest: temporary tables of this connection have the names of
/// those that a plan is written to, and SQLite takes these first. The connection can only read the ledger itself.
package actor TrialLedger {
    private let queue: DatabaseQueue
    private let key: LedgerKey

    /// The number of the campaign that is planned.
    package static let number: Int64 = 1

    /// Nil if there is no ledger, or this user may not read it and its key.
    package init?(path: String) throws(LedgerError) {
        guard access(path, R_OK) == 0, access(path + ".key", R_OK) == 0 else { return nil }
        key = try LedgerKey.load(path: path + ".key", mayCreate: false)
        queue = try LedgerReader.connect(path, label: "campaignctl.trial")
        do {
            let (key, path) = (self.key, path)
            try queue.inDatabase { database in
                let known = try String.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'key'")
                guard known == key.checkValue else { throw LedgerError.wrongKey(path: path + ".key") }
                try database.execute(sql: Self.tables)
            }
        } catch {
            throw LedgerReader.whyUnusable(error, path: path)
        }
    }

    private static let tables = """
        CREATE TEMP TABLE deliveries (
          campaign INTEGER, is_test INTEGER, address TEXT, address_key TEXT, contact INTEGER, relay TEXT, fields TEXT,
          state TEXT, reason TEXT, consent_event INTEGER, UNIQUE (campaign, is_test, address_key));
        CREATE TEMP TABLE set_asides (
          campaign INTEGER, ordinal INTEGER, address TEXT, reason TEXT, place TEXT, PRIMARY KEY (campaign, ordinal));
        CREATE TEMP TABLE tallies (
          campaign INTEGER, is_test INTEGER, state TEXT, reason TEXT, count INTEGER,
          PRIMARY KEY (campaign, is_test, state, reason));
        CREATE TEMP TABLE relay_tallies (
          campaign INTEGER, relay TEXT, is_test INTEGER, state TEXT, count INTEGER,
          PRIMARY KEY (campaign, relay, is_test, state));
        CREATE TEMP TABLE consent_tallies (
          campaign INTEGER, status TEXT, count INTEGER, PRIMARY KEY (campaign, status));
        """

    /// What the plan came to; test mails are not counted.
    package struct Outcome: Sendable, Equatable {
        package var counts = Receipt.Counts()
        /// By reason.
        package var withheld: [String: Int] = [:]
        /// By consent status, `external` among them.
        package var consent: [String: Int] = [:]
        /// What would be sent.
        package var backlog = Backlog()
    }

    /// - Parameter limited: The domains of which to count what would be sent, by relay.
    package func outcome(limited: [String: Set<String>] = [:]) throws(LedgerError) -> Outcome {
        try read { database in
            var outcome = Outcome()
            for row in try Row.fetchAll(database, sql: "SELECT state, reason, count FROM tallies WHERE is_test = 0") {
                let count: Int = row[2]
                outcome.counts.recipients += count
                if row[0] as String == Delivery.State.queued.rawValue {
                    outcome.counts.queued += count
                } else {
                    outcome.counts.withheld += count
                    outcome.withheld[row[1], default: 0] += count
                }
            }
            for row in try Row.fetchAll(database, sql: "SELECT status, count FROM consent_tallies") {
                outcome.consent[row[0]] = row[1]
            }
            outcome.backlog = try Self.backlog(database, limited: limited)
            return outcome
        }
    }

    /// Looks at all once: there is no index by domain.
    private static func backlog(_ database: Database, limited: [String: Set<String>]) throws -> Backlog {
        var backlog = try DeliveryLedger.backlog(database, campaign: number, limited: [:])
        guard !limited.isEmpty else { return backlog }
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT relay, \(DeliveryLedger.domainSQL), count(*) FROM deliveries
                WHERE is_test = 0 AND state = 'queued' GROUP BY 1, 2
                """)
        while let row = try rows.next() {
            let (relay, domain): (String, String) = (row[0], row[1])
            if limited[relay]?.contains(domain) == true { backlog.domains[relay, default: [:]][domain] = row[2] }
        }
        return backlog
    }

    package func job(_ id: JobID) throws(LedgerError) -> JobRecord? {
        try read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [id.text])
                .map(DeliveryLedger.jobRecord)
        }
    }

    /// As `DeliveryLedger.pendingWork`.
    package func pendingWork(of submitter: UInt32) throws(LedgerError) -> PendingWork {
        try read { try DeliveryLedger.pendingWork($0, of: submitter) }
    }

    /// As `DeliveryLedger.holdOnNew`.
    package func holdOnNew() throws(LedgerError) -> Recovery.Hold? {
        try read { try DeliveryLedger.holdOnNew($0) }
    }

    package func twin(fingerprint: String, since: Timestamp, otherThan job: JobID) throws(LedgerError) -> String? {
        try read { try DeliveryLedger.twin($0, fingerprint: fingerprint, since: since, otherThan: job) }
    }

    package func groupExists(_ name: String) throws(LedgerError) -> Bool {
        try read { try DeliveryLedger.groupExists($0, name) }
    }

    package func members(
        ofGroup name: String, after contact: Int64, limit: Int
    ) throws(LedgerError) -> [(contact: Int64, address: EmailAddress)] {
        try read { try DeliveryLedger.members($0, ofGroup: name, after: contact, limit: limit) }
    }

    /// What is known of a contact for templates, and the groups that it is in; nil if the address is no contact's.
    package func contact(_ address: EmailAddress) throws(LedgerError) -> (
        fields: [String: String], groups: Set<String>
    )? {
        try read { database in
            let found = try Int64.fetchOne(
                database, sql: "SELECT id FROM contacts WHERE address_key = ?", arguments: [address.key])
            guard let found else { return nil as (fields: [String: String], groups: Set<String>)? }
            let groups = try String.fetchAll(
                database,
                sql: """
                    SELECT g.name FROM memberships m JOIN contact_groups g ON g.id = m.contact_group
                    WHERE m.contact = ?
                    """,
                arguments: [found])
            return (try DeliveryLedger.contactFields(database, contact: found), Set(groups))
        }
    }

    /// As `DeliveryLedger.plan`.
    package func plan(
        _ recipients: [PlannedRecipient], campaign number: Int64, plan: CampaignPlan, isTest: Bool,
        isComplete: @Sendable ([String: String]) -> Bool
    ) throws(LedgerError) {
        let key = self.key
        try write { database in
            var batch = try PlanningBatch(database, number: number, plan: plan, isTest: isTest, key: key)
            for recipient in recipients { try batch.add(recipient, isComplete: isComplete) }
            try batch.finish()
        }
    }

    /// As `DeliveryLedger.setAside`.
    package func setAside(_ rows: [SetAside], campaign number: Int64) throws(LedgerError) {
        try write { database in
            for row in rows { try DeliveryLedger.insert(database, setAside: row, number: number) }
        }
    }

    private func write(_ verb: (Database) throws -> Void) throws(LedgerError) {
        do {
            try queue.inDatabase { database in
                try database.inTransaction(.deferred) {
                    try verb(database)
                    return .commit
                }
            }
        } catch {
            throw .wrapping(error)
        }
    }

    func read<Value>(_ question: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.inDatabase(question)
        } catch {
            throw .wrapping(error)
        }
    }
}

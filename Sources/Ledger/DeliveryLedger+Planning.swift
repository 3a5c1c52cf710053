import Foundation
import GRDB
package import Mailing

/// A person as a recipient list or a group names them, before anything was asked about them.
package struct PlannedRecipient: Sendable, Equatable {
    package var address: EmailAddress
    package var relay: String
    /// What the list says of this person; what it leaves out comes from the contact.
    package var fields: [String: String]
    /// Where in the drop this recipient stands, for the list of duplicates.
    package var place: String

    package init(address: EmailAddress, relay: String, fields: [String: String], place: String) {
        self.address = address
        self.relay = relay
        self.fields = fields
        self.place = place
    }
}

/// A row of a list that is no recipient, and why.
package struct SetAside: Sendable, Equatable {
    package var address: String
    package var reason: WithheldReason
    package var place: String

    package init(address: String, reason: WithheldReason, place: String) {
        self.address = address
        self.reason = reason
        self.place = place
    }
}

/// What the ledger has to know of a campaign besides its job.
package struct CampaignPlan: Sendable, Equatable {
    package var job: JobID
    package var basis: Campaign.Basis
    package var purpose: String
    /// Equal for two campaigns that differ in nothing but their id.
    package var fingerprint: String
    package var acceptedAt: Timestamp
    package var sendAfter: Timestamp?
    package var expires: Timestamp
    package var relays: [String]
    /// Messages to the asked are due for renewal when the request is older than this.
    package var renewalBefore: Timestamp
    /// When it may be sent; empty for at any time.
    package var windows: [SendingWindow]
    /// Who gets a mail with the result at the end; nil for nobody.
    package var reportTo: EmailAddress?

    package init(
        job: JobID, basis: Campaign.Basis, purpose: String, fingerprint: String, acceptedAt: Timestamp,
        sendAfter: Timestamp?, expires: Timestamp, relays: [String], renewalBefore: Timestamp,
        windows: [SendingWindow] = [], reportTo: EmailAddress? = nil
    ) {
        self.job = job
        self.basis = basis
        self.purpose = purpose
        self.fingerprint = fingerprint
        self.acceptedAt = acceptedAt
        self.sendAfter = sendAfter
        self.expires = expires
        self.relays = relays
        self.renewalBefore = renewalBefore
        self.windows = windows
        self.reportTo = reportTo
    }
}

extension DeliveryLedger {
    /// Begins the plan of a campaign, throwing away one that a crash left unfinished. Returns the campaign's number.
    package func beginPlan(_ plan: CampaignPlan) throws(LedgerError) -> Int64 {
        try write { database in
            let left = try Int64.fetchOne(
                database, sql: "SELECT number FROM campaigns WHERE job = ?", arguments: [plan.job.text])
            if let left { try Self.discardPlan(database, number: left) }
            try database.execute(
                sql: """
                    INSERT INTO campaigns
                      (job, state, basis, purpose, fingerprint, accepted_at, send_after, expires, relays, windows,
                       report_to)
                    VALUES (?, 'planning', ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    plan.job.text, plan.basis.rawValue, plan.purpose, plan.fingerprint, plan.acceptedAt.milliseconds,
                    plan.sendAfter?.milliseconds, plan.expires.milliseconds, plan.relays.joined(separator: " "),
                    plan.windows.isEmpty ? nil : plan.windows.map(\.stored).joined(separator: "\n"),
                    plan.reportTo?.text,
                ])
            return database.lastInsertedRowID
        }
    }

    /// Adds recipients, each with the answer of the consent ledger at this moment; one row a person.
    ///
    /// - Parameter isComplete: Whether a template finds all that it needs in these fields.
    package func plan(
        _ recipients: [PlannedRecipient], campaign number: Int64, plan: CampaignPlan, isTest: Bool,
        isComplete: ([String: String]) -> Bool
    ) throws(LedgerError) {
        guard !recipients.isEmpty else { return }
        let key = self.key
        try write { database in
            try Self.requirePlanning(database, number: number)
            var batch = try PlanningBatch(database, number: number, plan: plan, isTest: isTest, key: key)
            for recipient in recipients {
                try batch.add(recipient, isComplete: isComplete)
            }
            try batch.finish()
        }
    }

    /// Keeps rows that are no recipients, for the receipt.
    package func setAside(_ rows: [SetAside], campaign number: Int64) throws(LedgerError) {
        guard !rows.isEmpty else { return }
        try write { database in
            try Self.requirePlanning(database, number: number)
            for row in rows { try Self.insert(database, setAside: row, number: number) }
        }
    }

    /// Instant 1: from here on the campaign exists.
    package func commitPlan(
        campaign number: Int64, job: JobID, state: CampaignState, because: String?, warnings: [String]
    ) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql: "UPDATE campaigns SET state = ?, because = ? WHERE number = ? AND state = 'planning'",
                arguments: [state.rawValue, because, number])
            guard database.changesCount == 1 else { throw LedgerError.conflict("campaign \(job) is not being planned") }
            try database.execute(
                sql: """
                    UPDATE jobs SET finished = 1, warnings = ? WHERE id = ?
                      AND id = (SELECT job FROM campaigns WHERE number = ?)
                    """,
                arguments: [try Self.json(warnings), job.text, number])
            guard database.changesCount == 1 else {
                throw LedgerError.conflict("campaign \(number) is not of job \(job)")
            }
        }
    }

    /// The id of a campaign that is equal in all but its id and was accepted since that moment; nil if there is none.
    package func twin(fingerprint: String, since: Timestamp, otherThan job: JobID) throws(LedgerError) -> String? {
        try read { try Self.twin($0, fingerprint: fingerprint, since: since, otherThan: job) }
    }

    static func twin(
        _ database: Database, fingerprint: String, since: Timestamp, otherThan job: JobID
    ) throws -> String? {
        try String.fetchOne(
            database,
            sql: """
                SELECT job FROM campaigns WHERE fingerprint = ? AND accepted_at >= ? AND job <> ?
                  AND state NOT IN ('planning', 'cancelled') ORDER BY number LIMIT 1
                """,
            arguments: [fingerprint, since.milliseconds, job.text])
    }

    /// One page of the members of a group, in the order in which they were registered.
    package func members(
        ofGroup name: String, after contact: Int64, limit: Int
    ) throws(LedgerError) -> [(contact: Int64, address: EmailAddress)] {
        try read { try Self.members($0, ofGroup: name, after: contact, limit: limit) }
    }

    static func members(
        _ database: Database, ofGroup name: String, after contact: Int64, limit: Int
    ) throws -> [(contact: Int64, address: EmailAddress)] {
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT c.id, c.address, c.address_key FROM memberships m JOIN contacts c ON c.id = m.contact
                WHERE m.contact_group = (SELECT id FROM contact_groups WHERE name = ?) AND m.contact > ?
                ORDER BY m.contact LIMIT ?
                """,
            arguments: [name, contact, limit])
        var members: [(contact: Int64, address: EmailAddress)] = []
        while let row = try rows.next() {
            members.append((row[0], EmailAddress(stored: row[1], key: row[2])))
        }
        return members
    }

    package func groupExists(_ name: String) throws(LedgerError) -> Bool {
        try read { try Self.groupExists($0, name) }
    }

    static func groupExists(_ database: Database, _ name: String) throws -> Bool {
        try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM contact_groups WHERE name = ?)", arguments: [name]) ?? false
    }

    static func insert(_ database: Database, setAside row: SetAside, number: Int64) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO set_asides SELECT ?1, coalesce(max(ordinal), 0) + 1, ?2, ?3, ?4
                FROM set_asides WHERE campaign = ?1
                """)
        try statement.execute(arguments: [number, row.address, row.reason.rawValue, row.place])
        try tally(database, number: number, isTest: false, state: "setAside", reason: row.reason.rawValue, by: 1)
    }

    static func tally(
        _ database: Database, number: Int64, isTest: Bool, state: String, reason: String, by count: Int
    ) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO tallies VALUES (?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET count = count + excluded.count
                """
        ).execute(arguments: [number, isTest, state, reason, count])
    }

    /// A plan that was committed is neither added to nor thrown away.
    private static func requirePlanning(_ database: Database, number: Int64) throws {
        let state = try String.fetchOne(
            database.cachedStatement(sql: "SELECT state FROM campaigns WHERE number = ?"), arguments: [number])
        guard state == CampaignState.planning.rawValue else {
            throw LedgerError.conflict("campaign \(number) is not being planned any more")
        }
    }

    static func discardPlan(_ database: Database, number: Int64) throws {
        try requirePlanning(database, number: number)
        // In pieces, because SQLite keeps what one statement changed in memory.
        repeat {
            try database.execute(
                sql: """
                    DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE campaign = ? LIMIT 5000)
                    """,
                arguments: [number])
        } while database.changesCount > 0
        for table in ["set_asides", "tallies", "relay_tallies", "consent_tallies"] {
            try database.execute(sql: "DELETE FROM \(table) WHERE campaign = ?", arguments: [number])
        }
        try database.execute(sql: "DELETE FROM campaigns WHERE number = ?", arguments: [number])
    }
}

/// Inserts the recipients of one transaction; keeps its statements and counts together.
struct PlanningBatch {
    private let database: Database
    private let number: Int64
    private let plan: CampaignPlan
    private let isTest: Bool
    private let key: LedgerKey
    private let isAnybodySuppressed: Bool
    private let lookUp: Statement
    private let insert: Statement
    private let suppressed: Statement
    private var states: [String: Int] = [:]
    private var relays: [String: [Delivery.State: Int]] = [:]
    private var consents: [String: Int] = [:]

    init(_ database: Database, number: Int64, plan: CampaignPlan, isTest: Bool, key: LedgerKey) throws {
        self.database = database
        self.number = number
        self.plan = plan
        self.isTest = isTest
        self.key = key
        isAnybodySuppressed =
            try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM suppressions)") ?? false
        suppressed = try database.cachedStatement(sql: "SELECT 1 FROM suppressions WHERE subject = ?")
        lookUp = try database.cachedStatement(
            sql: """
                SELECT c.id, s.status, s.event, e.recorded_at
                FROM contacts c
                LEFT JOIN consent_status s ON s.contact = c.id AND s.purpose = ?
                LEFT JOIN consent_events e ON e.number = s.event AND s.status = 'awaiting'
                WHERE c.address_key = ?
                """)
        insert = try database.cachedStatement(
            sql: """
                INSERT INTO deliveries
                  (campaign, is_test, address, address_key, contact, relay, fields, state, reason, consent_event)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """)
    }

    mutating func add(_ recipient: PlannedRecipient, isComplete: ([String: String]) -> Bool) throws {
        let rows = try Row.fetchCursor(lookUp, arguments: [plan.purpose, recipient.address.key])
        let row = try rows.next()
        let contact: Int64? = row?[0]
        let standing = RecipientStanding(
            isContact: contact != nil, status: (row?[1] as String?).flatMap(ConsentStatus.init) ?? .notAsked,
            isSuppressed: try isSuppressed(recipient.address.key),
            isDueForRenewal: (row?[3] as Int64?).map { $0 < plan.renewalBefore.milliseconds } ?? false)
        var objection =
            isTest
            ? TestMail.objection(isSuppressed: standing.isSuppressed) : standing.objection(basis: plan.basis)
        if objection == nil, !isComplete(recipient.fields) {
            let known = try contact.map { try DeliveryLedger.contactFields(database, contact: $0) } ?? [:]
            let all = known.merging(recipient.fields) { _, own in own }
            if !isComplete(all) { objection = .missingField }
        }
        let state = objection == nil ? Delivery.State.queued : .withheld
        let event: Int64? = isTest || plan.basis == .service ? nil : row?[2]
        try insert.execute(arguments: [
            number, isTest, recipient.address.text, recipient.address.key, contact, recipient.relay,
            FieldsText.encode(recipient.fields), state.rawValue, objection?.rawValue, event,
        ])
        guard database.changesCount == 1 else {
            guard !isTest else { return }
            let aside = SetAside(address: recipient.address.text, reason: .duplicate, place: recipient.place)
            return try DeliveryLedger.insert(database, setAside: aside, number: number)
        }
        states[objection?.rawValue ?? "", default: 0] += 1
        relays[recipient.relay, default: [:]][state, default: 0] += 1
        if !isTest { consents[standing.consentWord, default: 0] += 1 }
    }

    func finish() throws {
        for (reason, count) in states {
            let state = reason.isEmpty ? Delivery.State.queued : .withheld
            try DeliveryLedger.tally(
                database, number: number, isTest: isTest, state: state.rawValue, reason: reason, by: count)
        }
        for (relay, counts) in relays {
            for (state, count) in counts {
                try database.cachedStatement(
                    sql: """
                        INSERT INTO relay_tallies VALUES (?, ?, ?, ?, ?)
                        ON CONFLICT DO UPDATE SET count = count + excluded.count
                        """
                ).execute(arguments: [number, relay, isTest, state.rawValue, count])
            }
        }
        for (status, count) in consents {
            try database.cachedStatement(
                sql: """
                    INSERT INTO consent_tallies VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET count = count + excluded.count
                    """
            ).execute(arguments: [number, status, count])
        }
    }

    private func isSuppressed(_ addressKey: String) throws -> Bool {
        guard isAnybodySuppressed else { return false }
        return try Int.fetchOne(suppressed, arguments: [Data(key.subject(addressKey))]) != nil
    }
}

import Foundation
import GRDB
package import Mailing

/// A contact as a list registers it.
package struct ContactEntry: Sendable, Equatable {
    package var address: EmailAddress
    package var name: String?
    package var language: String?
    package var number: String?
    package var attributes: [String: String]
    /// What the list says about consent; nil where it says nothing.
    package var answer: ConsentEvent.Kind?

    package init(
        address: EmailAddress, name: String?, language: String?, number: String?, attributes: [String: String],
        answer: ConsentEvent.Kind?
    ) {
        self.address = address
        self.name = name
        self.language = language
        self.number = number
        self.attributes = attributes
        self.answer = answer
    }
}

/// What proves a consent event besides the event itself.
package struct ConsentProof: Sendable, Equatable {
    package var purpose: String
    package var source: String
    package var text: String?
    package var at: Timestamp
    package var by: ConsentEvent.Actor
    package var job: JobID

    package init(
        purpose: String, source: String, text: String?, at: Timestamp, by: ConsentEvent.Actor, job: JobID
    ) {
        self.purpose = purpose
        self.source = source
        self.text = text
        self.at = at
        self.by = by
        self.job = job
    }
}

/// What one batch did.
package struct RegistrationCounts: Sendable, Equatable {
    package var added = 0
    package var updated = 0
    /// Consent statuses that changed, by the status they became.
    package var statuses: [String: Int] = [:]
    /// Answers that changed nothing: the same again, or a yes against an earlier no.
    package var withoutEffect = 0

    package init() {}

    /// As the receipt of a consent job counts them.
    fileprivate func words(events: Int) -> [String: Int] {
        statuses.merging(["events": events, "added": added, "withoutEffect": withoutEffect]) { $1 }
    }
}

extension DeliveryLedger {
    /// Registers contacts, and with them what the list proves of their consent, in one transaction.
    package func register(
        _ contacts: [ContactEntry], group: String?, proof: ConsentProof?, now: Timestamp
    ) throws(LedgerError) -> RegistrationCounts {
        let key = self.key
        return try write { database in
            var counts = RegistrationCounts()
            var chain = try ConsentChain(database, key: key)
            let groupID = try group.map { try Self.groupID(database, name: $0) }
            for entry in contacts {
                let (contact, isNew) = try Self.upsert(database, entry, now: now)
                if isNew { counts.added += 1 } else { counts.updated += 1 }
                if let groupID {
                    try database.cachedStatement(sql: "INSERT INTO memberships VALUES (?, ?) ON CONFLICT DO NOTHING")
                        .execute(arguments: [groupID, contact])
                }
                guard let proof, let answer = entry.answer else { continue }
                let event = ConsentEvent(kind: answer, by: proof.by, at: proof.at, recordedAt: now)
                let status = try chain.record(
                    event, contact: contact, isNew: isNew, addressKey: entry.address.key, proof: proof)
                if let status { counts.statuses[status.rawValue, default: 0] += 1 } else { counts.withoutEffect += 1 }
            }
            return counts
        }
    }

    /// Records single events and ends their job, all in one transaction. An address that is not registered becomes a
    /// contact by it.
    package func record(
        _ events: [ConsentJob.Entry], job: JobID, warnings: [String] = [], now: Timestamp
    ) throws(LedgerError) -> RegistrationCounts {
        let key = self.key
        return try write { database in
            var counts = RegistrationCounts()
            var chain = try ConsentChain(database, key: key)
            for entry in events {
                let blank = ContactEntry(
                    address: entry.address, name: nil, language: nil, number: nil, attributes: [:], answer: nil)
                let (contact, isNew) = try Self.upsert(database, blank, now: now)
                if isNew { counts.added += 1 }
                let event = ConsentEvent(kind: entry.event, by: entry.by, at: entry.at, recordedAt: now)
                let proof = ConsentProof(
                    purpose: entry.purpose, source: entry.source, text: entry.text, at: entry.at, by: entry.by, job: job
                )
                let status = try chain.record(
                    event, contact: contact, isNew: isNew, addressKey: entry.address.key, proof: proof)
                if let status { counts.statuses[status.rawValue, default: 0] += 1 } else { counts.withoutEffect += 1 }
            }
            try Self.finish(
                database, job: job, registered: counts.words(events: events.count), warnings: warnings)
            return counts
        }
    }

    /// The status of one address for a purpose; nil if it is no registered contact.
    package func consentStatus(_ address: EmailAddress, purpose: String) throws(LedgerError) -> ConsentStatus? {
        try read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT s.status FROM contacts c
                    LEFT JOIN consent_status s ON s.contact = c.id AND s.purpose = ? WHERE c.address_key = ?
                    """,
                arguments: [purpose, address.key])
            return row.map { ($0[0] as String?).flatMap(ConsentStatus.init) ?? .notAsked }
        }
    }

    private static func groupID(_ database: Database, name: String) throws -> Int64 {
        try database.execute(
            sql: "INSERT INTO contact_groups (name) VALUES (?) ON CONFLICT DO NOTHING", arguments: [name])
        return try Int64.fetchOne(
            database, sql: "SELECT id FROM contact_groups WHERE name = ?", arguments: [name]) ?? 0
    }

    /// Adds a contact, or lets what the list says replace what was known; what it leaves out stays.
    private static func upsert(
        _ database: Database, _ entry: ContactEntry, now: Timestamp
    ) throws -> (contact: Int64, isNew: Bool) {
        let select = try database.cachedStatement(sql: "SELECT id FROM contacts WHERE address_key = ?")
        let attributes = FieldsText.encode(entry.attributes)
        if let id = try Int64.fetchOne(select, arguments: [entry.address.key]) {
            try database.cachedStatement(
                sql: """
                    UPDATE contacts SET name = coalesce(?, name), language = coalesce(?, language),
                      number = coalesce(?, number),
                      attributes = CASE WHEN ?4 IS NULL THEN attributes
                        ELSE json_patch(coalesce(attributes, '{}'), ?4) END
                    WHERE id = ?5
                    """
            ).execute(arguments: [entry.name, entry.language, entry.number, attributes, id])
            return (id, false)
        }
        try database.cachedStatement(
            sql: """
                INSERT INTO contacts (address, address_key, name, language, number, attributes, registered_at)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            entry.address.text, entry.address.key, entry.name, entry.language, entry.number, attributes,
            now.milliseconds,
        ])
        return (database.lastInsertedRowID, true)
    }

    /// All that templates may use of a contact.
    static func contactFields(_ database: Database, contact: Int64) throws -> [String: String] {
        let rows = try Row.fetchCursor(
            database.cachedStatement(sql: "SELECT name, language, number, attributes FROM contacts WHERE id = ?"),
            arguments: [contact])
        guard let row = try rows.next() else { return [:] }
        var fields = try FieldsText.decode(row[3])
        for (index, column) in ["name", "language", "number"].enumerated() {
            if let value: String = row[index] { fields[column] = value }
        }
        return fields
    }
}

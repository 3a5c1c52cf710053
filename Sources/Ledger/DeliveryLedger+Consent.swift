import Crypto
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
}

extension DeliveryLedger {
    /// Registers contacts, and with them what the list proves of their consent, in one transaction.
    package func register(
        _ contacts: [ContactEntry], group: String?, proof: ConsentProof?, now: Timestamp
    ) throws(LedgerError) -> RegistrationCounts {
        try write { database in
            var counts = RegistrationCounts()
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
                let status = try self.record(
                    database, event, contact: contact, addressKey: entry.address.key, proof: proof)
                if let status { counts.statuses[status.rawValue, default: 0] += 1 } else { counts.withoutEffect += 1 }
            }
            return counts
        }
    }

    /// Records single events, all in one transaction. An address that is not registered becomes a contact by it.
    package func record(
        _ events: [ConsentJob.Entry], job: JobID, now: Timestamp
    ) throws(LedgerError) -> RegistrationCounts {
        try write { database in
            var counts = RegistrationCounts()
            for entry in events {
                let blank = ContactEntry(
                    address: entry.address, name: nil, language: nil, number: nil, attributes: [:], answer: nil)
                let (contact, isNew) = try Self.upsert(database, blank, now: now)
                if isNew { counts.added += 1 }
                let event = ConsentEvent(kind: entry.event, by: entry.by, at: entry.at, recordedAt: now)
                let proof = ConsentProof(
                    purpose: entry.purpose, source: entry.source, text: entry.text, at: entry.at, by: entry.by, job: job)
                let status = try self.record(
                    database, event, contact: contact, addressKey: entry.address.key, proof: proof)
                if let status { counts.statuses[status.rawValue, default: 0] += 1 } else { counts.withoutEffect += 1 }
            }
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

    /// Walks the chain of consent and returns the number of the first event whose hash does not fit; nil if all do.
    package func firstBrokenConsentEvent() throws(LedgerError) -> Int64? {
        try read { database in
            var previous = Data(count: 32)
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT e.*, c.address_key, s.text AS source_text, t.text AS shown_text FROM consent_events e
                    JOIN contacts c ON c.id = e.contact JOIN consent_texts s ON s.id = e.source
                    LEFT JOIN consent_texts t ON t.id = e.text ORDER BY e.number
                    """)
            while let row = try rows.next() {
                let expected = Self.chainHash(
                    previous: previous, subject: self.key.subject(row["address_key"]),
                    parts: [
                        row["purpose"], row["kind"], row["actor"], "\(row["happened_at"] as Int64)",
                        "\(row["recorded_at"] as Int64)", row["source_text"], row["shown_text"] ?? "", row["job"],
                    ])
                let found: Data = row["hash"]
                guard found == expected else { return row["number"] }
                previous = found
            }
            return nil
        }
    }

    /// Appends an event to the chain and returns the status if the event changed it.
    private func record(
        _ database: Database, _ event: ConsentEvent, contact: Int64, addressKey: String, proof: ConsentProof
    ) throws -> ConsentStatus? {
        // After a crash a job begins anew: what it recorded already stands.
        let isRecorded = try Bool.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT EXISTS (SELECT 1 FROM consent_events WHERE contact = ? AND purpose = ? AND job = ?
                      AND kind = ? AND happened_at = ?)
                    """),
            arguments: [contact, proof.purpose, proof.job.text, event.kind.rawValue, event.at.milliseconds])
        if isRecorded == true { return nil }
        let row = try Row.fetchOne(
            database.cachedStatement(
                sql: "SELECT status, refused_since FROM consent_status WHERE contact = ? AND purpose = ?"),
            arguments: [contact, proof.purpose])
        let before: ConsentStatus = (row?[0] as String?).flatMap(ConsentStatus.init) ?? .notAsked
        var standing = ConsentStanding(
            status: before, refusedSince: (row?[1] as Int64?).map(Timestamp.init(milliseconds:)))
        standing.apply(event)
        let number = try append(database, event, contact: contact, addressKey: addressKey, proof: proof)
        // A later yes that changes nothing is newer evidence for the same status.
        guard standing.status != before || (standing.status == .accepted && Self.isYes(event.kind)) else { return nil }
        try database.cachedStatement(
            sql: """
                INSERT INTO consent_status VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
                SET status = excluded.status, refused_since = excluded.refused_since, event = excluded.event
                """
        ).execute(arguments: [
            contact, proof.purpose, standing.status.rawValue, standing.refusedSince?.milliseconds, number,
        ])
        return standing.status != before ? standing.status : nil
    }

    private static func isYes(_ kind: ConsentEvent.Kind) -> Bool {
        kind == .accepted || kind == .imported || kind == .renewed
    }

    private func append(
        _ database: Database, _ event: ConsentEvent, contact: Int64, addressKey: String, proof: ConsentProof
    ) throws -> Int64 {
        let previous =
            try Data.fetchOne(
                database.cachedStatement(sql: "SELECT hash FROM consent_events ORDER BY number DESC LIMIT 1"))
            ?? Data(count: 32)
        let source = try Self.textID(database, proof.source)
        let text = try proof.text.map { try Self.textID(database, $0) }
        let hash = Self.chainHash(
            previous: previous, subject: key.subject(addressKey),
            parts: [
                proof.purpose, event.kind.rawValue, event.by.rawValue, "\(event.at.milliseconds)",
                "\(event.recordedAt.milliseconds)", proof.source, proof.text ?? "", proof.job.text,
            ])
        try database.cachedStatement(
            sql: """
                INSERT INTO consent_events
                  (contact, purpose, kind, actor, happened_at, recorded_at, source, text, job, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            contact, proof.purpose, event.kind.rawValue, event.by.rawValue, event.at.milliseconds,
            event.recordedAt.milliseconds, source, text, proof.job.text, hash,
        ])
        return database.lastInsertedRowID
    }

    /// SHA-256 over the hash before it and all that the event says; the address enters as its keyed code, so that the
    /// chain can still be checked when the address is erased.
    private static func chainHash(previous: Data, subject: [UInt8], parts: [String]) -> Data {
        var hash = SHA256()
        hash.update(data: previous)
        hash.update(data: subject)
        for part in parts {
            hash.update(data: Array("\(part.utf8.count):".utf8))
            hash.update(data: Array(part.utf8))
        }
        return Data(hash.finalize())
    }

    private static func groupID(_ database: Database, name: String) throws -> Int64 {
        try database.execute(
            sql: "INSERT INTO contact_groups (name) VALUES (?) ON CONFLICT DO NOTHING", arguments: [name])
        return try Int64.fetchOne(
            database, sql: "SELECT id FROM contact_groups WHERE name = ?", arguments: [name]) ?? 0
    }

    private static func textID(_ database: Database, _ text: String) throws -> Int64 {
        let select = try database.cachedStatement(sql: "SELECT id FROM consent_texts WHERE text = ?")
        if let id = try Int64.fetchOne(select, arguments: [text]) { return id }
        try database.execute(sql: "INSERT INTO consent_texts (text) VALUES (?)", arguments: [text])
        return database.lastInsertedRowID
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
        let row = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT name, language, number, attributes FROM contacts WHERE id = ?"),
            arguments: [contact])
        guard let row else { return [:] }
        var fields = try FieldsText.decode(row["attributes"])
        for column in ["name", "language", "number"] {
            if let value: String = row[column] { fields[column] = value }
        }
        return fields
    }
}

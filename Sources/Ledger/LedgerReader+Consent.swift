import Foundation
import GRDB
package import Mailing

/// What is known of one person's will.
package struct ContactConsent: Sendable, Equatable {
    /// The status for one purpose.
    package struct Standing: Sendable, Equatable {
        package var purpose: String
        package var status: ConsentStatus
        /// When the event happened that made it so.
        package var since: Timestamp
        /// That event's number in the ledger.
        package var event: Int64
    }

    package var address: String
    package var registeredAt: Timestamp
    package var groups: [String]
    /// Purposes that are not listed were never asked for.
    package var standings: [Standing]
}

/// An event of somebody's history, as it was recorded.
package struct RecordedConsentEvent: Sendable, Equatable {
    package var number: Int64
    package var purpose: String
    package var event: ConsentEvent
    package var source: String
    /// What was shown or said; nil if that was not recorded.
    package var text: String?
    package var job: String
}

/// Why an address is sent nothing, whatever its consent.
package struct SuppressionRecord: Sendable, Equatable {
    /// `hardBounce`, `complaint` or `erasure`.
    package var reason: String
    package var since: Timestamp
}

extension LedgerReader {
    /// Nil if the address is no registered contact.
    package func consent(of address: EmailAddress) throws(LedgerError) -> ContactConsent? {
        try read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT id, address, registered_at FROM contacts WHERE address_key = ?",
                arguments: [address.key])
            guard let row else { return nil }
            let standings = try Row.fetchAll(
                database,
                sql: """
                    SELECT s.purpose, s.status, e.happened_at, s.event FROM consent_status s
                    JOIN consent_events e ON e.number = s.event WHERE s.contact = ? ORDER BY s.purpose
                    """, arguments: [row["id"] as Int64])
            let groups = try String.fetchAll(
                database,
                sql: """
                    SELECT g.name FROM memberships m JOIN contact_groups g ON g.id = m.contact_group
                    WHERE m.contact = ? ORDER BY g.name
                    """, arguments: [row["id"] as Int64])
            return ContactConsent(
                address: row["address"], registeredAt: Timestamp(milliseconds: row["registered_at"]), groups: groups,
                standings: try standings.map { standing in
                    guard let status = ConsentStatus(rawValue: standing[1]) else {
                        throw LedgerError.storage(reason: "a row of consent is not readable")
                    }
                    return ContactConsent.Standing(
                        purpose: standing[0], status: status, since: Timestamp(milliseconds: standing[2]),
                        event: standing[3])
                })
        }
    }

    /// All that was ever recorded about an address, the oldest first.
    package func consentHistory(of address: EmailAddress) throws(LedgerError) -> [RecordedConsentEvent] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT e.number, e.purpose, e.kind, e.actor, e.happened_at, e.recorded_at, s.text AS source,
                      t.text, e.job FROM consent_events e
                    JOIN contacts c ON c.id = e.contact JOIN consent_texts s ON s.id = e.source
                    LEFT JOIN consent_texts t ON t.id = e.text WHERE c.address_key = ? ORDER BY e.number
                    """, arguments: [address.key]
            ).map(Self.event)
        }
    }

    private static func event(_ row: Row) throws -> RecordedConsentEvent {
        guard let kind = ConsentEvent.Kind(rawValue: row["kind"]),
            let actor = ConsentEvent.Actor(rawValue: row["actor"])
        else { throw LedgerError.storage(reason: "an event of consent is not readable") }
        let event = ConsentEvent(
            kind: kind, by: actor, at: Timestamp(milliseconds: row["happened_at"]),
            recordedAt: Timestamp(milliseconds: row["recorded_at"]))
        return RecordedConsentEvent(
            number: row["number"], purpose: row["purpose"], event: event, source: row["source"], text: row["text"],
            job: row["job"])
    }

    /// Nil if nothing but consent decides about the address. Needs the key beside the ledger.
    package func suppression(of address: EmailAddress) throws(LedgerError) -> SuppressionRecord? {
        let key = try key()
        return try read { database in
            try Row.fetchOne(
                database, sql: "SELECT reason, since FROM suppressions WHERE subject = ?",
                arguments: [Data(key.subject(address.key))]
            ).map { SuppressionRecord(reason: $0[0], since: Timestamp(milliseconds: $0[1])) }
        }
    }

    /// Walks the chain of consent and returns the number of the first event whose hash does not fit; nil if all do.
    /// Needs the key beside the ledger, and some seconds where there are millions of events.
    package func firstBrokenConsentEvent() throws(LedgerError) -> Int64? {
        let key = try key()
        return try read { try ConsentChain.firstBroken($0, key: key) }
    }
}

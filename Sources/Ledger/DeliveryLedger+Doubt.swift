import Foundation
import GRDB
package import Mailing

/// A delivery in doubt, with what it takes to look for it elsewhere.
package struct OpenDoubt: Sendable, Equatable {
    package var delivery: Int64
    package var campaign: Int64
    package var job: JobID
    package var relay: String
    package var messageID: String
    /// When its latest intent was recorded; the dot was written after this, if it was.
    package var intendedAt: Timestamp
    /// The port of this machine from which the session went out; nil if it is not known.
    package var localPort: Int?
    package var address: EmailAddress
}

/// A doubt that ended.
package struct SettledDoubt: Sendable, Equatable {
    package var delivery: Int64
    package var campaign: Int64
    package var job: JobID
    package var address: EmailAddress
    package var settlement: Settlement
}

/// Why a control job could not settle anything.
package enum SettlementRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    case nothingUncertain
    /// Nobody of that address is uncertain in the campaign.
    case notUncertain(String)
    /// The reply to a dot is awaited just now; only what it leaves open is in doubt.
    case awaitsReply
    /// What has ended is not sent any more.
    case ended(CampaignState)

    package var description: String {
        switch self {
        case .ended(.held), .ended(.scheduled), .ended(.running), .ended(.paused):
            "the time of the campaign (“expires”) is over, so nothing of it is sent any more"
        case .nothingUncertain: "no delivery of this campaign is uncertain"
        case .notUncertain(let address): "no delivery to \(address) is uncertain in this campaign"
        case .awaitsReply: "the relay's reply is awaited just now; drop this again, under another id, in some minutes"
        case .ended(.finished): "the time of the campaign (“expires”) is over, so nothing of it is sent any more"
        case .ended(let state):
            "the campaign is \(state.rawValue), so nothing of it is sent any more; “as”: “sent” is possible"
        }
    }
}

extension DeliveryLedger {
    /// Deliveries of a relay in doubt that nobody has looked into to the end, in the order of their numbers.
    package func openDoubts(relay: String, after id: Int64, limit: Int) throws(LedgerError) -> [OpenDoubt] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT d.id, d.campaign, d.relay, d.message_id, d.intent_at, d.local_port, d.address, d.address_key,
                      c.job FROM deliveries d JOIN campaigns c ON c.number = d.campaign
                    WHERE d.relay = ? AND d.state = 'uncertain' AND d.examined = 0 AND d.key_until IS NULL AND d.id > ?
                    ORDER BY d.id LIMIT ?
                    """, arguments: [relay, id, limit]
            ).map { row in
                guard let job = JobID(row["job"]) else {
                    throw LedgerError.storage(reason: "a campaign's row is not readable")
                }
                return OpenDoubt(
                    delivery: row["id"], campaign: row["campaign"], job: job, relay: row["relay"],
                    messageID: row["message_id"], intendedAt: Timestamp(milliseconds: row["intent_at"]),
                    localPort: row["local_port"], address: EmailAddress(stored: row["address"], key: row["address_key"])
                )
            }
        }
    }

    /// To whom a delivery goes, and for which campaign; nil if there is none of this number.
    package func addressee(of delivery: Int64) throws(LedgerError) -> (job: JobID, address: EmailAddress)? {
        try read { database in
            try Row.fetchOne(
                database,
                sql: """
                    SELECT d.id, d.campaign, d.address, d.address_key, c.job FROM deliveries d
                    JOIN campaigns c ON c.number = d.campaign WHERE d.id = ?
                    """, arguments: [delivery]
            ).map {
                let found = try Self.settled($0, as: .sent)
                return (found.job, found.address)
            }
        }
    }

    /// Whether the reply to the dot of this delivery is awaited, so that it may yet become uncertain.
    package func isInFlight(_ delivery: Int64) throws(LedgerError) -> Bool {
        try read { database in
            try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM deliveries WHERE id = ? AND state = 'inFlight')",
                arguments: [delivery]) ?? false
        }
    }

    /// Ends the doubt about one delivery by evidence. Nil, and nothing changes, if there is no doubt any more, or if it
    /// would have to be sent again and its campaign has ended.
    ///
    /// - Parameter intendedAt: The intent that the evidence is about; nil if it is about any of this delivery. Evidence
    ///   for one hand-over says nothing of a later one.
    package func settle(
        delivery id: Int64, intendedAt: Timestamp? = nil, as settlement: Settlement, by evidence: SettlementEvidence,
        now: Timestamp
    ) throws(LedgerError) -> SettledDoubt? {
        forgetPlaces()
        return try write { database in
            let row = try Row.fetchOne(
                database, sql: Self.doubtSQL + " AND d.id = ?1 AND (?2 IS NULL OR d.intent_at = ?2)",
                arguments: [id, intendedAt?.milliseconds])
            guard let row else { return nil }
            if settlement == .resend, try Self.refusal(row, now: now) != nil {
                let why = "not sent again, the campaign has ended; \(evidence.kind.rawValue): \(evidence.text)"
                try Self.giveUp(database, delivery: id, intendedAt: intendedAt, because: why)
                return nil
            }
            return try Self.settle(database, row, as: settlement, by: evidence, now: now)
        }
    }

    /// Ends the doubt about one recipient of a campaign, or about all, by a person's word; ends the control job too.
    /// Nil if there is no such campaign.
    package func settle(
        campaign job: JobID, address: EmailAddress?, as settlement: Settlement, by evidence: SettlementEvidence,
        control: JobID, now: Timestamp
    ) throws(LedgerError) -> Result<[SettledDoubt], SettlementRefusal>? {
        forgetPlaces()
        return try write { database in
            let isKnown = try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM campaigns WHERE job = ? AND state <> 'planning')",
                arguments: [job.text])
            guard isKnown == true else { return nil as Result<[SettledDoubt], SettlementRefusal>? }
            var rows = try Row.fetchAll(
                database, sql: Self.doubtSQL + " AND c.job = ? ORDER BY d.id", arguments: [job.text])
            if let address { rows = rows.filter { $0["address_key"] as String == address.key } }
            guard let first = rows.first else {
                if try Self.awaitsReply(database, job, address) { return .failure(.awaitsReply) }
                return .failure(address.map { .notUncertain($0.text) } ?? .nothingUncertain)
            }
            if settlement == .resend, let refusal = try Self.refusal(first, now: now) { return .failure(refusal) }
            let settled = try rows.map { try Self.settle(database, $0, as: settlement, by: evidence, now: now) }
            try Self.finish(
                database, job: control, registered: ["settled": settled.count], warnings: [])
            return .success(settled)
        }
    }

    private static func awaitsReply(_ database: Database, _ job: JobID, _ address: EmailAddress?) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM deliveries d JOIN campaigns c ON c.number = d.campaign
                  WHERE c.job = ?1 AND d.state = 'inFlight' AND (?2 IS NULL OR d.address_key = ?2))
                """, arguments: [job.text, address?.key]) ?? false
    }

    /// Nothing more will be found out by itself about a delivery in doubt; a person may still settle it.
    package func giveUp(
        delivery id: Int64, intendedAt: Timestamp? = nil, because: String
    ) throws(LedgerError) {
        try write { try Self.giveUp($0, delivery: id, intendedAt: intendedAt, because: because) }
    }

    /// Keys that are not known at a relay any more end nothing.
    ///
    /// - Parameter scope: To whom keys go now, and in which header; nil if the relay knows none.
    package func giveUpLostKeys(relay: String, scope: String?, now: Timestamp) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE deliveries SET examined = 1,
                      reason = coalesce(reason || '; ', '') || 'its idempotency key is not known any more'
                    WHERE relay = ?1 AND state = 'uncertain' AND examined = 0
                      AND (key_until <= ?2 OR (key_until IS NOT NULL AND key_scope IS NOT ?3)
                        OR (key_until IS NULL AND ?3 IS NOT NULL))
                    """, arguments: [relay, now.milliseconds, scope])
        }
    }

    private static func giveUp(
        _ database: Database, delivery id: Int64, intendedAt: Timestamp?, because: String
    ) throws {
        try database.execute(
            sql: """
                UPDATE deliveries SET examined = 1, reason = coalesce(reason || '; ', '') || ?
                WHERE id = ? AND state = 'uncertain' AND (?3 IS NULL OR intent_at = ?3)
                """, arguments: [because, id, intendedAt?.milliseconds])
    }

    private static let doubtSQL = """
        SELECT d.id, d.campaign, d.state, d.attempts, d.not_before, d.key_until, d.repeating, d.doubts, d.address,
          d.address_key, d.intent_at, d.is_test, c.job, c.state AS campaign_state, c.expires
        FROM deliveries d JOIN campaigns c ON c.number = d.campaign WHERE d.state = 'uncertain'
        """

    /// Why a delivery of this row's campaign cannot be sent again.
    private static func refusal(_ row: Row, now: Timestamp) throws -> SettlementRefusal? {
        guard let state = CampaignState(rawValue: row["campaign_state"]) else {
            throw LedgerError.storage(reason: "a campaign's row is not readable")
        }
        let expires = Timestamp(milliseconds: row["expires"])
        return state.reopened(now: now, expires: expires) == nil ? .ended(state) : nil
    }

    private static func settle(
        _ database: Database, _ row: Row, as settlement: Settlement, by evidence: SettlementEvidence, now: Timestamp
    ) throws -> SettledDoubt {
        var delivery = try delivery(row)
        guard delivery.settle(settlement) else { throw LedgerError.conflict("a settled doubt is settled again") }
        let id: Int64 = row["id"]
        try database.execute(
            sql: "INSERT INTO settlements VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                id, row["doubts"] as Int, settlement.rawValue, evidence.kind.rawValue, evidence.text,
                evidence.job?.text, now.milliseconds,
            ])
        try database.execute(
            sql: """
                UPDATE deliveries SET state = ?1, not_before = ?2, examined = 0, queue_id = coalesce(?3, queue_id),
                  sent_at = iif(?1 = 'sent', intent_at, NULL), key_until = iif(?1 = 'sent', key_until, NULL),
                  reason = ?4 WHERE id = ?5
                """,
            arguments: [
                delivery.state.rawValue, delivery.notBefore.milliseconds, evidence.queueID,
                "settled as \(settlement.rawValue) (\(evidence.kind.rawValue)): \(evidence.text)", id,
            ])
        try reopen(database, row, as: settlement, now: now)
        return try settled(row, as: settlement)
    }

    /// A campaign that ended is reported anew, and goes on if a message of it waits again.
    private static func reopen(_ database: Database, _ row: Row, as settlement: Settlement, now: Timestamp) throws {
        try database.execute(
            sql: "UPDATE campaigns SET reported = 0 WHERE number = ?", arguments: [row["campaign"] as Int64])
        guard settlement == .resend else { return }
        try database.execute(
            sql: "UPDATE campaigns SET state = 'running' WHERE number = ? AND state = 'finished'",
            arguments: [row["campaign"] as Int64])
    }

    private static func settled(_ row: Row, as settlement: Settlement) throws -> SettledDoubt {
        guard let job = JobID(row["job"]) else { throw LedgerError.storage(reason: "a campaign's row is not readable") }
        return SettledDoubt(
            delivery: row["id"], campaign: row["campaign"], job: job,
            address: EmailAddress(stored: row["address"], key: row["address_key"]), settlement: settlement)
    }
}

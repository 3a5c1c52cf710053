import GRDB
package import Mailing

/// A delivery in doubt, as a person has to know it.
package struct DoubtRecord: Sendable, Equatable {
    package var job: JobID
    package var campaignState: CampaignState
    package var address: EmailAddress
    package var isTest: Bool
    package var relay: String
    /// When its latest hand-over began; the dot was written after this, if it was.
    package var since: Timestamp
    package var messageID: String
    package var reason: String?
    /// Nothing more will be found out by itself.
    package var isExamined: Bool
    /// Until when its idempotency key is valid; nil if it has none.
    package var keyUntil: Timestamp?
    /// To whom that key went, and in which header.
    package var keyScope: String?
    /// When its campaign expires, and nothing of it is sent any more.
    package var expires: Timestamp
}

extension LedgerReader {
    /// What is uncertain in one campaign, or in all, the oldest first.
    package func doubts(campaign job: JobID?, limit: Int) throws(LedgerError) -> [DoubtRecord] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT c.job, c.state, c.expires, d.address, d.address_key, d.is_test, d.relay, d.intent_at,
                      d.message_id, d.reason, d.examined, d.key_until, d.key_scope
                    FROM deliveries d JOIN campaigns c ON c.number = d.campaign
                    WHERE d.state = 'uncertain' AND (?1 IS NULL OR c.job = ?1) ORDER BY d.intent_at, d.id LIMIT ?2
                    """, arguments: [job?.text, limit]
            ).map(Self.doubt)
        }
    }

    private static func doubt(_ row: Row) throws -> DoubtRecord {
        guard let job = JobID(row["job"]), let state = CampaignState(rawValue: row["state"]) else {
            throw LedgerError.storage(reason: "a campaign's row is not readable")
        }
        return DoubtRecord(
            job: job, campaignState: state,
            address: EmailAddress(stored: row["address"], key: row["address_key"]), isTest: row["is_test"],
            relay: row["relay"], since: Timestamp(milliseconds: row["intent_at"]), messageID: row["message_id"],
            reason: row["reason"], isExamined: row["examined"],
            keyUntil: (row["key_until"] as Int64?).map(Timestamp.init(milliseconds:)), keyScope: row["key_scope"],
            expires: Timestamp(milliseconds: row["expires"]))
    }
}

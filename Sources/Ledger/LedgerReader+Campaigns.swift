import GRDB
package import Mailing

/// What one relay has carried of late, and what waits for it.
package struct RelayTraffic: Sendable, Equatable {
    package var queued = 0
    package var inFlight = 0
    package var uncertain = 0
    /// Messages whose latest final dot left within the last hour.
    package var lastHour = 0
    /// When the latest of these left.
    package var lastHandOverAt: Timestamp?

    package init() {}
}

extension LedgerReader {
    /// All campaigns, those in planning included, in the order in which they were accepted.
    package func campaigns() throws(LedgerError) -> [CampaignSummary] {
        try read { database in
            try Int64.fetchAll(database, sql: "SELECT number FROM campaigns ORDER BY number").compactMap {
                try DeliveryLedger.summary(database, campaign: $0)
            }
        }
    }

    /// One campaign by the id of its job; nil if there is none.
    package func campaign(_ job: JobID) throws(LedgerError) -> CampaignSummary? {
        try read { database in
            try Int64.fetchOne(database, sql: "SELECT number FROM campaigns WHERE job = ?", arguments: [job.text])
                .flatMap { try DeliveryLedger.summary(database, campaign: $0) }
        }
    }

    /// What each relay carried and has to carry, test mails included, by the relay's name.
    package func traffic(now: Timestamp) throws(LedgerError) -> [String: RelayTraffic] {
        try read { try DeliveryLedger.traffic($0, now: now) }
    }
}

extension DeliveryLedger {
    /// What each relay carried and has to carry, test mails included, by the relay's name.
    package func traffic(now: Timestamp) throws(LedgerError) -> [String: RelayTraffic] {
        try read { try Self.traffic($0, now: now) }
    }

    static func traffic(_ database: Database, now: Timestamp) throws -> [String: RelayTraffic] {
        var traffic: [String: RelayTraffic] = [:]
        let open = try Row.fetchCursor(
            database,
            sql: """
                SELECT relay, t.state, sum(count) FROM relay_tallies t JOIN campaigns c ON c.number = t.campaign
                WHERE c.state <> 'planning' AND t.state IN ('queued', 'inFlight', 'uncertain') GROUP BY relay, t.state
                """)
        while let row = try open.next() {
            let count: Int = row[2]
            guard count > 0 else { continue }
            switch row[1] as String {
            case "queued": traffic[row[0], default: RelayTraffic()].queued = count
            case "inFlight": traffic[row[0], default: RelayTraffic()].inFlight = count
            default: traffic[row[0], default: RelayTraffic()].uncertain = count
            }
        }
        let hour = now.adding(seconds: -3600).milliseconds
        let handed = try Row.fetchCursor(
            database,
            sql: """
                SELECT relay, count(*), max(intent_at) FROM deliveries
                WHERE intent_at > ?1 AND campaign IN
                  (SELECT number FROM campaigns WHERE reported = 0 OR last_sent_at > ?1) GROUP BY relay
                """, arguments: [hour])
        while let row = try handed.next() {
            traffic[row[0], default: RelayTraffic()].lastHour = row[1]
            traffic[row[0], default: RelayTraffic()].lastHandOverAt = Timestamp(milliseconds: row[2])
        }
        return traffic
    }
}

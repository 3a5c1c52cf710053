import GRDB
package import Mailing

/// What one relay has carried of late, and what waits for it.
package struct RelayTraffic: Sendable, Equatable {
    package var queued = 0
    package var inFlight = 0
    package var uncertain = 0
    /// Final dots that left, or may have left, within the last hour, retries included.
    package var lastHour = 0
    /// When the latest of these left.
    package var lastHandOverAt: Timestamp?

    package init() {}
}

extension LedgerReader {
    /// All campaigns, those in planning included, in the order in which they were accepted.
    ///
    /// - Parameter limited: The domains of which to count what is queued, by relay.
    package func campaigns(limited: [String: Set<String>] = [:]) throws(LedgerError) -> [CampaignSummary] {
        try read { database in
            try Int64.fetchAll(database, sql: "SELECT number FROM campaigns ORDER BY number").compactMap {
                try DeliveryLedger.summary(database, campaign: $0, limited: limited)
            }
        }
    }

    /// One campaign by the id of its job; nil if there is none.
    ///
    /// - Parameter limited: As for `campaigns`.
    package func campaign(
        _ job: JobID, limited: [String: Set<String>] = [:]
    ) throws(LedgerError) -> CampaignSummary? {
        try read { database in
            try Int64.fetchOne(database, sql: "SELECT number FROM campaigns WHERE job = ?", arguments: [job.text])
                .flatMap { try DeliveryLedger.summary(database, campaign: $0, limited: limited) }
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
        for (relay, moments) in try recentHandOvers(database, now: now) {
            traffic[relay, default: RelayTraffic()].lastHour = moments.count
            traffic[relay, default: RelayTraffic()].lastHandOverAt = moments.last
        }
        return traffic
    }
}

import GRDB

/// What is queued of one campaign, test mails left out.
package struct Backlog: Sendable, Equatable {
    /// By relay; none of them is 0.
    package var relays: [String: Int] = [:]
    /// Of these, by relay and domain; only domains that were asked for.
    package var domains: [String: [String: Int]] = [:]

    package init(relays: [String: Int] = [:], domains: [String: [String: Int]] = [:]) {
        self.relays = relays
        self.domains = domains
    }
}

extension DeliveryLedger {
    /// - Parameter limited: The domains to be counted, by relay. Every message to them is looked at in an index.
    static func backlog(
        _ database: Database, campaign: Int64, limited: [String: Set<String>]
    ) throws -> Backlog {
        var backlog = Backlog()
        let rows = try Row.fetchAll(
            database.cachedStatement(
                sql: """
                    SELECT relay, count FROM relay_tallies
                    WHERE campaign = ? AND is_test = 0 AND state = 'queued' AND count > 0
                    """),
            arguments: [campaign])
        for row in rows {
            let relay: String = row[0]
            backlog.relays[relay] = row[1]
            for domain in limited[relay] ?? [] {
                let count = try Int.fetchOne(
                    database.cachedStatement(
                        sql: """
                            SELECT count(*) FROM deliveries INDEXED BY due_by_domain
                            WHERE campaign = ? AND relay = ? AND is_test = 0 AND state = 'queued' AND \(domainSQL) = ?
                            """),
                    arguments: [campaign, relay, domain])
                if let count, count > 0 { backlog.domains[relay, default: [:]][domain] = count }
            }
        }
        return backlog
    }
}

import Foundation
import GRDB
package import Mailing

/// What the ledger knows that can be shown as numbers. No address and no text about a person is in it.
package struct LedgerFigures: Sendable, Equatable {
    /// Deliveries of one relay by state. `doubts` is how often one became uncertain, settled or not.
    package struct Counts: Sendable, Equatable {
        package var states: [Delivery.State: Int] = [:]
        package var doubts = 0

        package init() {}

        package static func += (left: inout Counts, right: Counts) {
            left.states.merge(right.states, uniquingKeysWith: +)
            left.doubts += right.doubts
        }
    }

    package struct Campaign: Sendable, Equatable {
        package var number: Int64
        package var job: JobID
        package var state: CampaignState
        /// When it was to begin: its `sendAfter`, else when it was accepted.
        package var begins: Timestamp
        package var expires: Timestamp
        /// Without test mails, by relay.
        package var counts: [String: Counts] = [:]
        /// The earliest moment at which something queued may go, by relay; only while the campaign is running.
        package var heads: [String: Timestamp] = [:]
    }

    /// Not ended yet, or ended lately: what is running first, then what is open, of these the newest.
    package var campaigns: [Campaign] = []
    /// How many more there would have been.
    package var leftOut = 0
    /// What is open of those, by relay.
    package var countsLeftOut: [String: Counts] = [:]
    /// Over all campaigns there ever were, test mails included, by relay.
    package var relays: [String: Counts] = [:]
    /// How many campaigns are not ended, by state.
    package var states: [CampaignState: Int] = [:]
    /// Why each paused campaign is paused.
    package var pauses: [String] = []
    /// How many hand-overs were begun.
    package var intents: Int64 = 0
}

extension DeliveryLedger {
    /// The numbers for metrics, read from counts that are kept: its cost does not grow with the number of deliveries.
    ///
    /// - Parameters:
    ///   - since: campaigns that ended after their last message of this time or later are shown too.
    ///   - also: campaigns to show even if they ended.
    ///   - limit: at most so many campaigns are shown one by one.
    package func figures(
        since: Timestamp, also: Set<Int64> = [], limit: Int
    ) throws(LedgerError) -> LedgerFigures {
        try read { database in
            var figures = LedgerFigures()
            figures.intents = try Int64.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'intents'") ?? 0
            for row in try Row.fetchAll(
                database.cachedStatement(
                    sql: "SELECT relay, state, sum(count) FROM relay_tallies GROUP BY relay, state"))
            {
                figures.relays[row[0], default: .init()].set(row[1], row[2])
            }
            let chosen = try Row.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT number, job, state, coalesce(send_after, accepted_at), expires, because FROM campaigns
                        WHERE state NOT IN ('finished', 'cancelled', 'expired') OR reported = 0 OR last_sent_at >= ?
                          OR number IN (SELECT value FROM json_each(?))
                        ORDER BY state IN ('finished', 'cancelled', 'expired'), state <> 'running', number DESC
                        """),
                arguments: [since.milliseconds, "[\(also.map { "\($0)" }.joined(separator: ","))]"])
            for row in chosen {
                guard let job = JobID(row[1]), let state = CampaignState(rawValue: row[2]) else {
                    throw LedgerError.storage(reason: "a campaign's row is not readable")
                }
                if !state.isFinal { figures.states[state, default: 0] += 1 }
                if state == .paused { figures.pauses.append((row[5] as String?) ?? "") }
                guard state != .planning else { continue }
                let number: Int64 = row[0]
                let counts = try Self.counts(database, campaign: number)
                guard figures.campaigns.count < limit else {
                    figures.leftOut += 1
                    for (relay, counts) in counts { figures.countsLeftOut[relay, default: .init()] += counts }
                    continue
                }
                var campaign = LedgerFigures.Campaign(
                    number: number, job: job, state: state, begins: Timestamp(milliseconds: row[3]),
                    expires: Timestamp(milliseconds: row[4]), counts: counts)
                if state == .running { campaign.heads = try Self.heads(database, campaign: number, counts) }
                figures.campaigns.append(campaign)
            }
            return figures
        }
    }

    /// When each final dot of the last hour left, or may have left, by relay, the oldest first; retries and test mails
    /// too.
    package func recentHandOvers(now: Timestamp) throws(LedgerError) -> [String: [Timestamp]] {
        try read { try Self.recentHandOvers($0, now: now) }
    }

    static func recentHandOvers(_ database: Database, now: Timestamp) throws -> [String: [Timestamp]] {
        var recent: [String: [Timestamp]] = [:]
        let rows = try Row.fetchCursor(
            database.cachedStatement(sql: "SELECT relay, at FROM hand_overs WHERE at > ? ORDER BY relay, at"),
            arguments: [now.adding(seconds: -3600).milliseconds])
        while let row = try rows.next() { recent[row[0], default: []].append(Timestamp(milliseconds: row[1])) }
        return recent
    }

    /// Not a byte of a dot was written: what was noted as a hand-over was none.
    static func forgetHandOver(_ database: Database, of delivery: Int64) throws {
        try database.cachedStatement(
            sql: """
                DELETE FROM hand_overs WHERE delivery = ?1
                  AND (relay, at) = (SELECT relay, intent_at FROM deliveries WHERE id = ?1)
                """
        ).execute(arguments: [delivery])
    }

    /// Bytes of the file, of its write-ahead log, and those that are free on their file system.
    package nonisolated func sizes() throws(LedgerError) -> (file: Int64, writeAheadLog: Int64, free: Int64) {
        try place.sizes()
    }

    private static func counts(_ database: Database, campaign: Int64) throws -> [String: LedgerFigures.Counts] {
        var counts: [String: LedgerFigures.Counts] = [:]
        for row in try Row.fetchAll(
            database.cachedStatement(
                sql: "SELECT relay, state, count FROM relay_tallies WHERE campaign = ? AND is_test = 0"),
            arguments: [campaign])
        {
            counts[row[0], default: .init()].set(row[1], row[2])
        }
        return counts
    }

    private static func heads(
        _ database: Database, campaign: Int64, _ counts: [String: LedgerFigures.Counts]
    ) throws -> [String: Timestamp] {
        var heads: [String: Timestamp] = [:]
        for (relay, counts) in counts where counts.states[.queued, default: 0] > 0 {
            let earliest = try Int64.fetchOne(
                database.cachedStatement(
                    sql: """
                        SELECT not_before FROM deliveries
                        WHERE campaign = ? AND relay = ? AND is_test = 0 AND state = 'queued'
                        ORDER BY not_before LIMIT 1
                        """),
                arguments: [campaign, relay])
            heads[relay] = earliest.map(Timestamp.init(milliseconds:))
        }
        return heads
    }
}

extension LedgerFigures.Counts {
    fileprivate mutating func set(_ state: String, _ count: Int) {
        if let state = Delivery.State(rawValue: state) { states[state] = count } else { doubts = count }
    }
}

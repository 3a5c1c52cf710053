import Foundation
import GRDB
package import Mailing

/// Where a campaign stands, with its counts.
package struct CampaignSummary: Sendable, Equatable {
    package var number: Int64
    package var job: JobRecord
    package var basis: Campaign.Basis
    package var purpose: String
    package var state: CampaignState
    package var because: String?
    package var sendAfter: Timestamp?
    package var expires: Timestamp
    /// Those that carry it, in the order of its job, then those to which it was rerouted.
    package var relays: [String]
    /// Those of them for which something is queued.
    package var waitingRelays: [String] = []
    /// What is queued; by domain only those that were asked for.
    package var backlog = Backlog()
    /// When it may be sent; empty for at any time.
    package var windows: [SendingWindow]
    package var counts: Receipt.Counts
    package var withheld: [String: Int]
    package var consent: [String: Int]
    package var firstSentAt: Timestamp?
    package var lastSentAt: Timestamp?
    /// Its final receipt, recipients.csv included, has been written.
    package var isReported: Bool
    /// Who gets a mail with the result at the end, as the job has the address; nil for nobody.
    package var reportTo: String?
}

/// What the daemon has to know of a campaign at start and when time passes.
package struct CampaignStanding: Sendable, Equatable {
    package var number: Int64
    package var job: JobID
    package var state: CampaignState
    package var sendAfter: Timestamp?
    package var expires: Timestamp
}

extension DeliveryLedger {
    /// Campaigns that are not ended, or whose end was not reported yet.
    package func openCampaigns() throws(LedgerError) -> [CampaignStanding] {
        try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT number, job, state, send_after, expires FROM campaigns
                    WHERE reported = 0 AND state <> 'planning' ORDER BY number
                    """
            ).map(Self.standing)
        }
    }

    /// Campaigns that a person should be able to look at in a receipt, ended ones included.
    package func campaignNumbers() throws(LedgerError) -> [Int64] {
        try read { database in
            try Int64.fetchAll(database, sql: "SELECT number FROM campaigns WHERE state <> 'planning' ORDER BY number")
        }
    }

    package func campaignNumber(of job: JobID) throws(LedgerError) -> Int64? {
        try read { database in
            try Int64.fetchOne(
                database, sql: "SELECT number FROM campaigns WHERE job = ? AND state <> 'planning'",
                arguments: [job.text])
        }
    }

    /// Moves campaigns on that time or their deliveries moved: to running, finished or expired.
    ///
    /// At most `limit` deliveries are closed in one transaction; `isDone` tells whether nothing is left to close.
    /// - Parameter examining: The relays on which doubt may end by itself: a campaign does not end before that.
    package func advance(
        campaign number: Int64, now: Timestamp, limit: Int, examining: Set<String> = []
    ) throws(LedgerError) -> (
        standing: CampaignStanding, isDone: Bool
    ) {
        try write { database in
            var standing = try Self.standing(database, number: number)
            if standing.state == .scheduled, (standing.sendAfter ?? now) <= now { standing.state = .running }
            if !standing.state.isFinal, now >= standing.expires {
                try Self.close(database, number: number, as: .expired, reason: "not handed over in time", limit: limit)
            }
            if standing.state == .cancelled {
                try Self.close(
                    database, number: number, as: .cancelled, reason: "the campaign was cancelled", limit: limit)
            }
            let open = try Self.openCounts(database, number: number)
            let isOverdue = now >= standing.expires
            let isExamined = try isOverdue || !Self.isExamining(database, number: number, relays: examining)
            if !standing.state.isFinal, open.queued + open.inFlight == 0, isExamined,
                standing.state == .running || isOverdue
            {
                standing.state = try Self.endState(database, number: number, isOverdue: isOverdue)
            }
            try database.execute(
                sql: "UPDATE campaigns SET state = ?1 WHERE number = ?2 AND state <> ?1",
                arguments: [standing.state.rawValue, number])
            let mustClose = standing.state == .cancelled || isOverdue
            return (standing, !(mustClose && open.queued > 0))
        }
    }

    /// Changes the course of a campaign, ends the control job that asks for it, and returns the new state.
    ///
    /// To resume or approve is also a person's word that sending may go on after the ledger was restored.
    /// - Parameter because: The reason that the receipt shows while the campaign is paused, and that the report of a
    ///   cancelled one gives.
    package func control(
        campaign job: JobID, action: ControlJob.Action, because: String?, by control: JobID, now: Timestamp
    ) throws(LedgerError) -> Result<CampaignState, ControlRefusal>? {
        try write { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT number, job, state, send_after, expires, held_because FROM campaigns
                    WHERE job = ? AND state <> 'planning'
                    """,
                arguments: [job.text])
            guard let row else { return nil as Result<CampaignState, ControlRefusal>? }
            let standing = try Self.standing(row)
            var result = standing.state.applying(action, now: now, sendAfter: standing.sendAfter)
            guard case .success(var state) = result else { return result }
            var shown = state == .paused || state == .cancelled ? because : nil
            if action == .resume, let held: String = row["held_because"] {
                // To resume is not to approve.
                state = .held
                shown = held
                result = .success(state)
            }
            try database.execute(
                sql: """
                    UPDATE campaigns SET state = ?1, because = ?2,
                      held_because = CASE ?1 WHEN 'paused' THEN held_because END WHERE number = ?3
                    """,
                arguments: [state.rawValue, shown, standing.number])
            try database.execute(sql: "UPDATE jobs SET finished = 1 WHERE id = ?", arguments: [control.text])
            if action == .resume || action == .approve {
                try database.execute(sql: "DELETE FROM facts WHERE name = 'restored'")
            }
            return result
        }
    }

    /// Pauses a campaign on account of trouble, also one of which only test mails are sent so far; when that is
    /// resumed it is held as before. Returns false, and does nothing, if nothing of it is being sent.
    package func pause(campaign number: Int64, because: String) throws(LedgerError) -> Bool {
        try write { try Self.pause($0, where: "number = ? AND state <> 'paused'", because: because, [number]) == 1 }
    }

    static func pause(
        _ database: Database, where condition: String, because: String, _ arguments: StatementArguments
    ) throws -> Int {
        try database.execute(
            sql: """
                UPDATE campaigns SET state = 'paused', because = ?,
                  held_because = CASE state WHEN 'held' THEN coalesce(because, '') ELSE held_because END
                WHERE state IN ('held', 'scheduled', 'running', 'paused') AND \(condition)
                """,
            arguments: [because] + arguments)
        return database.changesCount
    }

    /// - Parameter limited: The domains of which to count what is queued, by relay.
    package func summary(
        campaign number: Int64, limited: [String: Set<String>] = [:]
    ) throws(LedgerError) -> CampaignSummary? {
        try read { try Self.summary($0, campaign: number, limited: limited) }
    }

    static func summary(
        _ database: Database, campaign number: Int64, limited: [String: Set<String>]
    ) throws -> CampaignSummary? {
        let row = try Row.fetchOne(database, sql: "SELECT * FROM campaigns WHERE number = ?", arguments: [number])
        guard let row else { return nil }
        let job = try Row.fetchOne(
            database, sql: "SELECT * FROM jobs WHERE id = ?", arguments: [row["job"] as String])
        guard let job, let state = CampaignState(rawValue: row["state"]),
            let basis = Campaign.Basis(rawValue: row["basis"])
        else { throw LedgerError.storage(reason: "the row of campaign \(number) is not readable") }
        var summary = CampaignSummary(
            number: number, job: try jobRecord(job), basis: basis, purpose: row["purpose"], state: state,
            because: row["because"], sendAfter: (row["send_after"] as Int64?).map(Timestamp.init(milliseconds:)),
            expires: Timestamp(milliseconds: row["expires"]),
            relays: (row["relays"] as String).split(separator: " ").map(String.init),
            windows: try windows(row["windows"]), counts: Receipt.Counts(), withheld: [:], consent: [:],
            firstSentAt: nil, lastSentAt: nil, isReported: row["reported"], reportTo: row["report_to"])
        try count(database, into: &summary)
        summary.waitingRelays = try waitingRelays(database, campaign: number, of: summary.relays)
        summary.backlog = try backlog(database, campaign: number, limited: limited)
        return summary
    }

    /// Notes that the final receipt of a campaign stands. Returns false, and does nothing, if the campaign is not any
    /// more as it was shown: a doubt was settled meanwhile.
    package func markReported(_ shown: CampaignSummary) throws(LedgerError) -> Bool {
        try write { database in
            var present = shown
            (present.counts, present.withheld) = (Receipt.Counts(), [:])
            try Self.count(database, into: &present)
            let state = try String.fetchOne(
                database, sql: "SELECT state FROM campaigns WHERE number = ?", arguments: [shown.number])
            guard state == shown.state.rawValue, present.counts == shown.counts else { return false }
            try database.execute(sql: "UPDATE campaigns SET reported = 1 WHERE number = ?", arguments: [shown.number])
            return true
        }
    }

    /// One page of recipients.csv; `next` is what to pass as `after` for the following page, nil at the end.
    package func recipientRecords(
        campaign number: Int64, after: Int64, limit: Int
    ) throws(LedgerError) -> (records: [RecipientRecord], next: Int64?) {
        try read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT id, address, state, reason, reply, sent_at, message_id, consent_event FROM deliveries
                    WHERE campaign = ? AND is_test = 0 AND id > ? ORDER BY id LIMIT ?
                    """,
                arguments: [number, after, limit])
            var records: [RecipientRecord] = []
            var last = after
            while let row = try rows.next() {
                last = row[0]
                records.append(
                    RecipientRecord(
                        address: row[1], state: row[2], reason: row[3], reply: row[4],
                        sentAt: (row[5] as Int64?).map(Timestamp.init(milliseconds:)), messageID: row[6],
                        consentEvent: row[7]))
            }
            return (records, records.count < limit ? nil : last)
        }
    }

    /// One page of the rows that were no recipients.
    package func setAsideRecords(
        campaign number: Int64, after: Int64, limit: Int
    ) throws(LedgerError) -> (records: [RecipientRecord], next: Int64?) {
        try read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT ordinal, address, reason, place FROM set_asides
                    WHERE campaign = ? AND ordinal > ? ORDER BY ordinal LIMIT ?
                    """,
                arguments: [number, after, limit])
            var records: [RecipientRecord] = []
            var last = after
            while let row = try rows.next() {
                last = row[0]
                records.append(
                    RecipientRecord(
                        address: row[1], state: Delivery.State.withheld.rawValue, reason: row[2],
                        reply: row[3], sentAt: nil, messageID: nil, consentEvent: nil))
            }
            return (records, records.count < limit ? nil : last)
        }
    }

    /// How many deliveries are queued and in flight over all campaigns, for the status line.
    package func openDeliveries() throws(LedgerError) -> (queued: Int, inFlight: Int, uncertain: Int) {
        try read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT state, sum(count) FROM tallies WHERE is_test = 0
                      AND state IN ('queued', 'inFlight', 'uncertain') GROUP BY state
                    """)
            let counts = Dictionary(uniqueKeysWithValues: rows.map { ($0[0] as String, $0[1] as Int) })
            return (counts["queued"] ?? 0, counts["inFlight"] ?? 0, counts["uncertain"] ?? 0)
        }
    }

    private static func count(_ database: Database, into summary: inout CampaignSummary) throws {
        let tallies = try Row.fetchAll(
            database, sql: "SELECT state, reason, count FROM tallies WHERE campaign = ? AND is_test = 0 AND count > 0",
            arguments: [summary.number])
        for row in tallies {
            let count: Int = row[2]
            summary.counts.recipients += count
            switch row[0] as String {
            case "queued": summary.counts.queued += count
            case "inFlight": summary.counts.inFlight += count
            case "sent": summary.counts.sent += count
            case "bounced": summary.counts.bounced += count
            case "uncertain": summary.counts.uncertain += count
            case "expired": summary.counts.expired += count
            case "cancelled": summary.counts.cancelled += count
            default:
                summary.counts.withheld += count
                summary.withheld[row[1], default: 0] += count
            }
        }
        for row in try Row.fetchAll(
            database, sql: "SELECT status, count FROM consent_tallies WHERE campaign = ?", arguments: [summary.number])
        {
            summary.consent[row[0]] = row[1]
        }
        let times = try Row.fetchOne(
            database, sql: "SELECT first_sent_at, last_sent_at FROM campaigns WHERE number = ?",
            arguments: [summary.number])
        summary.firstSentAt = (times?[0] as Int64?).map(Timestamp.init(milliseconds:))
        summary.lastSentAt = (times?[1] as Int64?).map(Timestamp.init(milliseconds:))
    }

    private static func openCounts(_ database: Database, number: Int64) throws -> (queued: Int, inFlight: Int) {
        let rows = try Row.fetchAll(
            database.cachedStatement(
                sql: """
                    SELECT state, sum(count) FROM tallies
                    WHERE campaign = ? AND state IN ('queued', 'inFlight') GROUP BY state
                    """),
            arguments: [number])
        let counts = Dictionary(uniqueKeysWithValues: rows.map { ($0[0] as String, $0[1] as Int) })
        return (counts["queued"] ?? 0, counts["inFlight"] ?? 0)
    }

    private static func isExamining(_ database: Database, number: Int64, relays: Set<String>) throws -> Bool {
        guard !relays.isEmpty else { return false }
        let open = try String.fetchAll(
            database.cachedStatement(
                sql: """
                    SELECT DISTINCT relay FROM deliveries
                    WHERE campaign = ? AND state = 'uncertain' AND examined = 0
                    """),
            arguments: [number])
        return open.contains { relays.contains($0) }
    }

    private static func close(
        _ database: Database, number: Int64, as state: Delivery.State, reason: String, limit: Int
    ) throws {
        try database.execute(
            sql: """
                UPDATE deliveries SET state = ?, reason = ? WHERE id IN
                  (SELECT id FROM deliveries WHERE campaign = ? AND state = 'queued' LIMIT ?)
                """,
            arguments: [state.rawValue, reason, number, limit])
    }

    /// Expired if anybody was left without a message for want of time, else finished.
    private static func endState(_ database: Database, number: Int64, isOverdue: Bool) throws -> CampaignState {
        guard isOverdue else { return .finished }
        let expired = try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM tallies
                  WHERE campaign = ? AND is_test = 0 AND state = 'expired' AND count > 0)
                """,
            arguments: [number])
        return expired == true ? .expired : .finished
    }

    private static func standing(_ database: Database, number: Int64) throws -> CampaignStanding {
        let row = try Row.fetchOne(
            database.cachedStatement(
                sql: "SELECT number, job, state, send_after, expires FROM campaigns WHERE number = ?"),
            arguments: [number])
        guard let row else { throw LedgerError.conflict("there is no campaign \(number)") }
        return try standing(row)
    }

    private static func standing(_ row: Row) throws -> CampaignStanding {
        guard let job = JobID(row["job"]), let state = CampaignState(rawValue: row["state"]) else {
            throw LedgerError.storage(reason: "a campaign's row is not readable")
        }
        return CampaignStanding(
            number: row["number"], job: job, state: state,
            sendAfter: (row["send_after"] as Int64?).map(Timestamp.init(milliseconds:)),
            expires: Timestamp(milliseconds: row["expires"]))
    }
}

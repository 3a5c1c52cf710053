import Foundation
import GRDB
package import Mailing

/// A delivery whose turn it is.
package struct DueDelivery: Sendable, Equatable {
    package var id: Int64
    package var campaign: Int64
    package var job: JobID
    package var isTest: Bool
    package var address: EmailAddress
    /// What the contact and the list say of this person; the list's word counts more.
    package var fields: [String: String]
    package var acceptedAt: Timestamp
    package var attempts: Int
}

/// What a look for due deliveries found.
package enum DueSearch: Sendable, Equatable {
    case due(DueDelivery)
    /// Nothing now; the next one becomes due then. Nil if nothing is queued for this relay.
    case nothing(until: Timestamp?)
}

/// What an attempt left behind.
package struct AttemptEvidence: Sendable, Equatable {
    package var reply: String?
    package var enhanced: String?
    package var peer: String?
    package var queueID: String?
    /// When the dot was written; nil if it was not.
    package var writtenAt: BootInstant?

    package init(
        reply: String?, enhanced: String? = nil, peer: String? = nil, queueID: String? = nil,
        writtenAt: BootInstant? = nil
    ) {
        self.reply = reply
        self.enhanced = enhanced
        self.peer = peer
        self.queueID = queueID
        self.writtenAt = writtenAt
    }
}

extension DeliveryLedger {
    /// The slot of the last dot of a relay; the empty name stands for all relays together.
    package func storedSlot(relay: String) throws(LedgerError) -> Pacer.StoredSlot? {
        try read { database in
            try Row.fetchOne(database, sql: "SELECT boot_id, at FROM slots WHERE relay = ?", arguments: [relay]).map {
                Pacer.StoredSlot(bootID: BootID($0[0]), at: BootInstant(nanoseconds: $0[1]))
            }
        }
    }

    /// The next message for a relay: test mails first within a campaign, campaigns in the order of `turns`.
    package func nextDue(relay: String, now: Timestamp, turns: Turns) throws(LedgerError) -> DueSearch {
        try read { database in
            let rows = try Row.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT number, job, basis, state, accepted_at FROM campaigns
                        WHERE state IN ('held', 'scheduled', 'running') AND expires > ?
                          AND state NOT IN ('finished', 'cancelled', 'expired')
                        """),
                arguments: [now.milliseconds])
            let campaigns = Dictionary(uniqueKeysWithValues: rows.map { ($0[0] as Int64, $0) })
            let candidates = rows.map {
                Turns.Candidate(campaign: $0[0], basis: Campaign.Basis(rawValue: $0[2]) ?? .consent)
            }
            var next: Timestamp?
            for candidate in turns.order(candidates) {
                guard let campaign = campaigns[candidate.campaign], let job = JobID(campaign[1]) else { continue }
                let isRunning = campaign[3] as String == CampaignState.running.rawValue
                for isTest in isRunning ? [true, false] : [true] {
                    let row = try Self.firstQueued(database, candidate.campaign, relay: relay, isTest: isTest)
                    guard let row else { continue }
                    let notBefore = Timestamp(milliseconds: row["not_before"])
                    guard notBefore <= now else {
                        next = min(next ?? notBefore, notBefore)
                        continue
                    }
                    let accepted = Timestamp(milliseconds: campaign[4])
                    return .due(try Self.due(database, row, campaign: candidate.campaign, job: job, accepted: accepted))
                }
            }
            return .nothing(until: next)
        }
    }

    private static func firstQueued(
        _ database: Database, _ campaign: Int64, relay: String, isTest: Bool
    ) throws -> Row? {
        try Row.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT id, is_test, address, address_key, contact, fields, attempts, not_before FROM deliveries
                    WHERE campaign = ? AND relay = ? AND is_test = ? AND state = 'queued'
                    ORDER BY not_before, id LIMIT 1
                    """),
            arguments: [campaign, relay, isTest])
    }

    private static func due(
        _ database: Database, _ row: Row, campaign: Int64, job: JobID, accepted: Timestamp
    ) throws -> DueDelivery {
        let contact: Int64? = row["contact"]
        let known = try contact.map { try contactFields(database, contact: $0) } ?? [:]
        let own = try FieldsText.decode(row["fields"])
        return DueDelivery(
            id: row["id"], campaign: campaign, job: job, isTest: row["is_test"],
            address: EmailAddress(stored: row["address"], key: row["address_key"]),
            fields: known.merging(own) { _, listed in listed }, acceptedAt: accepted, attempts: row["attempts"])
    }

    /// Instant 2: asks consent, suppression and the campaign once more and records the intent, in one transaction.
    ///
    /// When this returned `handOver`, the intent is durable and counted outside of the database too: the dot may go.
    /// - Parameters:
    ///   - slot: When the dot is to be written.
    ///   - relays: The names under which the slot is kept: the relay, and "" if a limit holds over all of them.
    package func intend(
        delivery id: Int64, messageID: String, slot: Pacer.StoredSlot, relays: [String], now: Timestamp
    ) throws(LedgerError) -> Delivery.IntentDecision {
        let key = self.key
        let (decision, count) = try write { database in
            let row = try Row.fetchOne(
                database.cachedStatement(
                    sql: """
                        SELECT d.state, d.attempts, d.not_before, d.is_test, d.address_key, d.contact, c.basis,
                          c.state AS campaign_state, c.expires, c.accepted_at, s.status, s.event,
                          e.recorded_at AS asked_at
                        FROM deliveries d JOIN campaigns c ON c.number = d.campaign
                        LEFT JOIN consent_status s ON s.contact = d.contact AND s.purpose = c.purpose
                        LEFT JOIN consent_events e ON e.number = s.event AND s.status = 'awaiting'
                        WHERE d.id = ?
                        """),
                arguments: [id])
            guard let row else { throw LedgerError.conflict("there is no delivery \(id)") }
            var delivery = try Self.delivery(row)
            let state = CampaignState(rawValue: row["campaign_state"])
            let isTest: Bool = row["is_test"]
            let decision = delivery.intend(
                now: now, isRunning: state == .running || (isTest && (state == .held || state == .scheduled)),
                expires: Timestamp(milliseconds: row["expires"]),
                objection: try Self.objection(database, row, isTest: isTest, key: key))
            let isAsked = !isTest && row["basis"] as String != Campaign.Basis.service.rawValue
            let count = try Self.apply(
                database, decision, delivery: id, event: isAsked ? row["event"] : nil, messageID: messageID, slot: slot,
                relays: relays, now: now)
            return (decision, count)
        }
        guard decision == .handOver else { return decision }
        do throws(LedgerError) {
            try counter.write(count)
        } catch {
            try takeBack(delivery: id)
            throw error
        }
        return decision
    }

    private static func objection(
        _ database: Database, _ row: Row, isTest: Bool, key: LedgerKey
    ) throws -> WithheldReason? {
        let addressKey: String = row["address_key"]
        let suppressed = try Int.fetchOne(
            database.cachedStatement(sql: "SELECT 1 FROM suppressions WHERE subject = ?"),
            arguments: [Data(key.subject(addressKey))])
        if isTest { return TestMail.objection(isSuppressed: suppressed != nil) }
        // Whom the plan found due to be asked again is due still, unless another campaign asked meanwhile.
        let accepted: Int64 = row["accepted_at"]
        let standing = RecipientStanding(
            isContact: row["contact"] as Int64? != nil,
            status: (row["status"] as String?).flatMap(ConsentStatus.init) ?? .notAsked,
            isSuppressed: suppressed != nil,
            isDueForRenewal: (row["asked_at"] as Int64?).map { $0 < accepted } ?? false)
        return standing.objection(basis: Campaign.Basis(rawValue: row["basis"]) ?? .consent)
    }

    private static func apply(
        _ database: Database, _ decision: Delivery.IntentDecision, delivery id: Int64, event: Int64?,
        messageID: String, slot: Pacer.StoredSlot, relays: [String], now: Timestamp
    ) throws -> Int64 {
        let sql: String
        let arguments: StatementArguments
        switch decision {
        case .leave:
            return 0
        case .withhold(let reason):
            sql = "UPDATE deliveries SET state = 'withheld', reason = ? WHERE id = ? AND state = 'queued'"
            arguments = [reason.rawValue, id]
        case .expire:
            sql = "UPDATE deliveries SET state = 'expired', reason = ? WHERE id = ? AND state = 'queued'"
            arguments = ["not handed over in time", id]
        case .handOver:
            sql = """
                UPDATE deliveries SET state = 'inFlight', reason = NULL, message_id = ?, slot = ?, intent_at = ?,
                  consent_event = ? WHERE id = ? AND state = 'queued'
                """
            arguments = [messageID, slot.at.nanoseconds, now.milliseconds, event, id]
        }
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
        guard database.changesCount == 1 else { throw LedgerError.conflict("delivery \(id) is not queued any more") }
        guard decision == .handOver else { return 0 }
        for relay in relays { try store(database, slot: slot, relay: relay) }
        let count = try Int64.fetchOne(
            database.cachedStatement(
                sql: "UPDATE facts SET value = value + 1 WHERE name = 'intents' RETURNING value"))
        guard let count else { throw LedgerError.conflict("the counter of intents is gone") }
        return count
    }

    private static func store(_ database: Database, slot: Pacer.StoredSlot, relay: String) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO slots VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET boot_id = excluded.boot_id, at = excluded.at
                """
        ).execute(arguments: [relay, slot.bootID.text, slot.at.nanoseconds])
    }

    /// Not a byte of the dot was written: back to the queue.
    package func takeBack(delivery id: Int64) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql: "UPDATE deliveries SET state = 'queued' WHERE id = ? AND state = 'inFlight'", arguments: [id])
            guard database.changesCount == 1 else { throw LedgerError.conflict("delivery \(id) is not in flight") }
        }
    }

    /// Instant 3, or the end of an attempt before the dot: records what was proven.
    ///
    /// - Parameter relays: As in `intend`; the slot is moved to the moment at which the dot was really written.
    package func conclude(
        delivery id: Int64, outcome: Outcome, evidence: AttemptEvidence, relays: [String], bootID: BootID,
        retries: RetrySchedule, now: Timestamp
    ) throws(LedgerError) {
        let key = self.key
        try write { database in
            let row = try Row.fetchOne(
                database.cachedStatement(
                    sql: """
                        SELECT d.state, d.attempts, d.not_before, d.is_test, d.contact, d.address_key, c.basis,
                          c.purpose, c.job FROM deliveries d JOIN campaigns c ON c.number = d.campaign WHERE d.id = ?
                        """),
                arguments: [id])
            guard let row else { throw LedgerError.conflict("there is no delivery \(id)") }
            var delivery = try Self.delivery(row)
            let before = delivery.state
            guard before == .inFlight || (before == .queued && outcome != .sent && outcome != .uncertain) else {
                throw LedgerError.conflict("delivery \(id) is \(before.rawValue) and cannot become \(outcome.word)")
            }
            delivery.conclude(outcome, now: now, retries: retries)
            try database.cachedStatement(
                sql: """
                    UPDATE deliveries SET state = ?, attempts = ?, not_before = ?, sent_at = ?, reply = ?,
                      enhanced = ?, peer = ?, queue_id = ?, reason = ? WHERE id = ? AND state = ?
                    """
            ).execute(arguments: [
                delivery.state.rawValue, delivery.attempts, delivery.notBefore.milliseconds,
                delivery.state == .sent ? now.milliseconds : nil, evidence.reply, evidence.enhanced, evidence.peer,
                evidence.queueID, Self.reason(delivery.state, evidence), id, before.rawValue,
            ])
            guard database.changesCount == 1 else { throw LedgerError.conflict("delivery \(id) changed meanwhile") }
            if let writtenAt = evidence.writtenAt {
                let slot = Pacer.StoredSlot(bootID: bootID, at: writtenAt)
                for relay in relays { try Self.store(database, slot: slot, relay: relay) }
            }
            if outcome == .sent || outcome == .uncertain { try self.noteRequest(database, row, at: now) }
            if case .bounced(suppress: true) = outcome {
                try database.execute(
                    sql: "INSERT INTO suppressions VALUES (?, 'hardBounce', ?) ON CONFLICT DO NOTHING",
                    arguments: [Data(key.subject(row["address_key"])), now.milliseconds])
            }
        }
    }

    /// Withholds a queued delivery for a reason that showed only when its message was made.
    ///
    /// - Parameter detail: What stood in the way, for recipients.csv.
    package func withhold(delivery id: Int64, reason: WithheldReason, detail: String) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql:
                    "UPDATE deliveries SET state = 'withheld', reason = ?, reply = ? WHERE id = ? AND state = 'queued'",
                arguments: [reason.rawValue, detail, id])
        }
    }

    private static func reason(_ state: Delivery.State, _ evidence: AttemptEvidence) -> String? {
        switch state {
        case .uncertain: evidence.reply ?? "no reply to the final dot"
        default: nil
        }
    }

    private static func delivery(_ row: Row) throws -> Delivery {
        guard let state = Delivery.State(rawValue: row["state"]) else {
            throw LedgerError.storage(reason: "a delivery's state is not readable")
        }
        return Delivery(
            state: state, attempts: row["attempts"], notBefore: Timestamp(milliseconds: row["not_before"]))
    }
}

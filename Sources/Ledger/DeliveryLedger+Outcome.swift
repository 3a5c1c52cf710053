import Foundation
import GRDB
package import Mailing

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
    /// Instant 3, or the end of an attempt before the dot: records what was proven.
    ///
    /// - Parameters:
    ///   - relays: As in `intend`; the slot is moved to the moment at which the dot was really written.
    ///   - attemptedBy: The relay that was tried. If the delivery is another one's meanwhile, nothing that this one
    ///     says counts: what the other one hands over just now would be queued again. Nil for any.
    package func conclude(
        delivery id: Int64, outcome: Outcome, evidence: AttemptEvidence, relays: [String], bootID: BootID,
        retries: RetrySchedule, now: Timestamp, attemptedBy: String? = nil
    ) throws(LedgerError) {
        let key = self.key
        try write { database in
            let row = try Row.fetchOne(
                database.cachedStatement(
                    sql: """
                        SELECT d.state, d.attempts, d.not_before, d.key_until, d.repeating, d.is_test, d.contact,
                          d.address_key, d.relay, c.basis, c.purpose, c.job
                        FROM deliveries d JOIN campaigns c ON c.number = d.campaign WHERE d.id = ?
                        """),
                arguments: [id])
            guard let row else { throw LedgerError.conflict("there is no delivery \(id)") }
            let relay: String = row["relay"]
            guard attemptedBy == nil || attemptedBy == relay else {
                throw LedgerError.conflict("delivery \(id) is the relay \(relay)'s meanwhile")
            }
            var delivery = try Self.delivery(row)
            let before = delivery.state
            let isOpen = before == .queued || before == .uncertain
            guard before == .inFlight || (isOpen && outcome != .sent && outcome != .uncertain) else {
                throw LedgerError.conflict("delivery \(id) is \(before.rawValue) and cannot become \(outcome.word)")
            }
            self.rules.conclude(&delivery, outcome, now, retries)
            try database.cachedStatement(
                sql: """
                    UPDATE deliveries SET state = ?, attempts = ?, not_before = ?, sent_at = ?, reply = ?,
                      enhanced = ?, peer = ?, queue_id = ?, reason = ?, repeating = 0 WHERE id = ? AND state = ?
                    """
            ).execute(arguments: [
                delivery.state.rawValue, delivery.attempts, delivery.notBefore.milliseconds,
                delivery.state == .sent ? now.milliseconds : nil, evidence.reply, evidence.enhanced, evidence.peer,
                evidence.queueID, Self.reason(delivery.state, evidence), id, before.rawValue,
            ])
            guard database.changesCount == 1 else { throw LedgerError.conflict("delivery \(id) changed meanwhile") }
            if before == .inFlight, evidence.writtenAt == nil, outcome != .sent, outcome != .uncertain {
                try Self.forgetHandOver(database, of: id)
            }
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

    static func delivery(_ row: Row) throws -> Delivery {
        guard let state = Delivery.State(rawValue: row["state"]) else {
            throw LedgerError.storage(reason: "a delivery's state is not readable")
        }
        return Delivery(
            state: state, attempts: row["attempts"], notBefore: Timestamp(milliseconds: row["not_before"]),
            keyUntil: (row["key_until"] as Int64?).map(Timestamp.init(milliseconds:)), isRepeating: row["repeating"])
    }
}

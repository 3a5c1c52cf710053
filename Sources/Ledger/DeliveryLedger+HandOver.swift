import Foundation
import GRDB
package import Mailing

/// A relay's claim to a moment for its dot.
package struct SlotClaim: Sendable, Equatable {
    /// Under which the slot is kept: the relay, one of its domains, or "" for the limit over all relays.
    package var name: String
    /// Nanoseconds that must lie between two dots.
    package var interval: Int64

    package init(name: String, interval: Int64) {
        self.name = name
        self.interval = interval
    }

    /// Under which the slot of a domain is kept that a relay limits; no relay has such a name.
    package static func name(relay: String, domain: String) -> String { "\(relay)/\(domain)" }
}

/// What instant 2 is to record if it decides for the dot.
package struct IntentRequest: Sendable, Equatable {
    package var delivery: Int64
    package var messageID: String
    /// When the dot is to be written.
    package var slot: Pacer.StoredSlot
    package var claims: [SlotClaim]
    package var now: Timestamp
    /// The port of this machine from which the session goes out.
    package var localPort: Int?
    /// For how many seconds the relay knows the idempotency key that the message carries; nil if it carries none.
    package var keySeconds: Int64?
    /// To whom the key goes, and in which header: it is known nowhere else.
    package var keyScope: String?
    /// Through which it goes; what has been given to another relay meanwhile is left. Nil for any.
    package var relay: String?
    /// When the relay may carry anything.
    package var relayHours: SendingHours

    package init(
        delivery: Int64, messageID: String, slot: Pacer.StoredSlot, claims: [SlotClaim], now: Timestamp,
        localPort: Int? = nil, keySeconds: Int64? = nil, keyScope: String? = nil, relay: String? = nil,
        relayHours: SendingHours = .always
    ) {
        self.delivery = delivery
        self.messageID = messageID
        self.slot = slot
        self.claims = claims
        self.now = now
        self.localPort = localPort
        self.keySeconds = keySeconds
        self.keyScope = keyScope
        self.relay = relay
        self.relayHours = relayHours
    }
}

/// What instant 2 decided, and the number of the intent if it was recorded.
package struct Intent: Sendable, Equatable {
    package var decision: Delivery.IntentDecision
    package var number: Int64
}

extension DeliveryLedger {
    /// The slot of the last dot of a relay; the empty name stands for all relays together.
    package func storedSlot(relay: String) throws(LedgerError) -> Pacer.StoredSlot? {
        try read { try self.slot($0, relay: relay) }
    }

    func slot(_ database: Database, relay: String) throws -> Pacer.StoredSlot? {
        let row = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT boot_id, at FROM slots WHERE relay = ?"), arguments: [relay])
        return rules.remembered(
            relay, row.map { Pacer.StoredSlot(bootID: BootID($0[0]), at: BootInstant(nanoseconds: $0[1])) })
    }

    /// Instant 2: asks consent, suppression, the campaign and the slot once more and records the intent, in one
    /// transaction.
    ///
    /// When this returned `handOver`, the intent is durable and counted outside of the database too: the dot may go.
    package func intend(_ request: IntentRequest) throws(LedgerError) -> Intent {
        let key = self.key
        let intent = try write { database in
            let row = try Row.fetchOne(
                database.cachedStatement(
                    sql: """
                        SELECT d.state, d.attempts, d.not_before, d.key_until, d.key_scope, d.repeating, d.is_test,
                          d.intent_at, d.address_key, d.contact, d.relay, c.windows, c.job, e.job AS asked_by, c.basis,
                          c.state AS campaign_state, c.expires, c.accepted_at, s.status, s.event,
                          e.recorded_at AS asked_at
                        FROM deliveries d JOIN campaigns c ON c.number = d.campaign
                        LEFT JOIN consent_status s ON s.contact = d.contact AND s.purpose = c.purpose
                        LEFT JOIN consent_events e ON e.number = s.event AND s.status = 'awaiting'
                        WHERE d.id = ?
                        """),
                arguments: [request.delivery])
            guard let row else { throw LedgerError.conflict("there is no delivery \(request.delivery)") }
            var delivery = try Self.delivery(row)
            let state = CampaignState(rawValue: row["campaign_state"])
            let isTest: Bool = row["is_test"]
            let question = Delivery.IntentQuestion(
                now: request.now,
                isRunning: state == .running || (isTest && (state == .held || state == .scheduled)),
                isOfRelay: (request.relay ?? row["relay"]) == row["relay"],
                isOpen: try request.relayHours.isOpen(at: request.now)
                    && (isTest || self.hours(row["windows"]).isOpen(at: request.now)),
                expires: Timestamp(milliseconds: row["expires"]),
                objection: try Self.objection(database, row, isTest: isTest, key: key), slot: request.slot.at,
                freeFrom: try self.freeFrom(database, request))
            let before = delivery.state
            let isKnownKey = before != .uncertain || Self.isKnown(key: row, request)
            let decision = !isKnownKey ? .leaveInDoubt : self.rules.intend(&delivery, question)
            let isAsked = !isTest && row["basis"] as String != Campaign.Basis.service.rawValue
            let number = try Self.apply(
                database, decision, request, from: before, event: isAsked ? row["event"] : nil,
                keyUntil: Self.keyEnd(row, request))
            return Intent(decision: decision, number: number)
        }
        guard intent.decision == .handOver else { return intent }
        do throws(LedgerError) {
            try counter.write(intent.number)
        } catch {
            let reason = "\(error)"
            do throws(LedgerError) {
                try takeBack(delivery: request.delivery)
            } catch {
                throw LedgerError.notTakenBack(reason: reason)
            }
            throw error
        }
        return intent
    }

    /// Whether the key of the first hand-over went where this one goes, by a clock that was not set back since.
    private static func isKnown(key row: Row, _ request: IntentRequest) -> Bool {
        guard let scope: String = row["key_scope"], let intendedAt: Int64 = row["intent_at"] else { return false }
        return scope == request.keyScope && intendedAt <= request.now.milliseconds
    }

    /// A relay counts a key's time from the first hand-over that carried it, also from one that it deferred.
    private static func keyEnd(_ row: Row, _ request: IntentRequest) -> Int64? {
        guard let seconds = request.keySeconds else { return nil }
        let end = request.now.adding(seconds: seconds).milliseconds
        guard let first: Int64 = row["key_until"], row["key_scope"] as String? == request.keyScope else { return end }
        return min(first, end)
    }

    /// When every limit that holds lets the next dot go; nil if none has a dot before it in this boot.
    private func freeFrom(_ database: Database, _ request: IntentRequest) throws -> BootInstant? {
        var free: BootInstant?
        for claim in request.claims {
            guard let last = try slot(database, relay: claim.name), last.bootID == request.slot.bootID else { continue }
            let next = last.at.adding(nanoseconds: claim.interval)
            free = max(free ?? next, next)
        }
        return free
    }

    private static func objection(
        _ database: Database, _ row: Row, isTest: Bool, key: LedgerKey
    ) throws -> WithheldReason? {
        let addressKey: String = row["address_key"]
        let suppressed = try Int.fetchOne(
            database.cachedStatement(sql: "SELECT 1 FROM suppressions WHERE subject = ?"),
            arguments: [Data(key.subject(addressKey))])
        if isTest { return TestMail.objection(isSuppressed: suppressed != nil) }
        // Whom the plan found due to be asked again is due still, unless another campaign asked meanwhile. That this
        // one asked is no objection: the request was proven not to have left, or it is repeated under its key.
        let accepted: Int64 = row["accepted_at"]
        let standing = RecipientStanding(
            isContact: row["contact"] as Int64? != nil,
            status: (row["status"] as String?).flatMap(ConsentStatus.init) ?? .notAsked,
            isSuppressed: suppressed != nil,
            isDueForRenewal: (row["asked_at"] as Int64?).map { $0 < accepted } ?? false
                || (row["asked_by"] as String?).map { $0 == row["job"] as String } ?? false)
        return standing.objection(basis: Campaign.Basis(rawValue: row["basis"]) ?? .consent)
    }

    private static func apply(
        _ database: Database, _ decision: Delivery.IntentDecision, _ request: IntentRequest,
        from before: Delivery.State, event: Int64?, keyUntil: Int64?
    ) throws -> Int64 {
        let sql: String
        var arguments: StatementArguments
        switch decision {
        case .leave, .wait:
            return 0
        case .leaveInDoubt:
            sql = "UPDATE deliveries SET examined = 1 WHERE id = ? AND state = ?"
            arguments = []
        case .withhold(let reason):
            sql = "UPDATE deliveries SET state = 'withheld', reason = ? WHERE id = ? AND state = ?"
            arguments = [reason.rawValue]
        case .expire:
            sql = "UPDATE deliveries SET state = 'expired', reason = ? WHERE id = ? AND state = ?"
            arguments = ["not handed over in time"]
        case .handOver where before == .uncertain:
            sql = """
                UPDATE deliveries SET state = 'inFlight', repeating = 1, slot = ?, intent_at = ?, local_port = ?
                WHERE id = ? AND state = ?
                """
            arguments = [request.slot.at.nanoseconds, request.now.milliseconds, request.localPort]
        case .handOver:
            sql = """
                UPDATE deliveries SET state = 'inFlight', reason = NULL, message_id = ?, slot = ?, intent_at = ?,
                  consent_event = ?, local_port = ?, key_until = ?, key_scope = ? WHERE id = ? AND state = ?
                """
            arguments = [
                request.messageID, request.slot.at.nanoseconds, request.now.milliseconds, event, request.localPort,
                keyUntil, keyUntil == nil ? nil : request.keyScope,
            ]
        }
        arguments += [request.delivery, before.rawValue]
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
        guard database.changesCount == 1 else {
            throw LedgerError.conflict("delivery \(request.delivery) is not \(before.rawValue) any more")
        }
        guard decision == .handOver else { return 0 }
        for claim in request.claims { try store(database, slot: request.slot, relay: claim.name) }
        let count = try Int64.fetchOne(
            database.cachedStatement(
                sql: "UPDATE facts SET value = value + 1 WHERE name = 'intents' RETURNING value"))
        guard let count else { throw LedgerError.conflict("the counter of intents is gone") }
        return count
    }

    /// The latest slot stays: the outcomes of relays that share a limit are not recorded in the order of their dots.
    static func store(_ database: Database, slot: Pacer.StoredSlot, relay: String) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO slots VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET boot_id = excluded.boot_id,
                  at = iif(slots.boot_id = excluded.boot_id, max(slots.at, excluded.at), excluded.at)
                """
        ).execute(arguments: [relay, slot.bootID.text, slot.at.nanoseconds])
    }

    /// Not a byte of the dot was written: back to where it was.
    package func takeBack(delivery id: Int64) throws(LedgerError) {
        try write { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT state, attempts, not_before, key_until, repeating FROM deliveries
                    WHERE id = ? AND state = 'inFlight'
                    """, arguments: [id])
            guard let row else { throw LedgerError.conflict("delivery \(id) is not in flight") }
            var delivery = try Self.delivery(row)
            delivery.takeBack()
            try Self.forgetHandOver(database, of: id)
            try database.execute(
                sql: "UPDATE deliveries SET state = ?, repeating = 0 WHERE id = ? AND state = 'inFlight'",
                arguments: [delivery.state.rawValue, id])
        }
    }
}

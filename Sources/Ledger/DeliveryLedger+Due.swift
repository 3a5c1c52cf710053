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
    /// It is in doubt, and may be handed over once more under its idempotency key.
    package var isInDoubt = false

    package init(
        id: Int64, campaign: Int64, job: JobID, isTest: Bool, address: EmailAddress, fields: [String: String],
        acceptedAt: Timestamp, attempts: Int, isInDoubt: Bool = false
    ) {
        self.id = id
        self.campaign = campaign
        self.job = job
        self.isTest = isTest
        self.address = address
        self.fields = fields
        self.acceptedAt = acceptedAt
        self.attempts = attempts
        self.isInDoubt = isInDoubt
    }
}

/// What a look for due deliveries found.
package enum DueSearch: Sendable, Equatable {
    case due(DueDelivery)
    /// Nothing now; the next one becomes due then. Nil if nothing is queued for this relay.
    case nothing(until: Timestamp?)
}

extension DeliveryLedger {
    /// The next message for a relay: test mails first within a campaign, campaigns in the order of `turns`.
    ///
    /// - Parameter keyScope: To whom idempotency keys go, and in which header; nil if the relay knows none. What is in
    ///   doubt there comes after the rest.
    /// - Parameter limits: The domains that the relay limits; what must wait for its domain holds up nothing else.
    package func nextDue(
        relay: String, now: Timestamp, turns: Turns, keyScope: String? = nil, limits: DomainLimits = DomainLimits()
    ) throws(LedgerError) -> DueSearch {
        try read { database in
            let rows = try Row.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT number, job, basis, state, accepted_at, windows FROM campaigns
                        WHERE state IN ('held', 'scheduled', 'running') AND expires > ?
                          AND state NOT IN ('finished', 'cancelled', 'expired')
                        """),
                arguments: [now.milliseconds])
            let campaigns = Dictionary(uniqueKeysWithValues: rows.map { ($0[0] as Int64, $0) })
            let candidates = rows.map {
                Turns.Candidate(campaign: $0[0], basis: Campaign.Basis(rawValue: $0[2]) ?? .consent)
            }
            var next: Timestamp?
            var closed: [Int64: Timestamp?] = [:]
            for row in rows {
                let hours = try hours(row[5])
                if !hours.isOpen(at: now) { closed[row[0]] = hours.opening(from: now) }
            }
            for candidate in turns.order(candidates) {
                guard let campaign = campaigns[candidate.campaign], let job = JobID(campaign[1]) else { continue }
                let isRunning = campaign[3] as String == CampaignState.running.rawValue
                for isTest in isRunning ? [true, false] : [true] {
                    let queue = DeliveryQueue(campaign: candidate.campaign, relay: relay, isTest: isTest)
                    var head = try self.head(database, of: queue, now: now, limits: limits)
                    if !isTest, let opening = closed[candidate.campaign] { head = head.held(until: opening) }
                    if let row = head.row {
                        let accepted = Timestamp(milliseconds: campaign[4])
                        return .due(
                            try Self.due(database, row, campaign: candidate.campaign, job: job, accepted: accepted))
                    }
                    next = [next, head.next].compactMap { $0 }.min()
                }
            }
            guard let keyScope else { return .nothing(until: next) }
            return try Self.nextDoubt(
                database, relay: relay, keyScope: keyScope, now: now, until: next, closed: closed,
                full: limits.full(at: now))
        }
    }

    private static func nextDoubt(
        _ database: Database, relay: String, keyScope: String, now: Timestamp, until: Timestamp?,
        closed: [Int64: Timestamp?], full: [String: Timestamp]
    ) throws -> DueSearch {
        let openings = closed.values.compactMap { $0 } + full.values
        let until = (openings + [until].compactMap { $0 }).min()
        let row = try Row.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT d.id, d.is_test, d.address, d.address_key, d.contact, d.fields, d.attempts, d.not_before,
                      d.campaign, c.job, c.accepted_at FROM deliveries d JOIN campaigns c ON c.number = d.campaign
                    WHERE d.relay = ?1 AND d.state = 'uncertain' AND d.examined = 0 AND d.key_until > ?2
                      AND d.key_scope = ?3
                      AND c.state = 'running' AND c.expires > ?2
                      AND (d.is_test = 1 OR d.campaign NOT IN (SELECT value FROM json_each(?4)))
                      AND \(domainSQL) NOT IN (SELECT value FROM json_each(?5))
                    ORDER BY d.not_before, d.id LIMIT 1
                    """),
            arguments: [
                relay, now.milliseconds, keyScope, "\(closed.keys.sorted())", try json(full.keys.sorted()),
            ])
        guard let row, let job = JobID(row["job"]) else { return .nothing(until: until) }
        let notBefore = Timestamp(milliseconds: row["not_before"])
        guard notBefore <= now else { return .nothing(until: min(until ?? notBefore, notBefore)) }
        var due = try Self.due(
            database, row, campaign: row["campaign"], job: job, accepted: Timestamp(milliseconds: row["accepted_at"]))
        due.isInDoubt = true
        return .due(due)
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
}

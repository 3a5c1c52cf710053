import Foundation
import GRDB
package import Mailing

/// What a start knows that the ledger cannot know.
package struct StartingPoint: Sendable, Equatable {
    package var now: Timestamp
    /// What tells this machine apart from all others; nil if that is not known.
    package var machine: String?
    /// The highest number of an intent that the system's journal knows of this ledger; nil if it cannot be asked.
    package var intentsInJournal: Int64?
    /// Campaigns are paused after so many seconds without a daemon; nil for never.
    package var holdAfterDowntime: Int64?

    package init(
        now: Timestamp, machine: String? = nil, intentsInJournal: Int64? = nil, holdAfterDowntime: Int64? = nil
    ) {
        self.now = now
        self.machine = machine
        self.intentsInJournal = intentsInJournal
        self.holdAfterDowntime = holdAfterDowntime
    }
}

/// What the start found.
package struct Recovery: Sendable, Equatable {
    /// Why nothing goes on by itself.
    package enum Hold: Sendable, Equatable {
        /// The ledger is older than the counter of intents beside it, or than what the journal tells.
        case restored
        /// The ledger was last used on another machine.
        case otherMachine
        /// Nobody looked after the campaigns for so many seconds.
        case downtime(seconds: Int64)

        /// What the receipts of campaigns say that were dropped after such a start; nil where these are not held.
        package var becauseNew: String? {
            switch self {
            case .restored: "the ledger was restored from an older copy: approve it only if it was not sent before"
            case .otherMachine:
                "the ledger comes from another machine: approve it only if that one has not sent it, and will not"
            case .downtime: nil
            }
        }

        /// What the receipts of the campaigns say.
        package var because: String {
            switch self {
            case .restored:
                "the ledger was restored from an older copy: what it shows as queued may have been sent. Find out "
                    + "what was sent, then resume this campaign by a control job"
            case .otherMachine:
                "the ledger comes from another machine: if that one still sends, people would get everything twice. "
                    + "Stop the other one, then resume this campaign by a control job"
            case .downtime(let seconds):
                "the daemon was down for \(seconds / 3600) h \(seconds / 60 % 60) min, longer than "
                    + "hold_after_downtime: if this mail is still wanted, resume this campaign by a control job"
            }
        }
    }

    /// Deliveries that were in flight, and are uncertain now.
    package var uncertain = 0
    /// The relays on which they were.
    package var relays: Set<String> = []
    /// The limited domains to which they were, by the names of their slots.
    package var domains: Set<String> = []
    package var hold: Hold?
    /// How many campaigns were paused for it.
    package var paused = 0
}

extension DeliveryLedger {
    /// The whole recovery: every delivery still in flight becomes uncertain.
    ///
    /// Where the ledger may not be the newest one, or is not the only one, all campaigns are paused and new ones held:
    /// what it shows as queued may have been sent. After a long downtime the running and scheduled ones are paused.
    package func recover(_ start: StartingPoint) throws(LedgerError) -> Recovery {
        let counted = max(counter.read(), start.intentsInJournal ?? 0)
        let recovery = try write { database in
            var recovery = Recovery()
            try self.recoverInFlight(database, into: &recovery)
            let known = try Int64.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'intents'") ?? 0
            let machine = try String.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'machine'")
            let alive = try Int64.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'alive'")
            let silence = alive.map { (start.now.milliseconds - $0) / 1000 } ?? 0
            if known < counted {
                recovery.hold = .restored
                try database.execute(sql: "UPDATE facts SET value = ? WHERE name = 'intents'", arguments: [counted])
            } else if let machine, let here = start.machine, machine != here {
                recovery.hold = .otherMachine
            } else if let limit = start.holdAfterDowntime, silence > limit {
                recovery.hold = .downtime(seconds: silence)
            }
            if let hold = recovery.hold { recovery.paused = try Self.pauseAll(database, hold) }
            if let machine = start.machine { try Self.set(database, fact: "machine", to: machine) }
            try Self.set(database, fact: "alive", to: start.now.milliseconds)
            return recovery
        }
        if recovery.hold == .restored { try counter.write(counted) }
        return recovery
    }

    private func recoverInFlight(_ database: Database, into recovery: inout Recovery) throws {
        let inFlight = try Row.fetchAll(
            database,
            sql: """
                SELECT d.id, d.state, d.attempts, d.not_before, d.key_until, d.repeating, d.relay, d.is_test, d.contact,
                  d.address_key, d.intent_at, c.basis, c.purpose, c.job
                FROM deliveries d JOIN campaigns c ON c.number = d.campaign WHERE d.state = 'inFlight'
                """)
        recovery.uncertain = inFlight.count
        recovery.relays = Set(inFlight.map { $0["relay"] })
        for row in inFlight {
            let domain = EmailAddress(stored: row["address_key"], key: row["address_key"]).domain
            let slot = SlotClaim.name(relay: row["relay"], domain: domain)
            if try self.slot(database, relay: slot) != nil { recovery.domains.insert(slot) }
            var delivery = try Self.delivery(row)
            rules.recover(&delivery)
            try database.execute(
                sql: "UPDATE deliveries SET state = ?, repeating = 0, reason = ? WHERE id = ?",
                arguments: [
                    delivery.state.rawValue, "the daemon was stopped before the reply came", row["id"] as Int64,
                ])
            try noteRequest(database, row, at: Timestamp(milliseconds: row["intent_at"]))
        }
    }

    private static func pauseAll(_ database: Database, _ hold: Recovery.Hold) throws -> Int {
        if case .downtime = hold {
            return try pause(database, where: "state IN ('scheduled', 'running')", because: hold.because, [])
        }
        try database.execute(
            sql: "INSERT INTO facts VALUES ('restored', ?) ON CONFLICT DO NOTHING",
            arguments: [hold == .otherMachine ? otherMachineMark : restoredMark])
        try database.execute(sql: "INSERT INTO facts VALUES ('lostJobs', 1) ON CONFLICT DO NOTHING")
        return try pause(database, where: "true", because: hold.because, [])
    }

    private static func set(_ database: Database, fact name: String, to value: some DatabaseValueConvertible) throws {
        try database.execute(
            sql: "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            arguments: [name, value])
    }

    /// Notes that the daemon is at work, so that the next start knows how long nobody was.
    package func markAlive(now: Timestamp) throws(LedgerError) {
        try write { try Self.set($0, fact: "alive", to: now.milliseconds) }
    }

    /// What tells this ledger apart from all others, in the journal too.
    package func identity() throws(LedgerError) -> String {
        try read { database in
            try String.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'ledger'") ?? ""
        }
    }

    private static let restoredMark = 1
    private static let otherMachineMark = 2

    /// Why new campaigns are held: the ledger was restored from an older copy, or comes from another machine, and no
    /// person has said since that sending may go on.
    package func holdOnNew() throws(LedgerError) -> Recovery.Hold? {
        try read { try Self.holdOnNew($0) }
    }

    static func holdOnNew(_ database: Database) throws -> Recovery.Hold? {
        let mark = try Int.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'restored'")
        return mark.map { $0 == otherMachineMark ? .otherMachine : .restored }
    }

    /// Whether jobs may have been accepted of which the ledger knows nothing, because it once was an older copy.
    package func mayLackJobs() throws(LedgerError) -> Bool {
        try read { database in
            try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM facts WHERE name = 'lostJobs')") ?? false
        }
    }

    /// A request for consent that left, or may have left, makes the person one who was asked.
    func noteRequest(_ database: Database, _ row: Row, at moment: Timestamp) throws {
        guard row["basis"] as String == Campaign.Basis.consentRequest.rawValue, !(row["is_test"] as Bool),
            let contact: Int64 = row["contact"], let job = JobID(row["job"])
        else { return }
        let proof = ConsentProof(
            purpose: row["purpose"], source: "campaign \(job)", text: nil, at: moment, by: .system, job: job)
        let event = ConsentEvent(kind: .requested, by: .system, at: moment, recordedAt: moment)
        var chain = try ConsentChain(database, key: key)
        _ = try chain.record(event, contact: contact, addressKey: row["address_key"], proof: proof)
    }
}

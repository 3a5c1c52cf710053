import Foundation
import GRDB
package import Mailing

/// What a look for due deliveries has to know of the domains that a relay limits.
package struct DomainLimits: Sendable, Equatable {
    /// Every limited domain, and from when on a message to it may be taken up.
    package var free: [String: Timestamp]

    package init(free: [String: Timestamp] = [:]) {
        self.free = free
    }

    /// Those to which nothing may go now.
    func full(at now: Timestamp) -> [String: Timestamp] { free.filter { $0.value > now } }
}

/// What is queued of one campaign for one relay.
struct DeliveryQueue: Hashable {
    var campaign: Int64
    var relay: String
    var isTest: Bool

    /// The one that is due, or when to look again; neither if nothing is queued.
    struct Head {
        var row: Row?
        var next: Timestamp?

        /// The same where nothing may be taken before a moment; nil for never.
        func held(until opening: Timestamp?) -> Head {
            guard row != nil || next != nil, let opening else { return Head() }
            return Head(next: max(next ?? opening, opening))
        }
    }

    /// A place in the queue, which is ordered by time and number.
    struct Place {
        var notBefore: Int64 = 0
        var id: Int64 = 0
        /// The domains that are limited: only to these goes what stands before the place.
        var limited: Set<String>
        var foundAt: Timestamp

        /// Such a place is looked for anew after so many milliseconds at the latest.
        static let lifetime: Int64 = 3_600_000
    }
}

extension DeliveryLedger {
    func head(
        _ database: Database, of queue: DeliveryQueue, now: Timestamp, limits: DomainLimits
    ) throws -> DeliveryQueue.Head {
        guard !limits.free.isEmpty else {
            guard let row = try Self.firstQueued(database, queue) else { return DeliveryQueue.Head() }
            let notBefore = Timestamp(milliseconds: row["not_before"])
            return notBefore <= now ? DeliveryQueue.Head(row: row) : DeliveryQueue.Head(next: notBefore)
        }
        let rest = try firstUnlimited(database, queue, now: now, limited: Set(limits.free.keys))
        var head = DeliveryQueue.Head(row: rest, next: nil)
        if rest == nil { head.next = try Self.nextLater(database, queue, now: now) }
        for (domain, free) in limits.free.sorted(by: { $0.key < $1.key }) {
            guard let row = try Self.firstQueued(database, queue, domain: domain) else { continue }
            let moment = max(free, Timestamp(milliseconds: row["not_before"]))
            if moment > now {
                head.next = min(head.next ?? moment, moment)
            } else if head.row.map({ Self.place($0) > Self.place(row) }) ?? true {
                head.row = row
            }
        }
        return head
    }

    /// What was proven of the order of queues does not hold any more: something came in between.
    func forgetPlaces() { places = [:] }

    private static func place(_ row: Row) -> (Int64, Int64) { (row["not_before"], row["id"]) }

    private static let columns = "id, is_test, address, address_key, contact, fields, attempts, not_before"
    private static let queueSQL = "campaign = ?1 AND relay = ?2 AND is_test = ?3 AND state = 'queued'"
    /// An address's domain, as the index has it.
    static let domainSQL = "substr(address_key, instr(address_key, '@') + 1)"

    private static func firstQueued(_ database: Database, _ queue: DeliveryQueue) throws -> Row? {
        try Row.fetchOne(
            database.cachedStatement(
                sql: "SELECT \(columns) FROM deliveries WHERE \(queueSQL) ORDER BY not_before, id LIMIT 1"),
            arguments: [queue.campaign, queue.relay, queue.isTest])
    }

    private static func firstQueued(
        _ database: Database, _ queue: DeliveryQueue, domain: String
    ) throws -> Row? {
        try Row.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT \(columns) FROM deliveries INDEXED BY due_by_domain
                    WHERE \(queueSQL) AND \(domainSQL) = ?4 ORDER BY not_before, id LIMIT 1
                    """),
            arguments: [queue.campaign, queue.relay, queue.isTest, domain])
    }

    /// When the first of those that are not due yet is; it may be one that must wait for its domain longer than that.
    private static func nextLater(_ database: Database, _ queue: DeliveryQueue, now: Timestamp) throws -> Timestamp? {
        try Int64.fetchOne(
            database.cachedStatement(
                sql: """
                    SELECT not_before FROM deliveries INDEXED BY due_deliveries
                    WHERE \(queueSQL) AND not_before > ?4 ORDER BY not_before LIMIT 1
                    """),
            arguments: [queue.campaign, queue.relay, queue.isTest, now.milliseconds]
        ).map(Timestamp.init(milliseconds:))
    }

    /// The first that is due to a domain that is not limited.
    ///
    /// What is queued anew comes behind what is due, so a place before which all goes to limited domains stays one: a
    /// hundred thousand of them are passed over once, and not for each message.
    private func firstUnlimited(
        _ database: Database, _ queue: DeliveryQueue, now: Timestamp, limited: Set<String>
    ) throws -> Row? {
        var place = places[queue] ?? DeliveryQueue.Place(limited: limited, foundAt: now)
        let age = now.milliseconds - place.foundAt.milliseconds
        if place.limited != limited || !(0..<DeliveryQueue.Place.lifetime).contains(age)
            || place.notBefore > now.milliseconds
        {
            place = DeliveryQueue.Place(limited: limited, foundAt: now)
        }
        let names = try Self.json(limited.sorted())
        let select = "SELECT \(Self.columns) FROM deliveries INDEXED BY due_deliveries WHERE \(Self.queueSQL)"
        let unlimited = "\(Self.domainSQL) NOT IN (SELECT value FROM json_each(?6))"
        var row = try Row.fetchOne(
            database.cachedStatement(
                sql: "\(select) AND not_before = ?4 AND id >= ?5 AND \(unlimited) ORDER BY id LIMIT 1"),
            arguments: [queue.campaign, queue.relay, queue.isTest, place.notBefore, place.id, names])
        row =
            try row
            ?? Row.fetchOne(
                database.cachedStatement(
                    sql: """
                        \(select) AND not_before > ?4 AND not_before <= ?5 AND \(unlimited)
                        ORDER BY not_before, id LIMIT 1
                        """),
                arguments: [
                    queue.campaign, queue.relay, queue.isTest, place.notBefore, now.milliseconds, names,
                ])
        (place.notBefore, place.id) = row.map(Self.place) ?? (now.milliseconds, 0)
        places[queue] = place
        return row
    }

    /// Forgets the slots of domains that a relay does not limit any more: dots to them leave without a trace.
    package func forgetSlots(relay: String, exceptOf domains: Set<String>) throws(LedgerError) {
        let kept = Set(domains.map { SlotClaim.name(relay: relay, domain: $0) })
        let known = try read { database in
            try String.fetchAll(
                database, sql: "SELECT relay FROM slots WHERE substr(relay, 1, length(?1) + 1) = ?1 || '/'",
                arguments: [relay])
        }
        let idle = known.filter { !kept.contains($0) }
        guard !idle.isEmpty else { return }
        try write { database in
            for name in idle { try database.execute(sql: "DELETE FROM slots WHERE relay = ?", arguments: [name]) }
        }
    }
}

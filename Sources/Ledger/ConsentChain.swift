import Crypto
import Foundation
import GRDB
import Mailing

/// The append-only history of consent within one transaction: what is recorded goes to its end.
///
/// Each event carries a SHA-256 over the hash of the event before it and all that it says itself, so that a changed
/// history is detected. The address enters as its keyed code.
struct ConsentChain {
    private let database: Database
    private let key: LedgerKey
    private var last: Data?
    private var texts: [String: Int64] = [:]

    /// The statements of nearly every event; prepared once.
    private let isRecorded: Statement
    private let standing: Statement
    private let insert: Statement
    private let update: Statement

    init(_ database: Database, key: LedgerKey) throws {
        self.database = database
        self.key = key
        isRecorded = try database.cachedStatement(
            sql: """
                SELECT 1 FROM consent_events WHERE contact = ? AND purpose = ? AND job = ?
                  AND kind = ? AND happened_at = ?
                """)
        standing = try database.cachedStatement(
            sql: "SELECT status, refused_since FROM consent_status WHERE contact = ? AND purpose = ?")
        insert = try database.cachedStatement(
            sql: """
                INSERT INTO consent_events
                  (contact, purpose, kind, actor, happened_at, recorded_at, source, text, job, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        update = try database.cachedStatement(
            sql: """
                INSERT INTO consent_status VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
                SET status = excluded.status, refused_since = excluded.refused_since, event = excluded.event
                """)
    }

    /// Appends an event and returns the status if the event changed it.
    ///
    /// - Parameter isNew: Whether the contact was registered in this transaction, and so has no history.
    mutating func record(
        _ event: ConsentEvent, contact: Int64, isNew: Bool = false, addressKey: String, proof: ConsentProof
    ) throws -> ConsentStatus? {
        // After a crash a job begins anew: what it recorded already stands.
        if !isNew, try stands(event, contact: contact, proof: proof) { return nil }
        let known = isNew ? ConsentStanding.none : try standing(of: contact, purpose: proof.purpose)
        var standing = known
        standing.apply(event)
        let number = try append(event, contact: contact, addressKey: addressKey, proof: proof)
        guard standing != known || ConsentChain.renews(event.kind, standing.status) else { return nil }
        try update.execute(arguments: [
            contact, proof.purpose, standing.status.rawValue, standing.refusedSince?.milliseconds, number,
        ])
        return standing.status != known.status ? standing.status : nil
    }

    private func stands(_ event: ConsentEvent, contact: Int64, proof: ConsentProof) throws -> Bool {
        try Int.fetchOne(
            isRecorded,
            arguments: [contact, proof.purpose, proof.job.text, event.kind.rawValue, event.at.milliseconds]) != nil
    }

    private func standing(of contact: Int64, purpose: String) throws -> ConsentStanding {
        let rows = try Row.fetchCursor(standing, arguments: [contact, purpose])
        guard let row = try rows.next() else { return .none }
        guard let status = ConsentStatus(rawValue: row[0]) else {
            throw LedgerError.storage(reason: "the consent of contact \(contact) is not readable")
        }
        return ConsentStanding(
            status: status, refusedSince: (row[1] as Int64?).map(Timestamp.init(milliseconds:)))
    }

    /// A later yes is newer evidence, and a later request a newer date, for the same status.
    private static func renews(_ kind: ConsentEvent.Kind, _ status: ConsentStatus) -> Bool {
        switch kind {
        case .accepted, .imported, .renewed: status == .accepted
        case .requested: status == .awaiting
        case .refused, .withdrawn, .erased: false
        }
    }

    private mutating func append(
        _ event: ConsentEvent, contact: Int64, addressKey: String, proof: ConsentProof
    ) throws -> Int64 {
        let previous = try last ?? ConsentChain.end(database)
        let source = try textID(proof.source)
        let text = try proof.text.map { try textID($0) }
        let hash = ConsentChain.hash(
            previous: previous, subject: key.subject(addressKey),
            parts: [
                proof.purpose, event.kind.rawValue, event.by.rawValue, "\(event.at.milliseconds)",
                "\(event.recordedAt.milliseconds)", proof.source, proof.text ?? "", proof.job.text,
            ])
        try insert.execute(arguments: [
            contact, proof.purpose, event.kind.rawValue, event.by.rawValue, event.at.milliseconds,
            event.recordedAt.milliseconds, source, text, proof.job.text, hash,
        ])
        last = hash
        return database.lastInsertedRowID
    }

    private static func end(_ database: Database) throws -> Data {
        let sql = "SELECT hash FROM consent_events ORDER BY number DESC LIMIT 1"
        return try Data.fetchOne(database.cachedStatement(sql: sql)) ?? Data(count: 32)
    }

    private mutating func textID(_ text: String) throws -> Int64 {
        if let known = texts[text] { return known }
        let select = try database.cachedStatement(sql: "SELECT id FROM consent_texts WHERE text = ?")
        if let id = try Int64.fetchOne(select, arguments: [text]) {
            texts[text] = id
            return id
        }
        try database.execute(sql: "INSERT INTO consent_texts (text) VALUES (?)", arguments: [text])
        texts[text] = database.lastInsertedRowID
        return database.lastInsertedRowID
    }

    private static func hash(previous: Data, subject: [UInt8], parts: [String]) -> Data {
        var hash = SHA256()
        hash.update(data: previous)
        hash.update(data: subject)
        for part in parts {
            hash.update(data: Array("\(part.utf8.count):".utf8))
            hash.update(data: Array(part.utf8))
        }
        return Data(hash.finalize())
    }

    /// Walks the chain from its beginning and returns the number of the first event that does not fit.
    static func firstBroken(_ database: Database, key: LedgerKey) throws -> Int64? {
        try walk(database, ConsentChainWalk(), key: key, limit: .max).firstBroken
    }

    /// Goes on with a walk by so many events.
    static func walk(
        _ database: Database, _ start: ConsentChainWalk, key: LedgerKey, limit: Int
    ) throws -> ConsentChainWalk {
        var walk = start
        var seen = 0
        let rows = try Row.fetchCursor(
            database.cachedStatement(
                sql: """
                    SELECT e.number, e.hash, c.address_key, e.purpose, e.kind, e.actor, e.happened_at, e.recorded_at,
                      s.text, coalesce(t.text, ''), e.job
                    FROM consent_events e
                    JOIN contacts c ON c.id = e.contact JOIN consent_texts s ON s.id = e.source
                    LEFT JOIN consent_texts t ON t.id = e.text WHERE e.number > ? ORDER BY e.number LIMIT ?
                    """), arguments: [walk.last, Int64(limit)])
        while let row = try rows.next() {
            seen += 1
            let expected = hash(
                previous: Data(walk.hash), subject: key.subject(row[2]),
                parts: [
                    row[3], row[4], row[5], "\(row[6] as Int64)", "\(row[7] as Int64)", row[8], row[9], row[10],
                ])
            walk.last = row[0]
            walk.hash = Array(expected)
            guard row[1] == expected else {
                walk.firstBroken = walk.last
                break
            }
        }
        walk.isOver = seen < limit || walk.firstBroken != nil
        return walk
    }
}

/// How far the chain of consent was walked, and what was found.
package struct ConsentChainWalk: Sendable, Equatable {
    fileprivate var last: Int64 = 0
    fileprivate var hash = [UInt8](repeating: 0, count: 32)
    /// The number of the first event whose hash does not fit; nil if all fit so far.
    package fileprivate(set) var firstBroken: Int64?
    package fileprivate(set) var isOver = false

    /// A walk that begins at the first event.
    package init() {}
}

extension DeliveryLedger {
    /// Walks the chain of consent and returns the number of the first event whose hash does not fit; nil if all do.
    package func firstBrokenConsentEvent() throws(LedgerError) -> Int64? {
        let key = self.key
        return try read { try ConsentChain.firstBroken($0, key: key) }
    }

    /// Goes on with a walk along the chain of consent by so many events: a long history is looked through in parts, so
    /// that nobody waits for the ledger meanwhile.
    package func walkConsentChain(_ walk: ConsentChainWalk, events limit: Int) throws(LedgerError) -> ConsentChainWalk {
        let key = self.key
        return try read { try ConsentChain.walk($0, walk, key: key, limit: limit) }
    }
}

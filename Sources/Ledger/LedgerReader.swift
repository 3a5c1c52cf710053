import Foundation
import GRDB
package import Mailing

/// A look at the ledger that can change nothing: beside the daemon that works on it, or while none does.
///
/// The connection is read-only, so it neither makes nor migrates a ledger, nor moves the write-ahead log into it; each
/// question sees one moment. It keeps nobody from writing. The caller has to be allowed to write the two files -wal
/// and -shm: where no daemon has them open SQLite makes them anew, empty, with the ledger's owner and mode. All calls
/// block.
package struct LedgerReader: Sendable {
    package let path: String
    private let queue: DatabaseQueue

    /// Opens a ledger that is there.
    ///
    /// Fails with `absent`, `unreadable`, `newerVersion`, `olderVersion`, `foreignFile` or `damaged`, each of which
    /// says what to do.
    package init(path: String) throws(LedgerError) {
        self.path = path
        var status = stat()
        guard stat(path, &status) == 0 else {
            switch errno {
            case ENOENT: throw .absent(path: path)
            case EACCES: throw .unreadable(path: path)
            default: throw .file(path: path, reason: currentError())
            }
        }
        guard access(path, R_OK) == 0 else { throw .unreadable(path: path) }
        guard status.st_size > 0 else { throw .absent(path: path) }
        queue = try LedgerReader.connect(path, label: "campaignctl.ledger")
    }

    /// Opens a connection that cannot change the ledger, as the daemon opens its own.
    static func connect(_ path: String, label: String) throws(LedgerError) -> DatabaseQueue {
        var configuration = DeliveryLedger.configuration
        configuration.readonly = true
        configuration.label = label
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.inDatabase { try checkVersion($0, path: path) }
            return queue
        } catch {
            throw whyUnusable(error, path: path)
        }
    }

    private static func checkVersion(_ database: Database, path: String) throws {
        let application = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let known = LedgerSchema.migrations.count
        guard application == LedgerSchema.applicationID else {
            let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") == 0
            throw application == 0 && isEmpty ? LedgerError.absent(path: path) : .foreignFile(path: path)
        }
        guard version <= known else { throw LedgerError.newerVersion(path: path, found: version, known: known) }
        guard version == known else { throw LedgerError.olderVersion(path: path, found: version, known: known) }
    }

    static func whyUnusable(_ error: any Error, path: String) -> LedgerError {
        guard let error = error as? DatabaseError else { return .wrapping(error) }
        switch error.extendedResultCode {
        case .SQLITE_READONLY_ROLLBACK:
            return .storage(reason: "\(path) has to be put right by campaignd after a crash: start it once")
        case _ where error.resultCode == .SQLITE_READONLY || error.resultCode == .SQLITE_CANTOPEN:
            return .unreadable(path: path)
        default:
            return DeliveryLedger.whyUnusable(error, path: path)
        }
    }

    /// Asks something, of one moment.
    func read<Value>(_ question: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.read(question)
        } catch {
            throw LedgerReader.whyUnusable(error, path: path)
        }
    }

    /// Does something outside of a transaction.
    func readWithoutTransaction<Value>(_ work: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.inDatabase(work)
        } catch {
            throw LedgerReader.whyUnusable(error, path: path)
        }
    }

    /// The key beside the ledger, which only root and campaignd may read.
    func key() throws(LedgerError) -> LedgerKey {
        try LedgerKey.load(path: path + ".key", mayCreate: false)
    }
}

/// What a ledger says about itself.
package struct LedgerFacts: Sendable, Equatable {
    /// The version of its tables.
    package var version: Int
    /// What tells it apart from all others, in the journal too.
    package var identity: String
    /// How many hand-overs it knows of.
    package var intents: Int64
    /// How many were counted beside it; nil where that file is not there or may not be read.
    package var countedIntents: Int64?
    /// When a daemon last noted that it was at work.
    package var aliveAt: Timestamp?
    /// A code of the machine on which it was last used.
    package var machine: String?
    /// Why new campaigns are held.
    package var hold: Recovery.Hold?
}

extension LedgerReader {
    package func facts() throws(LedgerError) -> LedgerFacts {
        // The counter is written after the ledger: read before it, it is never ahead of a sound ledger.
        let counted = IntentCounter.look(path: path + ".intents")
        return try read { database in
            func fact<Value: DatabaseValueConvertible>(_ name: String, as: Value.Type) throws -> Value? {
                try Value.fetchOne(database, sql: "SELECT value FROM facts WHERE name = ?", arguments: [name])
            }
            return LedgerFacts(
                version: try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0,
                identity: try fact("ledger", as: String.self) ?? "", intents: try fact("intents", as: Int64.self) ?? 0,
                countedIntents: counted,
                aliveAt: try fact("alive", as: Int64.self).map(Timestamp.init(milliseconds:)),
                machine: try fact("machine", as: String.self), hold: try DeliveryLedger.holdOnNew(database))
        }
    }
}

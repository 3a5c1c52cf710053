import CSQLite
import Foundation
import GRDB
package import Mailing

/// The durable record of everything that was asked, allowed and done: one SQLite file, one writing connection.
///
/// Each verb is one transaction. After a verb returned, its change survives a power cut (WAL, `synchronous=FULL`); if
/// it threw, nothing changed. No type of SQLite shows in its interface.
package actor DeliveryLedger {
    package nonisolated let key: LedgerKey
    private let executor: any SerialExecutor
    private let queue: DatabaseQueue
    private let lock: LedgerLock
    nonisolated let counter: IntentCounter
    nonisolated let rules: HandOverRules
    private nonisolated let zoneRule: @Sendable (String) -> TimeZoneRule?
    nonisolated let place: LedgerPlace
    /// Up to where queues hold only what goes to limited domains.
    var places: [DeliveryQueue: DeliveryQueue.Place] = [:]
    /// Whether another program keeps the ledger locked.
    private var isLocked = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens the ledger, making it where there is none.
    ///
    /// - Parameters:
    ///   - path: The SQLite file. Its key is `path.key`, its lock `path.lock`, its counter of intents `path.intents`.
    ///   - rules: The decisions inside the transactions.
    ///   - zoneRule: What is known of a time zone; a window in one that is not known is never open.
    ///   - executor: What its work runs on; by default a thread of its own, because SQLite blocks.
    package init(
        path: String, rules: HandOverRules = HandOverRules(),
        zoneRule: @escaping @Sendable (String) -> TimeZoneRule? = { _ in nil }, executor: (any SerialExecutor)? = nil
    ) throws(LedgerError) {
        self.executor = executor ?? LedgerExecutor()
        self.rules = rules
        self.zoneRule = zoneRule
        lock = try LedgerLock(path: path + ".lock")
        let counter = try IntentCounter(path: path + ".intents")
        let isNew = try LedgerPlace.isToBeMade(path, intents: counter.read())
        // A new ledger's key comes first, so that there is never a ledger without one.
        var made: LedgerKey?
        if isNew { made = try LedgerKey.load(path: path + ".key", mayCreate: true) }
        let queue: DatabaseQueue
        do {
            // What is damaged, or no ledger of ours, is left as it is: a connection that may write would roll a journal
            // back first, and make what is missing beside it.
            if !isNew { try DeliveryLedger.inspect(path, intents: counter.read()) }
            queue = try DatabaseQueue(path: path, configuration: DeliveryLedger.configuration)
            try queue.inDatabase { try DeliveryLedger.checkIdentity($0, path: path, intents: counter.read()) }
        } catch {
            throw DeliveryLedger.whyUnusable(error, path: path)
        }
        let key: LedgerKey
        if let made { key = made } else { key = try LedgerKey.load(path: path + ".key", mayCreate: false) }
        do {
            try queue.inDatabase { database in
                try DeliveryLedger.makeDurable(database)
                try DeliveryLedger.migrate(database)
                try DeliveryLedger.checkKey(database, key: key, path: path + ".key")
            }
        } catch {
            throw DeliveryLedger.whyUnusable(error, path: path)
        }
        place = try LedgerPlace(path: path)
        self.counter = counter
        self.key = key
        self.queue = queue
    }

    /// When the campaign of a row may be sent.
    nonisolated func hours(_ windows: String?) throws -> SendingHours {
        SendingHours(try Self.windows(windows), rule: zoneRule)
    }

    /// The windows of a campaign, as its row has them: one a line.
    static func windows(_ text: String?) throws -> [SendingWindow] {
        try (text ?? "").split(separator: "\n").map { line in
            guard let window = SendingWindow(stored: String(line)) else {
                throw LedgerError.storage(reason: "the windows of a campaign are not readable")
            }
            return window
        }
    }

    static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "campaignd.ledger"
        // Any other class makes Dispatch ask for a thread priority, which a hardened service is refused.
        configuration.qos = .unspecified
        configuration.busyMode = .timeout(10)
        // Without recursive triggers an `INSERT OR REPLACE` would get past the triggers that forbid deleting. With
        // temporary files SQLite takes and frees 64 KiB for the journal of nearly every statement, and the page
        // faults that follow take four fifths of the time of planning.
        configuration.prepareDatabase { database in
            try leaveLog(database, true)
            try database.execute(
                sql: """
                    PRAGMA recursive_triggers = ON;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA trusted_schema = OFF;
                    PRAGMA cell_size_check = ON;
                    PRAGMA mmap_size = 0;
                    PRAGMA cache_size = -6144;
                    PRAGMA journal_size_limit = 16777216;
                    """)
        }
        return configuration
    }

    /// Says whether closing the connection leaves the write-ahead log as it is.
    ///
    /// SQLite moves the log into the file by itself when the last connection is closed, and removes it. It removes it
    /// unread, and everything in it is lost, when it could not set up the memory that connections share (`-shm`): seen
    /// with 3.40.1 and a disk that fails twice while the ledger is opened.
    private static func leaveLog(_ database: Database, _ isLeft: Bool) throws {
        guard let connection = database.sqliteConnection,
            campaignd_sqlite_leave_log(connection, isLeft ? 1 : 0) == SQLITE_OK
        else { throw LedgerError.storage(reason: "SQLite does not take SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE") }
    }

    /// Looks at a ledger without being able to change it.
    private static func inspect(_ path: String, intents: Int64) throws {
        var configuration = DeliveryLedger.configuration
        configuration.readonly = true
        do {
            let reader = try DatabaseQueue(path: path, configuration: configuration)
            try reader.inDatabase { try checkIdentity($0, path: path, intents: intents) }
            try reader.close()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_READONLY {
            // A crash left something that only a connection that may write can put right; that one looks again.
        }
    }

    /// Refuses what is no ledger of ours, or no sound one, before anything is written to it.
    private static func checkIdentity(_ database: Database, path: String, intents: Int64) throws {
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let application = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") == 0
        guard application == LedgerSchema.applicationID || (application == 0 && version == 0 && isEmpty) else {
            throw LedgerError.foreignFile(path: path)
        }
        // Without its write-ahead log even a ledger that was used for long may be empty.
        guard !isEmpty || intents == 0 else { throw LedgerError.missing(path: path) }
        guard version <= LedgerSchema.migrations.count else {
            throw LedgerError.newerVersion(path: path, found: version, known: LedgerSchema.migrations.count)
        }
        let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
        guard verdict == "ok" else { throw LedgerError.damaged(path: path, reason: verdict) }
    }

    /// Not by GRDB's `journalMode`: that would lower `synchronous` to NORMAL, and a commit could be lost.
    private static func makeDurable(_ database: Database) throws {
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
        try database.execute(sql: "PRAGMA synchronous = FULL")
        let synchronous = try Int.fetchOne(database, sql: "PRAGMA synchronous")
        guard mode == "wal", synchronous == 2 else {
            throw LedgerError.storage(
                reason: "it must be in WAL mode with synchronous=FULL, and is in \(mode ?? "none") with "
                    + "\(synchronous ?? -1): is it on a local file system?")
        }
    }

    private static func migrate(_ database: Database) throws {
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        for (index, migration) in LedgerSchema.migrations.enumerated().dropFirst(version) {
            try database.inTransaction(.immediate) {
                try database.execute(sql: migration)
                try database.execute(sql: "PRAGMA application_id = \(LedgerSchema.applicationID)")
                try database.execute(sql: "PRAGMA user_version = \(index + 1)")
                return .commit
            }
        }
    }

    private static func checkKey(_ database: Database, key: LedgerKey, path: String) throws {
        let known = try String.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'key'")
        guard let known else {
            try database.inTransaction(.immediate) {
                try database.execute(
                    sql: "INSERT INTO facts VALUES ('key', ?), ('intents', 0)", arguments: [key.checkValue])
                return .commit
            }
            return
        }
        guard known == key.checkValue else { throw LedgerError.wrongKey(path: path) }
    }

    static func whyUnusable(_ error: any Error, path: String) -> LedgerError {
        switch error {
        case let error as DatabaseError where error.resultCode == .SQLITE_NOTADB || error.resultCode == .SQLITE_CORRUPT:
            .damaged(
                path: path, reason: "\(error.message ?? "unknown error") (SQLite \(error.extendedResultCode.rawValue))")
        default: .wrapping(error)
        }
    }

    /// Ends the use of the ledger: everything is moved from the write-ahead log into the one file.
    ///
    /// What cannot be moved stays in the log, where the next start finds it: that is no error.
    package func close() throws(LedgerError) {
        do {
            try queue.inDatabase { database in
                // Whoever reads just now holds up no stop.
                _ = try? Self.setPatience(database, milliseconds: 100)
                // Of three numbers the first is 0 if nobody and nothing was in the way; then the log is empty.
                let row = try? Row.fetchOne(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
                if row?[0] == 0 { try Self.leaveLog(database, false) }
            }
            try queue.close()
        } catch {
            throw LedgerError.wrapping(error)
        }
    }

    /// Runs a verb in one transaction that is durable when this returns.
    ///
    /// Fails if the file is not in its place any more: what is written now would be lost with the next start.
    func write<Value>(_ verb: (Database) throws -> Value) throws(LedgerError) -> Value {
        try place.check()
        do {
            return try queue.writeWithoutTransaction { database in
                var value: Value?
                try database.inTransaction(.immediate) {
                    value = try verb(database)
                    return .commit
                }
                guard let value else { throw LedgerError.conflict("a transaction gave no result") }
                if isLocked { isLocked = try !Self.setPatience(database, milliseconds: Self.patience) }
                return value
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            // Everybody waits in one queue: while it is known to be locked, nobody waits for long.
            do {
                if !isLocked { isLocked = try queue.inDatabase { try Self.setPatience($0, milliseconds: 100) } }
            } catch {
                throw LedgerError.wrapping(error)
            }
            throw LedgerError.wrapping(error)
        } catch {
            throw LedgerError.wrapping(error)
        }
    }

    /// How long a lock of another program is waited for, in milliseconds.
    private static let patience = 10_000

    private static func setPatience(_ database: Database, milliseconds: Int) throws -> Bool {
        try database.execute(sql: "PRAGMA busy_timeout = \(milliseconds)")
        return true
    }

    /// Reads; on the same connection, so that it sees all that was written.
    func read<Value>(_ question: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.inDatabase(question)
        } catch {
            throw LedgerError.wrapping(error)
        }
    }
}

/// Keeps a second daemon away from the ledger, for as long as this value lives.
final class LedgerLock: Sendable {
    private let descriptor: Int32

    init(path: String) throws(LedgerError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .file(path: path, reason: currentError()) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .locked(path: path)
        }
    }

    deinit { close(descriptor) }
}

import GRDB

/// Why the ledger cannot be used, in words for the administrator.
package enum LedgerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Made by a newer campaignd. Exit status 78.
    case newerVersion(path: String, found: Int, known: Int)
    /// Made by an older campaignd, and only to be looked at, which does not bring it up to date.
    case olderVersion(path: String, found: Int, known: Int)
    /// Nobody has made one yet, as far as is to be seen.
    case absent(path: String)
    /// This user may not read it, or not what SQLite keeps beside it.
    case unreadable(path: String)
    /// Not a ledger at all. Exit status 78.
    case foreignFile(path: String)
    /// Not readable as what it was. It is left as it is. Exit status 78.
    case damaged(path: String, reason: String)
    /// There was one, and it is gone or empty. Exit status 78.
    case missing(path: String)
    /// The key beside the ledger is not the one that it was made with. Exit status 78.
    case wrongKey(path: String)
    /// Another daemon works on it.
    case locked(path: String)
    /// A file could not be read or written.
    case file(path: String, reason: String)
    /// SQLite refused. Nothing was changed.
    case storage(reason: String)
    /// An intent was recorded but not counted beside the ledger, and could not be taken back. No dot may be written;
    /// the outcome must be recorded as soon as the ledger can be written.
    case notTakenBack(reason: String)
    /// Two writers, or a fault of ours: a row is not in the state that it must be in.
    case conflict(String)

    package var description: String {
        switch self {
        case .newerVersion(let path, let found, let known):
            "the ledger \(path) has version \(found), and this campaignd knows version \(known) at most: "
                + "install the newer campaignd again"
        case .olderVersion(let path, let found, let known):
            "the ledger \(path) has version \(found), and this program looks at version \(known): start campaignd of "
                + "the same release once, it brings the ledger up to date"
        case .absent(let path):
            "there is no ledger \(path) yet: campaignd makes it when it is first started"
        case .unreadable(let path):
            "the ledger \(path), with its -wal and -shm, may not be read by this user: run this as root or as campaignd"
        case .foreignFile(let path):
            "\(path) is an SQLite file of another program: let [ledger] path name another file"
        case .damaged(let path, let reason):
            "the ledger \(path) is damaged (\(reason)): put the newest good copy in its place, "
                + "and move \(path)-wal and \(path)-shm away first, which belong to the damaged one; "
                + "do not delete it, or what was sent before would be forgotten"
        case .missing(let path):
            "the ledger \(path) is gone or empty, but the counter beside it (\(path).intents) shows that messages were "
                + "handed over: put the newest good copy in its place, and move \(path)-wal and \(path)-shm away "
                + "first; only if nothing may be remembered, remove the counter too"
        case .wrongKey(let path):
            "the key \(path) is not the one that the ledger was made with: put the right key back, "
                + "or suppressed people would be mailed again"
        case .locked(let path):
            "another campaignd works on this ledger (it holds the lock \(path))"
        case .file(let path, let reason):
            "\(path): \(reason)"
        case .storage(let reason):
            "the ledger cannot be used: \(reason)"
        case .notTakenBack(let reason):
            "the intent could not be counted: \(reason)"
        case .conflict(let what):
            "the ledger refused a change: \(what)"
        }
    }

    /// Whether the configuration or the installation must be mended before a start makes sense.
    package var isConfiguration: Bool {
        switch self {
        case .newerVersion, .foreignFile, .damaged, .missing, .wrongKey: true
        case .olderVersion, .absent, .unreadable, .locked, .file, .storage, .notTakenBack, .conflict: false
        }
    }

    /// Whether a fault of one row is meant, and not that the ledger as a whole cannot be used.
    package var isOfOneRow: Bool {
        if case .conflict = self { true } else { false }
    }

    static func wrapping(_ error: any Error) -> LedgerError {
        switch error {
        case let error as LedgerError: error
        case let error as DatabaseError:
            .storage(reason: "\(error.message ?? "unknown error") (SQLite \(error.extendedResultCode.rawValue))")
        default: .storage(reason: String(describing: error))
        }
    }
}

import Foundation
import GRDB

/// A copy of a ledger that was made and looked through.
package struct LedgerBackup: Sendable, Equatable {
    package var path: String
    /// Of the copy, in bytes.
    package var size: Int64
    /// How many hand-overs the copy knows of.
    package var intents: Int64
    /// Where the copy of the key is; nil if only the ledger was copied.
    package var keyPath: String?
}

extension LedgerReader {
    /// Copies the ledger as it is at one moment into a new file of mode 0600, beside a daemon that goes on working.
    ///
    /// The copy is compact, one file without -wal and -shm, durable and looked through when this returns. Nothing is
    /// overwritten; if it throws, nothing is left behind. The counter of intents is not copied: put back, the copy has
    /// to be told from the newest ledger by it.
    ///
    /// - Parameter withKey: Copies the key too, as `path.key`: without it the copy is of no use.
    package func backUp(to target: String, withKey: Bool) throws(LedgerError) -> LedgerBackup {
        for path in withKey ? [target, target + ".key"] : [target] {
            var status = stat()
            guard lstat(path, &status) != 0 else {
                throw .file(path: path, reason: "is there already, and is not overwritten")
            }
        }
        let part = try LedgerBackup.newFile(beside: target)
        defer { unlink(part) }
        try readWithoutTransaction { try $0.execute(sql: "VACUUM INTO ?", arguments: [part]) }
        let intents = try LedgerBackup.verify(part)
        let size = try LedgerBackup.synchronize(part)
        var keyPath: String?
        // The key first: a copy of the ledger that stands is then complete.
        if withKey { keyPath = try copyKey(to: target + ".key") }
        do throws(LedgerError) {
            try LedgerBackup.move(part, to: target)
        } catch {
            if let keyPath { unlink(keyPath) }
            throw error
        }
        return LedgerBackup(path: target, size: size, intents: intents, keyPath: keyPath)
    }

    private func copyKey(to target: String) throws(LedgerError) -> String {
        // What cannot be read as a key is not worth keeping.
        _ = try key()
        guard let bytes = FileManager.default.contents(atPath: path + ".key") else {
            throw .file(path: path + ".key", reason: "cannot be read")
        }
        let part = try LedgerBackup.newFile(beside: target)
        defer { unlink(part) }
        let descriptor = open(part, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw .file(path: part, reason: currentError()) }
        let isWritten = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count
        let reason = currentError()
        close(descriptor)
        guard isWritten else { throw .file(path: part, reason: reason) }
        _ = try LedgerBackup.synchronize(part)
        try LedgerBackup.move(part, to: target)
        return target
    }
}

extension LedgerBackup {
    /// An empty file that only its owner may read, in the directory of `target`.
    fileprivate static func newFile(beside target: String) throws(LedgerError) -> String {
        let path = target + ".part"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            let hint = errno == EEXIST ? "; it is left over from a copy that was cut off: remove it" : ""
            throw .file(path: path, reason: currentError() + hint)
        }
        close(descriptor)
        return path
    }

    /// Whether the copy is a sound ledger. Returns how many hand-overs it knows of.
    fileprivate static func verify(_ path: String) throws(LedgerError) -> Int64 {
        let copy = try LedgerReader(path: path)
        return try copy.read { database in
            let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
            guard verdict == "ok" else { throw LedgerError.damaged(path: path, reason: verdict) }
            return try Int64.fetchOne(database, sql: "SELECT value FROM facts WHERE name = 'intents'") ?? 0
        }
    }

    fileprivate static func synchronize(_ path: String) throws(LedgerError) -> Int64 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw .file(path: path, reason: currentError()) }
        defer { close(descriptor) }
        var status = stat()
        guard fsync(descriptor) == 0, fstat(descriptor, &status) == 0 else {
            throw .file(path: path, reason: currentError())
        }
        return Int64(status.st_size)
    }

    /// Gives a finished copy its name, unless something has it by now.
    fileprivate static func move(_ part: String, to target: String) throws(LedgerError) {
        guard link(part, target) == 0, syncDirectory(of: target) else {
            throw .file(path: target, reason: currentError())
        }
    }
}

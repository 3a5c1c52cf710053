import Glibc

/// The spool: where programs drop jobs and find their answers.
///
/// Only this module knows its layout. Everything is done relative to descriptors that are opened once, so a directory
/// that is replaced behind our back is noticed by `IncomingHints.mustRearm`; then make a new `SpoolDirectory`. All
/// calls block, none waits. Except for `lock()` itself, call them only while holding the lock.
package struct SpoolDirectory: Sendable {
    package let path: String
    package let limits: DropLimits

    let root: SpoolDescriptor
    let incoming: SpoolDescriptor
    let temporary: SpoolDescriptor
    let work: SpoolDescriptor
    let claims: SpoolDescriptor
    let kept: SpoolDescriptor
    let removed: SpoolDescriptor
    let receipts: SpoolDescriptor
    let rejected: SpoolDescriptor
    let drafts = Drafts()

    /// Opens a spool and makes what is missing of it. Modes of what is there already are left alone.
    package init(path: String, limits: DropLimits = DropLimits()) throws(SpoolError) {
        self.path = path
        self.limits = limits
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            throw SpoolError("make the directory", path, code: errno)
        }
        root = try SpoolDescriptor.directory(path: path)
        // Submitters may create and rename in these two, but neither list them nor touch what others dropped.
        incoming = try SpoolDirectory.subdirectory("incoming", of: root, mode: 0o3770)
        temporary = try SpoolDirectory.subdirectory("tmp", of: root, mode: 0o3770)
        work = try SpoolDirectory.subdirectory("work", of: root, mode: 0o700)
        claims = try SpoolDirectory.subdirectory("claimed", of: work, mode: 0o700)
        kept = try SpoolDirectory.subdirectory("kept", of: work, mode: 0o700)
        removed = try SpoolDirectory.subdirectory("removed", of: work, mode: 0o700)
        receipts = try SpoolDirectory.subdirectory("receipts", of: root, mode: 0o2750)
        rejected = try SpoolDirectory.subdirectory("rejected", of: root, mode: 0o2750)
        for name: DirectoryEntryName in ["inbound", "outbox"] {
            let maildir = try SpoolDirectory.subdirectory(name, of: root, mode: 0o770)
            for part: DirectoryEntryName in ["tmp", "new", "cur"] {
                _ = try SpoolDirectory.subdirectory(part, of: maildir, mode: 0o770)
            }
            try maildir.synchronize()
        }
        // What is kept in them must not be lost with them in a power cut.
        try work.synchronize()
        try root.synchronize()
    }

    /// Path of a directory of the spool that is not any more where it was opened; nil if all are.
    package func lostDirectory() -> String? {
        let opened: [(name: DirectoryEntryName, directory: SpoolDescriptor)] = [
            ("incoming", incoming), ("tmp", temporary), ("work", work), ("receipts", receipts), ("rejected", rejected),
        ]
        let lost = opened.first { name, directory in
            // What cannot be examined now is judged when it is used.
            guard let found = try? root.status(of: name), let known = try? directory.status() else {
                return (try? root.status(of: name)) == .some(nil)
            }
            return found.inode != known.inode
        }
        return lost.map { root.path(of: $0.name) }
    }

    /// The Maildir for what comes back: bounces, complaints, unsubscribe mails.
    package var inboundPath: String { path + "/inbound" }

    /// The Maildir that the embedded relay delivers to.
    package var outboxPath: String { path + "/outbox" }

    /// Bytes that the daemon may still write to the spool's file system.
    package func freeBytes() throws(SpoolError) -> Int64 {
        var status = statvfs()
        guard fstatvfs(root.number, &status) == 0 else { throw SpoolError("examine", path, code: errno) }
        let (bytes, isTooMany) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return isTooMany ? .max : Int64(clamping: bytes)
    }

    /// How many drops wait in incoming/, up to `limit`.
    package func waitingDrops(limit: Int = 10_000) throws(SpoolError) -> Int {
        try incoming.entries(limit: limit, where: DropName.isLookedAt).count
    }

    private static func subdirectory(
        _ name: DirectoryEntryName, of parent: SpoolDescriptor, mode: mode_t
    ) throws(SpoolError) -> SpoolDescriptor {
        _ = try parent.makeDirectory(name, mode: mode)
        guard let found = try parent.status(of: name), found.kind == .directory else {
            throw SpoolError(parent.path(of: name), detail: "must be a directory, not a link or a file; remove it")
        }
        let directory = try parent.openDirectory(name)
        guard try directory.status().device == parent.status().device else {
            throw SpoolError(directory.path, detail: "must be on the same file system as the rest of the spool")
        }
        return directory
    }
}

/// Proof that this process alone serves a spool, for as long as the value lives.
package final class SpoolLock: Sendable {
    private let file: SpoolDescriptor

    fileprivate init(file: SpoolDescriptor) {
        self.file = file
    }
}

extension SpoolDirectory {
    /// Locks the spool against a second daemon; the error names the process that has it.
    package func lock() throws(SpoolError) -> SpoolLock {
        let file = try work.open("lock", O_RDWR | O_CREAT, mode: 0o600)
        guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw SpoolError("lock", file.path, code: errno) }
            let holder = String(decoding: try file.contents(limit: 64), as: UTF8.self)
            let who = Int32(holder).map { "process \($0)" } ?? "another process"
            throw SpoolError(path, detail: "is already served by \(who); stop that one first")
        }
        guard ftruncate(file.number, 0) == 0 else { throw SpoolError("write", file.path, code: errno) }
        try file.write(Array(String(getpid()).utf8))
        return SpoolLock(file: file)
    }
}

/// The most that a drop may hold.
package struct DropLimits: Hashable, Sendable {
    /// Bytes of a `NAME.json`, which carries everything inside.
    package var singleFile: Int64 = 16 << 20
    /// Bytes of the job.json of a bundle.
    package var jobFile: Int64 = 4 << 20
    /// Bytes of any other file of a bundle.
    package var otherFile: Int64 = 64 << 20
    /// Bytes of all files of a bundle together.
    package var bundle: Int64 = 256 << 20
    /// Files of a bundle; it may have as many directories.
    package var files = 100
    /// Components of a path in a bundle: 1 is a file right inside it.
    package var depth = 4

    package init() {}
}

import Foundation

/// A file of the ledger as it lies in its directory.
package struct LedgerFile: Sendable, Equatable {
    package var path: String
    package var owner: UInt32
    package var group: UInt32
    /// The permission bits.
    package var mode: UInt32
}

/// What belongs to a ledger besides its tables.
package enum LedgerFiles {
    /// The directory first, then those files of the ledger that are there; nil for what may not be looked at.
    package static func look(path: String) -> [LedgerFile]? {
        let directory = (path as NSString).deletingLastPathComponent
        var files: [LedgerFile] = []
        for file in [directory] + ["", "-wal", "-shm", ".key", ".lock", ".intents"].map({ path + $0 }) {
            var status = stat()
            guard lstat(file, &status) == 0 else {
                if errno == ENOENT { continue }
                return nil
            }
            files.append(
                LedgerFile(path: file, owner: status.st_uid, group: status.st_gid, mode: status.st_mode & 0o7777))
        }
        return files
    }

    /// The process that works on the ledger; nil if none does, as far as may be seen. 0 for one that cannot be named.
    ///
    /// Read from /proc/locks: asking for the lock would keep a daemon that just starts away from it.
    package static func holder(path: String) -> Int32? {
        var status = stat()
        guard stat(path + ".lock", &status) == 0 else { return nil }
        // The kernel gives the list in pages: while locks come and go a reading may pass one over.
        for _ in 0..<10 {
            guard let locks = locks() else { return nil }
            if let holder = holder(of: UInt64(status.st_ino), in: locks) { return holder }
        }
        return nil
    }

    /// Read to its end by hand: the kernel gives a page at a time, and Foundation takes a short one for the last.
    private static func locks() -> String? {
        let descriptor = open("/proc/locks", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var page = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &page, page.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += page.prefix(count)
        }
    }

    private static func holder(of inode: UInt64, in locks: String) -> Int32? {
        for line in locks.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK", words[3] == "WRITE" else { continue }
            guard words[5].split(separator: ":").last.flatMap({ UInt64($0) }) == inode else { continue }
            return Int32(words[4]) ?? 0
        }
        return nil
    }
}

import Foundation

/// Where the ledger's file is, and whether it is still the one that was opened.
struct LedgerPlace: Sendable {
    private let path: String
    private let device: UInt64
    private let inode: UInt64

    init(path: String) throws(LedgerError) {
        self.path = path
        var status = stat()
        guard stat(path, &status) == 0 else { throw .file(path: path, reason: currentError()) }
        (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }

    /// Whether there is no ledger yet. A ledger that was there and is gone is never replaced by an empty one.
    ///
    /// - Parameter intents: How many were counted beside the ledger.
    static func isToBeMade(_ path: String, intents: Int64) throws(LedgerError) -> Bool {
        var status = stat()
        let isThere = stat(path, &status) == 0
        guard isThere || errno == ENOENT else { throw .file(path: path, reason: currentError()) }
        guard intents == 0 || (isThere && status.st_size > 0) else { throw .missing(path: path) }
        return !isThere
    }

    /// Bytes of the file, of its write-ahead log (0 where there is none), and those free on their file system.
    func sizes() throws(LedgerError) -> (file: Int64, writeAheadLog: Int64, free: Int64) {
        var system = statvfs()
        guard statvfs(path, &system) == 0 else { throw .file(path: path, reason: currentError()) }
        let (bytes, isTooMany) = UInt64(system.f_bavail).multipliedReportingOverflow(by: UInt64(system.f_frsize))
        let free = isTooMany ? .max : Int64(clamping: bytes)
        return (try size(of: path), try size(of: path + "-wal"), free)
    }

    private func size(of file: String) throws(LedgerError) -> Int64 {
        var status = stat()
        if stat(file, &status) == 0 { return Int64(status.st_size) }
        guard errno == ENOENT else { throw .file(path: file, reason: currentError()) }
        return 0
    }

    func check() throws(LedgerError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw .file(path: path, reason: currentError()) }
        guard UInt64(status.st_dev) == device, UInt64(status.st_ino) == inode else {
            throw .file(path: path, reason: "another file was put in its place while the daemon ran; restart it")
        }
    }
}

import Foundation
import TestSupport

/// Pages of a ledger that are overwritten while the daemon works with it, and put back.
struct LedgerDamage {
    private let path: String

    /// What is in the log is moved into the file first, so that the file has all. A commit of another connection, which
    /// changes nothing, makes the daemon's own read the pages again.
    private static let script = """
        import sqlite3, sys
        act, path = sys.argv[1:]
        page = 4096
        if act == "spoil":
            database = sqlite3.connect(path, timeout=30)
            busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                sys.exit("the write-ahead log is in use")
            data = open(path, "rb").read()
            with open(path + ".sound", "wb") as copy:
                copy.write(data)
            new = b"\\xa5" * (len(data) - page)
        else:
            new = open(path + ".sound", "rb").read()[page:]
        with open(path, "r+b", buffering=0) as file:
            file.seek(page)
            file.write(new)
        other = sqlite3.connect(path, timeout=30, isolation_level=None)
        version = other.execute("PRAGMA user_version").fetchone()[0]
        other.execute(f"PRAGMA user_version = {version}")
        """

    /// - Parameter path: of a ledger that a daemon has open.
    init(_ path: String) {
        self.path = path
    }

    /// Overwrites all pages but the first.
    func spoil() async throws { try await run("spoil") }

    /// Puts back what they held.
    func mend() async throws { try await run("mend") }

    private func run(_ act: String) async throws {
        let result = try await runPython(Self.script, [act, path])
        guard result.status == 0 else { throw TestSupportError("the ledger is not damaged: \(result.errorText)") }
    }
}

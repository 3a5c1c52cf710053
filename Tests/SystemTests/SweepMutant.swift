import TestSupport

/// Recoveries that break the promise: done by another program, between a crash and the next start.
enum SweepMutant {
    /// What a daemon would do that does not know doubt.
    static func forgetWhatWasInFlight(_ ledger: String) async throws {
        let result = try await runPython(
            """
            import sqlite3, sys
            with sqlite3.connect(sys.argv[1]) as ledger:
                if ledger.execute("SELECT 1 FROM sqlite_master WHERE name = 'deliveries'").fetchone():
                    ledger.execute("UPDATE deliveries SET state = 'queued' WHERE state = 'inFlight'")
            ledger.close()
            """, [ledger])
        guard result.status == 0 else { throw TestSupportError(result.errorText) }
    }
}

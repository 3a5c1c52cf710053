import GRDB
import Testing

@testable import Ledger

@Suite struct LedgerErrorTests {
    @Test(arguments: [
        (LedgerError.newerVersion(path: "/l", found: 3, known: 1), true), (.foreignFile(path: "/l"), true),
        (.damaged(path: "/l", reason: "page 3"), true), (.wrongKey(path: "/l"), true), (.locked(path: "/l"), false),
        (.file(path: "/l", reason: "no room"), false), (.storage(reason: "full"), false), (.conflict("x"), false),
    ])
    func `what an administrator must mend first is told from what may pass`(error: LedgerError, mustMend: Bool) {
        #expect(error.isConfiguration == mustMend)
        #expect(!error.description.isEmpty)
    }

    @Test func `an error of SQLite keeps its words and its code`() {
        let error = LedgerError.wrapping(DatabaseError(resultCode: .SQLITE_FULL, message: "database or disk is full"))
        #expect(error.description == "the ledger cannot be used: database or disk is full (SQLite 13)")
        #expect(LedgerError.wrapping(LedgerError.conflict("x")) == .conflict("x"))
    }
}

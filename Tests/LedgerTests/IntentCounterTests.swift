import Foundation
import TestSupport
import Testing

@testable import Ledger

@Suite struct IntentCounterTests {
    @Test func `a count is there when the file is opened again`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("intents")
        let counter = try IntentCounter(path: path)
        #expect(counter.read() == 0)
        for count: Int64 in [1, 2, 99, 100, 1_000_000_000_000] {
            try counter.write(count)
            #expect(try IntentCounter(path: path).read() == count)
        }
        #expect(try directory.read("intents").count == 20)
    }

    @Test(arguments: ["", "7", "0000000000000000000x", String(repeating: "9", count: 20)])
    func `a torn counter says nothing`(text: String) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(text, to: "intents")
        #expect(try IntentCounter(path: path).read() == 0)
    }

    @Test func `a counter that cannot be opened names its file`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("missing/intents")
        #expect(throws: LedgerError.file(path: path, reason: "No such file or directory")) {
            try IntentCounter(path: path)
        }
    }
}

import Foundation
import Mailing
import TestSupport
import Testing

@testable import Ledger

@Suite struct LedgerPlaceTests {
    /// A ledger that handed one message over and was closed in good order.
    private func usedLedger() async throws -> (path: String, directory: TemporaryDirectory) {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        let ledger = LedgerFixture(directory: directory, ledger: try DeliveryLedger(path: path))
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        #expect(try await ledger.intend(try ledger.delivery("a@example.org")) == .handOver)
        try await ledger.ledger.close()
        return (path, directory)
    }

    private func names(_ directory: TemporaryDirectory) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: directory.path))
    }

    @Test func `a ledger that is gone is not replaced by an empty one`() async throws {
        let (path, directory) = try await usedLedger()
        try FileManager.default.removeItem(atPath: path)
        let before = try names(directory)
        let error = #expect(throws: LedgerError.missing(path: path)) { try DeliveryLedger(path: path) }
        #expect(error?.isConfiguration == true)
        #expect(error?.description.contains("\(path).intents") == true)
        #expect(try names(directory) == before)
    }

    @Test func `a ledger that was emptied is not begun anew`() async throws {
        let (path, directory) = try await usedLedger()
        try directory.write("", to: "ledger.sqlite")
        #expect(throws: LedgerError.missing(path: path)) { try DeliveryLedger(path: path) }
        #expect(try directory.read("ledger.sqlite").isEmpty)
    }

    @Test func `a ledger is made where nothing was handed over yet, or where a person removed the counter too`()
        async throws
    {
        let fresh = try TemporaryDirectory()
        #expect(throws: Never.self) { try DeliveryLedger(path: fresh.path("ledger.sqlite")) }
        let (path, directory) = try await usedLedger()
        for suffix in ["", ".intents", ".key"] { try FileManager.default.removeItem(atPath: path + suffix) }
        let ledger = try DeliveryLedger(path: path)
        #expect(try await ledger.campaignNumbers().isEmpty)
        #expect(try names(directory).contains("ledger.sqlite.key"))
    }

    @Test(arguments: ["removed", "replaced", "moved away"])
    func `nothing is handed over when the file is not in its place any more`(how: String) async throws {
        let ledger = try LedgerFixture()
        let people = ["a@example.org", "b@example.org"]
        try await ledger.register(people)
        try await ledger.campaign(to: people)
        let (first, second) = (try ledger.delivery(people[0]), try ledger.delivery(people[1]))
        #expect(try await ledger.intend(first) == .handOver)
        try FileManager.default.moveItem(atPath: ledger.path, toPath: ledger.path + ".old")
        if how == "removed" { try FileManager.default.removeItem(atPath: ledger.path + ".old") }
        if how == "replaced" {
            try FileManager.default.copyItem(atPath: ledger.path + ".old", toPath: ledger.path)
        }
        let error = await #expect(throws: LedgerError.self) { try await ledger.intend(second) }
        guard case .file(ledger.path, let reason) = error else {
            Issue.record("it was \(String(describing: error))")
            return
        }
        #expect(reason.contains(how == "replaced" ? "restart it" : "No such file"))
        #expect(ledger.ledger.counter.read() == 1)
        guard how == "moved away" else { return }
        try FileManager.default.moveItem(atPath: ledger.path + ".old", toPath: ledger.path)
        #expect(try await ledger.intend(second) == .handOver)
    }

    @Test func `a path that cannot be looked at is named`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("", to: "file")
        let path = directory.path("file/ledger.sqlite")
        #expect(throws: LedgerError.file(path: path, reason: "Not a directory")) { try LedgerPlace(path: path) }
        #expect(throws: LedgerError.file(path: path, reason: "Not a directory")) {
            try LedgerPlace.isToBeMade(path, intents: 0)
        }
    }
}

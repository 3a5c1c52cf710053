import Foundation
import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

@Suite struct LedgerReaderTests {
    private static let now = LedgerFixture.now

    private func names(_ directory: TemporaryDirectory) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: directory.path))
    }

    /// A ledger with a campaign to two people of which one has been sent.
    private func used() async throws -> LedgerFixture {
        let fixture = try LedgerFixture()
        try await fixture.register(["a@example.org", "b@example.org"])
        try await fixture.campaign(to: ["a@example.org", "b@example.org"])
        let delivery = try fixture.delivery("a@example.org")
        #expect(try await fixture.intend(delivery) == .handOver)
        try await fixture.conclude(delivery, .sent)
        return fixture
    }

    @Test func `it sees beside the open ledger what was written, and what is written then`() async throws {
        let fixture = try await used()
        let reader = try LedgerReader(path: fixture.path)
        #expect(try reader.campaign(try jobID("mailing"))?.counts.sent == 1)
        let delivery = try fixture.delivery("b@example.org")
        #expect(try await fixture.intend(delivery) == .handOver)
        #expect(try reader.campaign(try jobID("mailing"))?.counts.inFlight == 1)
        #expect(try reader.facts().intents == 2)
        #expect(try reader.facts().countedIntents == 2)
    }

    @Test func `the ledger is written while a question is being answered`() async throws {
        let fixture = try await used()
        let reader = try LedgerReader(path: fixture.path)
        let writer = try DatabaseQueue(path: fixture.path)
        try reader.read { database in
            let before = try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs")
            try writer.inDatabase { try $0.execute(sql: "INSERT INTO facts VALUES ('test', 1)") }
            #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM facts WHERE name = 'test'") == 0)
            #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs") == before)
        }
        try writer.close()
    }

    @Test func `it cannot write`() async throws {
        let fixture = try await used()
        let reader = try LedgerReader(path: fixture.path)
        #expect(throws: LedgerError.self) {
            try reader.readWithoutTransaction { try $0.execute(sql: "INSERT INTO facts VALUES ('test', 1)") }
        }
    }

    /// The directory of a ledger that was used and closed in good order.
    private func closed() async throws -> TemporaryDirectory {
        let fixture = try await used()
        try await fixture.ledger.close()
        return fixture.directory
    }

    @Test func `a ledger that nobody works on is read, and its file stays as it is`() async throws {
        let directory = try await closed()
        let path = directory.path("ledger.sqlite")
        #expect(try !names(directory).contains("ledger.sqlite-wal"))
        let before = try directory.read("ledger.sqlite")
        let reader = try LedgerReader(path: path)
        #expect(try reader.campaigns().map(\.counts.sent) == [1])
        #expect(try directory.read("ledger.sqlite") == before)
        // A daemon may start meanwhile, and the reader sees what it does.
        let daemon = try DeliveryLedger(path: path)
        try await daemon.markAlive(now: Self.now.adding(seconds: 5))
        #expect(try reader.facts().aliveAt == Self.now.adding(seconds: 5))
        try await daemon.close()
        #expect(try reader.facts().aliveAt == Self.now.adding(seconds: 5))
    }

    @Test func `what a crash left in the write-ahead log is read, and stays there`() async throws {
        let fixture = try await used()
        let crashed = try TemporaryDirectory()
        for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
            try crashed.write(try fixture.directory.read(name), to: name)
        }
        let log = try crashed.read("ledger.sqlite-wal")
        #expect(!log.isEmpty)
        try {
            let reader = try LedgerReader(path: crashed.path("ledger.sqlite"))
            #expect(try reader.campaigns().map(\.counts.sent) == [1])
        }()
        #expect(try crashed.read("ledger.sqlite-wal") == log)
        #expect(try !names(crashed).contains("ledger.sqlite.lock"))
    }

    @Test func `where there is no ledger none is made`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        #expect(throws: LedgerError.absent(path: path)) { try LedgerReader(path: path) }
        #expect(try names(directory).isEmpty)
        try directory.write("", to: "ledger.sqlite")
        #expect(throws: LedgerError.absent(path: path)) { try LedgerReader(path: path) }
        #expect(try names(directory) == ["ledger.sqlite"])
    }

    @Test(arguments: ["file", "directory", "no daemon and a directory that is not to be written"])
    func `somebody who may not read it is told who may`(what: String) async throws {
        // The child process begins this test anew, with the rights of nobody.
        await #expect(processExitsWith: .success) { [what] in
            let fixture = try LedgerFixture()
            if what.hasPrefix("no daemon") { try await fixture.ledger.close() }
            switch what {
            case "file": chmod(fixture.path, 0)
            case "directory": chmod(fixture.directory.path, 0)
            default: chmod(fixture.directory.path, 0o555)
            }
            if what == "file" { chmod(fixture.directory.path, 0o755) }
            becomeUnprivileged()
            do throws(LedgerError) {
                _ = try LedgerReader(path: fixture.path)
            } catch {
                let isTold = error == .unreadable(path: fixture.path)
                exit(isTold && error.description.contains("as root or as campaignd") ? 0 : 1)
            }
            exit(2)
        }
    }

    @Test func `a ledger of another release is told apart from one of this`() async throws {
        let known = LedgerSchema.migrations.count
        for found in [known + 1, known - 1] {
            let fixture = try LedgerFixture()
            try await fixture.ledger.close()
            try LedgerFixture.raw(fixture.path) { try $0.execute(sql: "PRAGMA user_version = \(found)") }
            let error = #expect(throws: LedgerError.self) { try LedgerReader(path: fixture.path) }
            let expected =
                found > known
                ? LedgerError.newerVersion(path: fixture.path, found: found, known: known)
                : .olderVersion(path: fixture.path, found: found, known: known)
            #expect(error == expected)
            #expect(try fixture.count("PRAGMA user_version") == found)
        }
    }

    @Test func `a damaged file and one of another program are told apart`() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(String(repeating: "no ledger at all ", count: 500), to: "ledger.sqlite")
        let error = #expect(throws: LedgerError.self) { try LedgerReader(path: path) }
        guard case .damaged = error else {
            Issue.record("it was \(String(describing: error))")
            return
        }
        let other = directory.path("other.sqlite")
        try LedgerFixture.raw(other) { try $0.execute(sql: "CREATE TABLE t (a)") }
        #expect(throws: LedgerError.foreignFile(path: other)) { try LedgerReader(path: other) }
    }

    @Test func `a damaged page is told when a question meets it`() async throws {
        let fixture = try await used()
        try await fixture.ledger.close()
        var bytes = try fixture.directory.read("ledger.sqlite")
        for page in 1..<bytes.count / 4096 {
            bytes.replaceSubrange(page * 4096..<page * 4096 + 64, with: Array(repeating: 0xA5, count: 64))
        }
        try fixture.directory.write(bytes, to: "ledger.sqlite")
        let error = #expect(throws: LedgerError.self) { try LedgerReader(path: fixture.path).campaigns() }
        guard case .damaged = error else {
            Issue.record("it was \(String(describing: error))")
            return
        }
    }
}

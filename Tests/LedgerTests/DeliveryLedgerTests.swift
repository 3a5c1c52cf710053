import Foundation
import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

@Suite struct DeliveryLedgerTests {
    @Test func `every commit is synced, foreign keys hold, and triggers see what a REPLACE deletes`() async throws {
        let ledger = try LedgerFixture()
        let found = try await ledger.ledger.read { database in
            try [
                "journal_mode", "synchronous", "foreign_keys", "trusted_schema", "recursive_triggers",
                "cell_size_check", "mmap_size",
            ].map { pragma in "\(pragma) \(try String.fetchOne(database, sql: "PRAGMA \(pragma)") ?? "none")" }
        }
        #expect(
            found == [
                "journal_mode wal", "synchronous 2", "foreign_keys 1", "trusted_schema 0", "recursive_triggers 1",
                "cell_size_check 1", "mmap_size 0",
            ])
    }

    @Test func `what was recorded is there after the next start`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        let proof = ConsentProof(
            purpose: "newsletter", source: "form", text: nil, at: LedgerFixture.now, by: .import,
            job: try jobID("import"))
        let entry = ContactEntry(
            address: try address("a@example.org"), name: nil, language: nil, number: nil, attributes: [:],
            answer: .imported)
        do {
            let first = try DeliveryLedger(path: path)
            _ = try await first.register([entry], group: nil, proof: proof, now: LedgerFixture.now)
        }
        let second = try DeliveryLedger(path: path)
        #expect(try await second.consentStatus(entry.address, purpose: "newsletter") == .accepted)
    }

    @Test func `only one daemon opens a ledger, and the next one when the first is gone`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        var first: DeliveryLedger? = try DeliveryLedger(path: path)
        #expect(throws: LedgerError.locked(path: path + ".lock")) { try DeliveryLedger(path: path) }
        #expect(try await first?.openCampaigns().isEmpty == true)
        first = nil
        #expect(throws: Never.self) { try DeliveryLedger(path: path) }
    }

    @Test func `a ledger of a newer campaignd is refused and left alone`() async throws {
        let path = try await closedLedger()
        let known = LedgerSchema.migrations.count
        try LedgerFixture.raw(path.file) { try $0.execute(sql: "PRAGMA user_version = \(known + 1)") }
        #expect(throws: LedgerError.newerVersion(path: path.file, found: known + 1, known: known)) {
            try DeliveryLedger(path: path.file)
        }
        #expect(try LedgerFixture.raw(path.file) { try Int.fetchOne($0, sql: "PRAGMA user_version") } == known + 1)
    }

    @Test(arguments: ["", "PRAGMA user_version = 1", "PRAGMA application_id = 7"])
    func `the database of another program is refused and not a byte of it changes`(pragma: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("other.sqlite")
        try LedgerFixture.raw(path) { try $0.execute(sql: "CREATE TABLE t (x); INSERT INTO t VALUES (1); \(pragma)") }
        let before = try directory.read("other.sqlite")
        #expect(throws: LedgerError.foreignFile(path: path)) { try DeliveryLedger(path: path) }
        #expect(try directory.read("other.sqlite") == before)
        #expect(!FileManager.default.fileExists(atPath: path + ".key"))
    }

    @Test func `a file that is no database is refused and not a byte of it changes`() throws {
        let directory = try TemporaryDirectory()
        let text = String(repeating: "Not a database. ", count: 500)
        let path = try directory.write(text, to: "ledger.sqlite")
        #expect(throws: LedgerError.self) { try DeliveryLedger(path: path) }
        #expect(try directory.read("ledger.sqlite") == Array(text.utf8))
    }

    @Test func `a damaged ledger is refused, named as such, and not a byte of it changes`() async throws {
        let path = try await closedLedger()
        var bytes = try path.directory.read("ledger.sqlite")
        for index in stride(from: 4096 + 100, to: bytes.count, by: 7) { bytes[index] ^= 0x5A }
        try path.directory.write(bytes, to: "ledger.sqlite")
        let error = #expect(throws: LedgerError.self) { try DeliveryLedger(path: path.file) }
        guard case .damaged(path.file, _) = error else {
            Issue.record("it was \(String(describing: error))")
            return
        }
        #expect(error?.isConfiguration == true)
        #expect(try path.directory.read("ledger.sqlite") == bytes)
    }

    /// A start reads of the people only whom it needs.
    @Test func `a ledger that is damaged where a start reads nothing is refused as well`() async throws {
        let directory = try await closedLedger(of: (1...3000).map { "reader\($0)@readers.example" })
        let path = directory.path("ledger.sqlite")
        let page = try #require(
            try LedgerFixture.raw(path) {
                try Int.fetchOne(
                    $0,
                    sql: """
                        SELECT pageno FROM dbstat WHERE name = 'contacts' AND pagetype = 'leaf'
                        ORDER BY path LIMIT 1 OFFSET 20
                        """)
            })
        var bytes = try directory.read("ledger.sqlite")
        for index in (page - 1) * 4096..<page * 4096 { bytes[index] = 0xA5 }
        try directory.write(bytes, to: "ledger.sqlite")
        let error = #expect(throws: LedgerError.self) { try DeliveryLedger(path: path) }
        guard case .damaged(path, _) = error else {
            Issue.record("it was \(String(describing: error))")
            return
        }
        #expect(try directory.read("ledger.sqlite") == bytes)
    }

    @Test func `a ledger whose key is lost is refused, and no new key is made for it`() async throws {
        let path = try await closedLedger()
        try FileManager.default.removeItem(atPath: path.file + ".key")
        #expect(throws: LedgerError.wrongKey(path: path.file + ".key")) { try DeliveryLedger(path: path.file) }
        #expect(!FileManager.default.fileExists(atPath: path.file + ".key"))
    }

    @Test func `a ledger with the key of another one is refused`() async throws {
        let path = try await closedLedger()
        try path.directory.write(String(repeating: "ab", count: 32) + "\n", to: "ledger.sqlite.key")
        #expect(throws: LedgerError.wrongKey(path: path.file + ".key")) { try DeliveryLedger(path: path.file) }
    }

    @Test func `a start that was cut off after the key was made goes on with that key`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        try directory.write(String(repeating: "ab", count: 32) + "\n", to: "ledger.sqlite.key")
        let ledger = try DeliveryLedger(path: path)
        #expect(ledger.key.checkValue == LedgerKey(bytes: [UInt8](repeating: 0xAB, count: 32)).checkValue)
    }

    @Test func `a verb that fails at its last statement leaves no half change`() async throws {
        let people = ["a@example.org", "b@example.org", "c@example.org"]
        let ledger = try LedgerFixture()
        try await ledger.register(people)
        let campaign = try await ledger.campaign(to: people)
        _ = try await ledger.intend(try ledger.delivery("b@example.org"))
        let first = try ledger.delivery("a@example.org")
        let flying = try ledger.delivery("b@example.org")
        try await ledger.begin("next")
        let plan = try ledger.plan("next")
        let next = try await ledger.ledger.beginPlan(plan)

        try await fails(ledger, "INSERT ON slots") { _ = try await ledger.intend(first) }
        try await fails(ledger, "UPDATE ON facts") { _ = try await ledger.intend(first) }
        try await fails(ledger, "INSERT ON suppressions") {
            try await ledger.conclude(flying, .bounced(suppress: true))
        }
        try await fails(ledger, "UPDATE OF last_sent_at ON campaigns") { try await ledger.conclude(flying, .sent) }
        try await fails(ledger, "INSERT ON tallies") { try await ledger.recover() }
        try await fails(ledger, "INSERT ON consent_tallies") { try await ledger.add(people, to: next, plan) }
        try await fails(ledger, "UPDATE ON jobs") {
            try await ledger.ledger.commitPlan(
                campaign: next, job: plan.job, state: .running, because: nil, warnings: [])
        }
        try await fails(ledger, "DELETE ON campaigns") { _ = try await ledger.ledger.beginPlan(plan) }
        try await fails(ledger, "UPDATE ON consent_status") { try await ledger.record(.withdrawn, "a@example.org") }
        try await fails(ledger, "INSERT ON consent_status") {
            try await ledger.register(["new@example.org"], job: "i2")
        }
        try await fails(ledger, "UPDATE OF state ON deliveries WHEN NEW.state = 'expired'") {
            _ = try await ledger.ledger.advance(
                campaign: campaign, now: LedgerFixture.now.adding(seconds: 100_000), limit: 10)
        }
        // Without the fault the same verbs work: it was the fault that stopped them.
        #expect(try await ledger.intend(first) == .handOver)
        try await ledger.conclude(flying, .bounced(suppress: true))
        try await ledger.add(people, to: next, plan)
    }

    @Test func `on a full disk nothing is handed over, and all goes on when there is room again`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        let delivery = try ledger.delivery("a@example.org")
        try await ledger.ledger.read { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            try database.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
        let before = try ledger.dump()
        let many = (0..<2000).map { "reader-\($0)@example.org" }
        let error = await #expect(throws: LedgerError.self) { try await ledger.register(many) }
        #expect(error?.description.contains("full") == true)
        #expect(try ledger.dump() == before)
        try await ledger.ledger.read { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        #expect(try await ledger.intend(delivery) == .handOver)
    }

    @Test func `no verb leaves a read transaction open`() async throws {
        let ledger = try LedgerFixture()
        let people = (0..<20).map { "reader-\($0)@example.org" }
        try await ledger.register(people, group: "readers")
        let campaign = try await ledger.campaign(to: people)
        let store = ledger.ledger
        _ = try await store.recipientRecords(campaign: campaign, after: 0, limit: 3)
        _ = try await store.setAsideRecords(campaign: campaign, after: 0, limit: 3)
        _ = try await store.members(ofGroup: "readers", after: 0, limit: 3)
        _ = try await store.jobs(after: "", limit: 1)
        _ = try await store.summary(campaign: campaign)
        _ = try await ledger.due()
        _ = try await store.firstBrokenConsentEvent()
        try ledger.raw { database in
            let row = try #require(try Row.fetchOne(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)"))
            #expect(row[0] as Int == 0)
        }
        #expect(try ledger.directory.read("ledger.sqlite-wal").isEmpty)
    }

    /// A ledger that was made and closed in good order, so that its file is complete without the -wal beside it.
    private func closedLedger() async throws -> (file: String, directory: TemporaryDirectory) {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        try await DeliveryLedger(path: path).close()
        return (path, directory)
    }

    /// The same with these people in it.
    private func closedLedger(of people: [String]) async throws -> TemporaryDirectory {
        let fixture = try LedgerFixture()
        try await fixture.register(people)
        try await fixture.ledger.close()
        return fixture.directory
    }

    /// Expects that a verb throws when a statement of it is refused, and that the whole file is as before.
    private func fails(_ ledger: LedgerFixture, _ event: String, _ verb: () async throws -> Void) async throws {
        try ledger.execute("CREATE TRIGGER fault BEFORE \(event) BEGIN SELECT RAISE(ABORT, 'injected fault'); END")
        let before = try ledger.dump()
        do {
            try await verb()
            Issue.record("\(event): no fault was met")
        } catch let error as LedgerError {
            #expect(error.description.contains("injected fault"), "\(event)")
        }
        #expect(try ledger.dump() == before, "\(event)")
        try ledger.execute("DROP TRIGGER fault")
    }
}

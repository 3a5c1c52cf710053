import Foundation
import GRDB
import Mailing
import Testing

@testable import Ledger

@Suite struct LedgerExaminationTests {
    private let fixture: LedgerFixture

    init() async throws {
        fixture = try LedgerFixture()
        try await fixture.register(["a@example.org", "b@example.org"])
        try await fixture.campaign(to: ["a@example.org", "a@example.org", "b@example.org"], tests: ["c@example.org"])
        let delivery = try fixture.delivery("a@example.org")
        #expect(try await fixture.intend(delivery) == .handOver)
        try await fixture.conclude(delivery, .sent)
    }

    private func outcomes() throws -> [String: LedgerFinding.Outcome] {
        let findings = try LedgerReader(path: fixture.path).examine()
        return Dictionary(findings.map { ($0.check, $0.outcome) }) { first, _ in first }
    }

    private static let sound: [String: LedgerFinding.Outcome] = [
        "integrity": .sound, "foreignKeys": .sound, "counts": .sound, "key": .sound, "consentChain": .sound,
        "intents": .sound,
    ]

    @Test func `a sound ledger is sound in all that is looked into`() throws {
        #expect(try outcomes() == Self.sound)
    }

    @Test(arguments: [
        ("foreignKeys", "PRAGMA foreign_keys = OFF; UPDATE deliveries SET contact = 99"),
        ("counts", "UPDATE tallies SET count = count + 1 WHERE state = 'sent'"),
        ("counts", "DELETE FROM tallies WHERE state = 'setAside'"),
        ("counts", "UPDATE relay_tallies SET count = 7 WHERE state = 'queued'"),
        (
            "consentChain",
            "DROP TRIGGER consent_events_are_not_changed; UPDATE consent_events SET recorded_at = 1 WHERE number = 2"
        ),
        ("intents", "UPDATE facts SET value = 0 WHERE name = 'intents'"),
    ])
    func `what is not as it should be is named`(check: String, sql: String) throws {
        try fixture.execute(sql)
        var expected = Self.sound
        expected[check] = .faulty
        #expect(try outcomes() == expected)
    }

    @Test func `a page with nonsense in it is found`() async throws {
        try await fixture.ledger.close()
        try LedgerFixture.raw(fixture.path) { database in
            try database.execute(sql: "PRAGMA writable_schema = ON")
            try database.execute(sql: "DELETE FROM sqlite_master WHERE name = 'open_campaigns'")
        }
        let finding = try #require(try LedgerReader(path: fixture.path).examine().first)
        #expect(finding.check == "integrity")
        #expect(finding.outcome == .faulty)
        #expect(finding.detail.contains("never used"))
    }

    @Test func `another key is a fault, and without the key the chain is not called sound`() throws {
        try String(repeating: "0", count: 64).write(toFile: fixture.path + ".key", atomically: true, encoding: .utf8)
        let outcomes = try outcomes()
        #expect(outcomes["key"] == .faulty)
        #expect(outcomes["consentChain"] != .sound)
    }

    @Test func `without the counter it is not said that the ledger is the newest`() throws {
        try FileManager.default.removeItem(atPath: fixture.path + ".intents")
        #expect(try outcomes()["intents"] == .unknown)
    }
}

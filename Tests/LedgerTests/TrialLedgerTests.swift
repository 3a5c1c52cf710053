import Foundation
import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

struct TrialLedgerTests {
    private static let people = [
        "yes@example.org", "no@example.org", "dead@example.org", "stranger@example.org", "YES@example.org",
    ]

    private func fixture() async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.register(["yes@example.org", "dead@example.org"], group: "all")
        try await ledger.register(["no@example.org"], answer: .refused)
        try await ledger.suppress("dead@example.org")
        return ledger
    }

    private func trial(_ fixture: LedgerFixture) throws -> TrialLedger {
        try #require(try TrialLedger(path: fixture.path))
    }

    @Test func `a trial comes to what the plan comes to`() async throws {
        let fixture = try await fixture()
        let trial = try trial(fixture)
        let plan = try fixture.plan("mailing")
        let recipients = try Self.people.enumerated().map {
            PlannedRecipient(address: try address($1), relay: "relay\($0 % 2)", fields: [:], place: "here")
        }
        try await trial.plan(
            recipients, campaign: TrialLedger.number, plan: plan, isTest: false, isComplete: { _ in true })
        try await trial.plan(
            [recipients[0]], campaign: TrialLedger.number, plan: plan, isTest: true, isComplete: { _ in true })
        try await trial.setAside(
            [SetAside(address: "x", reason: .invalidAddress, place: "here")], campaign: TrialLedger.number)
        let limited = ["relay0": Set(Self.people.map { String($0.drop { $0 != "@" }.dropFirst()) })]
        let outcome = try await trial.outcome(limited: limited)

        try await fixture.begin("mailing")
        let number = try await fixture.ledger.beginPlan(plan)
        try await fixture.ledger.plan(
            recipients, campaign: number, plan: plan, isTest: false, isComplete: { _ in true })
        try await fixture.ledger.setAside(
            [SetAside(address: "x", reason: .invalidAddress, place: "here")], campaign: number)
        let summary = try #require(try await fixture.ledger.summary(campaign: number, limited: limited))
        #expect(outcome.counts == summary.counts)
        #expect(outcome.withheld == summary.withheld)
        #expect(outcome.consent == summary.consent)
        #expect(outcome.backlog.domains["relay0"]?.values.reduce(0, +) == 1)
        #expect(outcome.backlog == summary.backlog && outcome.backlog.relays == ["relay0": 1])
        #expect(outcome.counts.recipients == 6)
    }

    @Test func `nothing of a trial is in the ledger`() async throws {
        let fixture = try await fixture()
        let before = try fixture.dump()
        let trial = try trial(fixture)
        let recipients = try Self.people.map {
            PlannedRecipient(address: try address($0), relay: "default", fields: ["a": "b"], place: "here")
        }
        try await trial.plan(
            recipients, campaign: TrialLedger.number, plan: try fixture.plan("m"), isTest: false,
            isComplete: { _ in true })
        #expect(try fixture.dump() == before)
        #expect(try await trial.outcome().counts.recipients == 5)
        #expect(try await self.trial(fixture).outcome().counts.recipients == 0)
    }

    @Test func `it reads while the daemon writes, and sees what was committed`() async throws {
        let fixture = try await fixture()
        let trial = try trial(fixture)
        #expect(try await trial.contact(try address("new@example.org")) == nil)
        try await fixture.register(["new@example.org"], group: "late")
        let contact = try #require(try await trial.contact(try address("new@example.org")))
        #expect(contact.groups == ["late"])
        #expect(try await trial.groupExists("late"))
        #expect(try await !trial.groupExists("never"))
        #expect(try await trial.members(ofGroup: "all", after: 0, limit: 10).count == 2)
    }

    @Test func `a job and a twin are known by the ledger's own words`() async throws {
        let fixture = try await fixture()
        try await fixture.campaign("mailing", to: ["yes@example.org"]) { $0.fingerprint = "own" }
        let trial = try trial(fixture)
        #expect(try await trial.job(try jobID("mailing"))?.receipt == "mailing")
        #expect(try await trial.job(try jobID("other")) == nil)
        let since = LedgerFixture.now.adding(seconds: -60)
        #expect(try await trial.twin(fingerprint: "own", since: since, otherThan: try jobID("other")) == "mailing")
    }

    @Test func `what is no ledger, or another version of it, is refused`() async throws {
        let fixture = try await fixture()
        let known = LedgerSchema.migrations.count
        try fixture.execute("PRAGMA user_version = 99")
        #expect(throws: LedgerError.newerVersion(path: fixture.path, found: 99, known: known)) {
            try TrialLedger(path: fixture.path)
        }
        try fixture.execute("PRAGMA user_version = \(known - 1)")
        #expect(throws: LedgerError.olderVersion(path: fixture.path, found: known - 1, known: known)) {
            try TrialLedger(path: fixture.path)
        }
        try fixture.execute("PRAGMA user_version = 0; PRAGMA application_id = 1")
        #expect(throws: LedgerError.foreignFile(path: fixture.path)) { try TrialLedger(path: fixture.path) }
        #expect(try TrialLedger(path: fixture.directory.path("none.sqlite")) == nil)
    }

    @Test func `it is opened as the daemon opens its own, but cannot change it`() async throws {
        let trial = try trial(try await fixture())
        func pragma(_ name: String) async throws -> Int? {
            try await trial.read { try Int.fetchOne($0, sql: "PRAGMA \(name)") }
        }
        #expect(try await pragma("temp_store") == 2, "in memory")
        #expect(try await pragma("recursive_triggers") == 1)
        #expect(try await pragma("mmap_size") == 0)
        await #expect(throws: LedgerError.self) {
            try await trial.read { try $0.execute(sql: "DELETE FROM main.jobs") }
        }
    }

    @Test func `a wrong key is refused, or suppressed people would seem to be mailed`() async throws {
        let fixture = try await fixture()
        try fixture.directory.write(String(repeating: "0", count: 64) + "\n", to: "ledger.sqlite.key")
        #expect(throws: LedgerError.wrongKey(path: fixture.path + ".key")) { try TrialLedger(path: fixture.path) }
    }
}

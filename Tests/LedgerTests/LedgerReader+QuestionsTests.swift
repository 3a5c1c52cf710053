import Foundation
import Mailing
import Testing

@testable import Ledger

@Suite struct LedgerReaderQuestionsTests {
    private static let now = LedgerFixture.now
    private let fixture: LedgerFixture

    init() throws {
        fixture = try LedgerFixture()
    }

    private func reader() throws -> LedgerReader { try LedgerReader(path: fixture.path) }

    @Test func `campaigns come in the order of their acceptance, with what the receipts count`() async throws {
        try await fixture.register(["a@example.org", "b@example.org"])
        try await fixture.record(.withdrawn, "b@example.org")
        try await fixture.campaign("first", to: ["a@example.org", "b@example.org", "c@example.org"])
        try await fixture.campaign(
            "second", to: ["a@example.org"], { $0.basis = .service }, state: .held, because: "wait")
        try await fixture.begin("third")
        _ = try await fixture.ledger.beginPlan(try fixture.plan("third"))
        let campaigns = try reader().campaigns()
        #expect(campaigns.map(\.job.id.text) == ["first", "second", "third"])
        #expect(campaigns.map(\.state) == [.running, .held, .planning])
        #expect(campaigns.map(\.basis) == [.consent, .service, .consent])
        #expect(campaigns.map(\.because) == [nil, "wait", nil])
        #expect(campaigns.first?.withheld == ["refused": 1, "external": 1])
        #expect(try campaigns.first == (await fixture.ledger.summary(campaign: 1)))
        #expect(try reader().campaign(try jobID("fourth")) == nil)
    }

    @Test func `traffic counts by relay what waits, what is in doubt, and what left within the hour`() async throws {
        let people = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"]
        try await fixture.register(people)
        try await fixture.campaign("one", to: people)
        try await fixture.campaign("two", to: ["a@example.org"], { $0.relays = ["other"] }, relay: "other")
        let old = try fixture.delivery("a@example.org", in: 1)
        #expect(try await fixture.intend(old, at: Self.now.adding(seconds: -3601)) == .handOver)
        try await fixture.conclude(old, .sent, at: Self.now.adding(seconds: -3600))
        _ = try await fixture.doubt("b@example.org", at: Self.now.adding(seconds: -60))
        let traffic = try reader().traffic(now: Self.now)
        #expect(traffic["default"]?.queued == 2)
        #expect(traffic["default"]?.uncertain == 1)
        #expect(traffic["default"]?.lastHour == 1)
        #expect(traffic["default"]?.lastHandOverAt == Self.now.adding(seconds: -60))
        #expect(traffic["other"]?.queued == 1)
        #expect(traffic["other"]?.lastHour == 0)
        #expect(try await fixture.ledger.traffic(now: Self.now) == traffic)
    }

    @Test func `each doubt is told with what is known of it`() async throws {
        try await fixture.register(["a@example.org", "b@example.org"])
        try await fixture.campaign("one", to: ["a@example.org"])
        try await fixture.campaign("two", to: ["b@example.org"])
        let first = try await fixture.doubt("a@example.org", at: Self.now.adding(seconds: -60))
        _ = try await fixture.doubt("b@example.org", keySeconds: 3600)
        try await fixture.ledger.giveUp(delivery: first, because: "the journal knows nothing of it")
        let doubts = try reader().doubts(campaign: nil, limit: 10)
        #expect(doubts.map(\.address.text) == ["a@example.org", "b@example.org"])
        #expect(doubts.first?.since == Self.now.adding(seconds: -60))
        #expect(doubts.first?.messageID == "<\(first)@library.example>")
        #expect(doubts.first?.reason?.hasSuffix("the journal knows nothing of it") == true)
        #expect(doubts.map(\.isExamined) == [true, false])
        #expect(doubts.map(\.keyUntil) == [nil, Self.now.adding(seconds: 3600)])
        #expect(doubts.last?.keyScope == LedgerFixture.keyScope)
        #expect(try reader().doubts(campaign: try jobID("two"), limit: 10).map(\.job.text) == ["two"])
        #expect(try reader().doubts(campaign: nil, limit: 1).count == 1)
    }

    @Test func `consent is told by purpose, and its history in full`() async throws {
        try await fixture.register(["a@example.org"], group: "readers")
        try await fixture.record(.withdrawn, "a@example.org", job: "stop", at: Self.now.adding(seconds: 60))
        try await fixture.record(.accepted, "a@example.org", purpose: "events", job: "yes")
        let person = try address("A@example.org")
        let consent = try #require(try reader().consent(of: person))
        #expect(consent.address == "a@example.org")
        #expect(consent.groups == ["readers"])
        #expect(consent.standings.map(\.purpose) == ["events", "newsletter"])
        #expect(consent.standings.map(\.status) == [.accepted, .refused])
        #expect(consent.standings.last?.since == Self.now.adding(seconds: 60))
        let history = try reader().consentHistory(of: person)
        #expect(history.map(\.event.kind) == [.imported, .withdrawn, .accepted])
        #expect(history.map(\.text) == ["I want the newsletter", nil, nil])
        #expect(history.map(\.source) == ["form", "web page", "web page"])
        #expect(history.map(\.job) == ["import", "stop", "yes"])
        #expect(try reader().consent(of: try address("b@example.org")) == nil)
        #expect(try reader().firstBrokenConsentEvent() == nil)
    }

    @Test func `a changed history is told, and so is that it cannot be checked`() async throws {
        try await fixture.register(["a@example.org"])
        try await fixture.record(.withdrawn, "a@example.org")
        try fixture.execute(
            "DROP TRIGGER consent_events_are_not_changed; UPDATE consent_events SET kind = 'accepted' WHERE number = 2")
        #expect(try reader().firstBrokenConsentEvent() == 2)
        try FileManager.default.removeItem(atPath: fixture.path + ".key")
        #expect(throws: LedgerError.wrongKey(path: fixture.path + ".key")) { try reader().firstBrokenConsentEvent() }
    }

    @Test func `a suppressed address is known by its code`() async throws {
        try await fixture.suppress("a@example.org")
        let suppression = try reader().suppression(of: try address("A@example.org"))
        #expect(suppression == SuppressionRecord(reason: "hardBounce", since: Self.now))
        #expect(try reader().suppression(of: try address("b@example.org")) == nil)
    }

    @Test func `the ledger says what it knows of itself`() async throws {
        try await fixture.recover(at: Self.now, machine: "m")
        var facts = try reader().facts()
        #expect(facts.version == LedgerSchema.migrations.count)
        #expect(facts.identity == (try await fixture.ledger.identity()))
        #expect(facts.machine == "m")
        #expect(facts.aliveAt == Self.now)
        #expect(facts.hold == nil)
        try await fixture.recover(at: Self.now, machine: "n")
        facts = try reader().facts()
        #expect(facts.hold == .otherMachine)
        #expect(facts.machine == "n")
    }
}

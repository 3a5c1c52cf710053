import Mailing
import Testing

@testable import Ledger

/// Nothing of a campaign leaves outside of its window. It is Friday, eight o'clock.
@Suite struct DeliveryLedgerWindowTests {
    private let now = LedgerFixture.now

    private func window(_ days: [SendingWindow.Day], _ from: Int, _ to: Int) throws -> SendingWindow {
        try #require(SendingWindow(days: days, from: from * 60, to: to * 60, timeZone: "UTC"))
    }

    private func ledger(_ windows: SendingWindow..., tests: [String] = []) async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        let people = ["a@example.org", "b@example.org"]
        try await ledger.register(people)
        try await ledger.campaign(
            to: people,
            {
                $0.windows = windows
                $0.expires = now.adding(seconds: 7 * 86_400)
            }, tests: tests)
        return ledger
    }

    private func search(_ ledger: LedgerFixture, at moment: Timestamp, keyScope: String? = nil) async throws
        -> DueSearch
    {
        try await ledger.ledger.nextDue(relay: "default", now: moment, turns: Turns(), keyScope: keyScope)
    }

    @Test func `before it opens nothing is due, and the next opening is known`() async throws {
        let ledger = try await ledger(try window([.fri, .sat], 9, 18))
        #expect(try await search(ledger, at: now) == .nothing(until: now.adding(seconds: 3600)))
        #expect(try await ledger.due(at: now.adding(seconds: 3600))?.address.text == "a@example.org")
        #expect(try await ledger.due(at: now.adding(seconds: 10 * 3600)) == nil)
        #expect(
            try await search(ledger, at: now.adding(seconds: 10 * 3600))
                == .nothing(until: now.adding(seconds: 25 * 3600)))
    }

    @Test func `a window that closed after the message was taken up stops the dot`() async throws {
        let ledger = try await ledger(try window([.fri], 8, 9))
        let due = try #require(try await ledger.due())
        let before = try ledger.dump()
        #expect(try await ledger.intend(due.id, at: now.adding(seconds: 3600)) == .leave)
        #expect(try await ledger.intend(due.id, at: now.adding(seconds: 3599)) == .leave, "a second early")
        #expect(try ledger.dump() == before)
        #expect(try await ledger.intend(due.id, at: now.adding(seconds: 3598)) == .handOver)
    }

    @Test func `a retry waits for the window too`() async throws {
        let ledger = try await ledger(try window([.fri, .sat], 8, 9))
        let due = try #require(try await ledger.due())
        #expect(try await ledger.intend(due.id) == .handOver)
        try await ledger.conclude(due.id, .deferred(isGreylisting: false))
        let later = now.adding(seconds: 7200)
        #expect(try await search(ledger, at: later) == .nothing(until: now.adding(seconds: 86_400)))
        #expect(try await ledger.intend(due.id, at: later) == .leave)
    }

    @Test func `test mails do not wait for the campaign's window, but for that of the relay`() async throws {
        let ledger = try await ledger(try window([.fri], 9, 18), tests: ["editor@example.org"])
        let due = try #require(try await ledger.due())
        #expect(due.isTest)
        var request = ledger.request(due.id)
        request.relayHours = SendingHours([try window([.fri], 9, 18)], rule: { _ in .utc })
        #expect(try await ledger.ledger.intend(request).decision == .leave)
        request.relayHours = SendingHours([try window([.fri], 8, 9)], rule: { _ in .utc })
        #expect(try await ledger.ledger.intend(request).decision == .handOver, "an hour before the campaign's")
    }

    @Test func `what is in doubt is not repeated under its key outside of the window`() async throws {
        let ledger = try await ledger(try window([.fri], 8, 9), try window([.sat], 8, 9))
        let first = try await ledger.doubt("a@example.org", keySeconds: 100_000)
        #expect(try await ledger.intend(try ledger.delivery("b@example.org")) == .handOver)
        let scope = LedgerFixture.keyScope
        let later = now.adding(seconds: 7200)
        #expect(
            try await search(ledger, at: later, keyScope: scope) == .nothing(until: now.adding(seconds: 86_400)))
        #expect(try await ledger.intend(first, at: later, keySeconds: 100_000) == .leave)
        #expect(try ledger.state(first) == "uncertain")
        guard case .due(let due) = try await search(ledger, at: now.adding(seconds: 86_400), keyScope: scope) else {
            Issue.record("nothing is due")
            return
        }
        #expect(due.id == first && due.isInDoubt)
    }

    @Test func `a campaign whose window is closed holds up no other one`() async throws {
        let ledger = try await ledger(try window([.sat], 9, 18))
        try await ledger.campaign("other", to: ["b@example.org"])
        let due = try #require(try await ledger.due())
        #expect(due.job.text == "other")
    }

    @Test func `a window in a zone that is not known is never open`() async throws {
        let window = try #require(SendingWindow(days: [.fri], from: 0, to: 1440, timeZone: "Nowhere"))
        let ledger = try await ledger(window)
        #expect(try await search(ledger, at: now) == .nothing(until: nil))
        #expect(try await ledger.intend(try ledger.delivery("a@example.org")) == .leave)
    }

    @Test func `the windows stand in the summary, and do not change`() async throws {
        let windows = [try window([.fri], 9, 18), try window([.sat, .sun], 10, 12)]
        let ledger = try await ledger(windows[0], windows[1])
        #expect(try await ledger.ledger.summary(campaign: 1)?.windows == windows)
        let refusal = try ledger.refusal("UPDATE campaigns SET windows = NULL")
        #expect(refusal == "a campaign keeps its windows")
        try await ledger.campaign("other", to: ["b@example.org"])
        #expect(try await ledger.ledger.summary(campaign: 2)?.windows == [])
    }
}

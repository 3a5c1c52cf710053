import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

/// The numbers that metrics are made of.
@Suite struct FiguresTests {
    private func figures(
        _ ledger: LedgerFixture, since: Timestamp = LedgerFixture.now, also: Set<Int64> = [], limit: Int = 10
    ) async throws -> LedgerFigures {
        try await ledger.ledger.figures(since: since, also: also, limit: limit)
    }

    @Test func `counts what is open and what ended by relay and campaign, doubt also when it is settled`()
        async throws
    {
        let ledger = try LedgerFixture()
        let readers = (1...4).map { "reader\($0)@example.org" }
        let number = try await ledger.campaign(
            to: readers + ["stranger@example.org"], { $0.basis = .service }, tests: ["tester@example.org"])
        let doubt = try await ledger.doubt(readers[0])
        let sent = try ledger.delivery(readers[1])
        #expect(try await ledger.intend(sent, slot: 2) == .handOver)
        try await ledger.conclude(sent, .sent)
        let test = try ledger.delivery("tester@example.org")
        #expect(try await ledger.intend(test, slot: 3) == .handOver)
        try await ledger.conclude(test, .sent)

        var found = try await figures(ledger)
        let campaign = try #require(found.campaigns.first)
        #expect((campaign.number, campaign.job.text, campaign.state) == (number, "mailing", .running))
        let counts = try #require(campaign.counts["default"])
        #expect(counts.states[.queued] == 3)
        #expect(counts.states[.uncertain] == 1)
        #expect(counts.states[.sent] == 1, "without the test mail")
        #expect(counts.doubts == 1)
        #expect(found.relays["default"]?.states[.sent] == 2, "with the test mail")
        #expect(found.intents == 3)
        #expect(campaign.heads == ["default": Timestamp(milliseconds: 0)])

        let evidence = SettlementEvidence(kind: .bounce, text: "it came back")
        #expect(
            try await ledger.ledger.settle(delivery: doubt, as: .sent, by: evidence, now: LedgerFixture.now) != nil)
        found = try await figures(ledger)
        #expect(found.campaigns.first?.counts["default"]?.states[.uncertain] == 0)
        #expect(found.campaigns.first?.counts["default"]?.states[.sent] == 2)
        #expect(found.campaigns.first?.counts["default"]?.doubts == 1, "a counter does not go back")
    }

    @Test func `the head of a queue is the earliest moment at which something may go`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.campaign(to: ["reader@example.org"], { $0.basis = .service })
        let delivery = try ledger.delivery("reader@example.org")
        #expect(try await ledger.intend(delivery) == .handOver)
        try await ledger.conclude(delivery, .deferred(isGreylisting: false))
        #expect(try await figures(ledger).campaigns.first?.heads["default"] == LedgerFixture.now.adding(seconds: 1800))
        #expect(try await ledger.ledger.pause(campaign: 1, because: "a fault"))
        let paused = try await figures(ledger)
        #expect(paused.campaigns.first?.heads == [:], "what is paused is not waited for")
        #expect(paused.pauses == ["a fault"])
        #expect(paused.states == [.paused: 1])
    }

    @Test func `an ended campaign is shown if it sent lately or is asked for, and what is too many is summed up`()
        async throws
    {
        let ledger = try LedgerFixture()
        for name in ["one", "two", "three"] {
            try await ledger.campaign(name, to: ["\(name)@example.org"], { $0.basis = .service })
        }
        let sent = try ledger.delivery("one@example.org")
        #expect(try await ledger.intend(sent) == .handOver)
        try await ledger.conclude(sent, .sent)
        let now = LedgerFixture.now
        _ = try await ledger.ledger.advance(campaign: 1, now: now, limit: 10)
        let summary = try #require(try await ledger.ledger.summary(campaign: 1))
        #expect(summary.state == .finished)
        #expect(try await ledger.ledger.markReported(summary))

        let later = now.adding(seconds: 1)
        #expect(try await figures(ledger, since: now).campaigns.map(\.number) == [3, 2, 1])
        #expect(try await figures(ledger, since: later).campaigns.map(\.number) == [3, 2])
        #expect(try await figures(ledger, since: later, also: [1]).campaigns.map(\.number) == [3, 2, 1])
        let few = try await figures(ledger, since: later, limit: 1)
        #expect(few.campaigns.map(\.number) == [3])
        #expect(few.leftOut == 1)
        #expect(few.countsLeftOut["default"]?.states[.queued] == 1)
        #expect(few.states == [.running: 2])
        #expect(few.relays["default"]?.states == [.queued: 2, .inFlight: 0, .sent: 1])
        #expect(try await ledger.ledger.recentHandOvers(now: later) == ["default": [now]])
        #expect(try await ledger.ledger.recentHandOvers(now: now.adding(seconds: 3600)).isEmpty)
    }

    @Test func `each hand-over of the last hour counts, a second one of the same message too`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.campaign(to: ["reader@example.org"], { $0.basis = .service })
        let (now, delivery) = (LedgerFixture.now, try ledger.delivery("reader@example.org"))
        for (number, seconds) in [-3600, -1800, -60].enumerated() {
            let moment = now.adding(seconds: Int64(seconds))
            #expect(try await ledger.intend(delivery, at: moment, slot: Int64(number + 1)) == .handOver)
            try await ledger.conclude(delivery, .routeTrouble, writtenAt: Int64(number + 1), at: moment)
        }
        let recent = [now.adding(seconds: -1800), now.adding(seconds: -60)]
        #expect(try await ledger.ledger.recentHandOvers(now: now) == ["default": recent])
        let traffic = try await ledger.ledger.traffic(now: now)["default"]
        #expect((traffic?.lastHour, traffic?.lastHandOverAt) == (2, recent[1]))
        #expect(try ledger.count("SELECT count(*) FROM hand_overs") == 3, "one is an hour old just now")
        #expect(try await ledger.intend(delivery, at: now, slot: 9) == .handOver)
        #expect(try ledger.count("SELECT count(*) FROM hand_overs") == 3, "what is older is not kept")
    }

    @Test func `what was not written to the relay is no hand-over`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.campaign(to: ["reader@example.org"], { $0.basis = .service })
        let (now, delivery) = (LedgerFixture.now, try ledger.delivery("reader@example.org"))
        #expect(try await ledger.intend(delivery, slot: 1) == .handOver)
        #expect(try await ledger.ledger.recentHandOvers(now: now) == ["default": [now]])
        try await ledger.ledger.takeBack(delivery: delivery)
        #expect(try await ledger.ledger.recentHandOvers(now: now) == [:])
        #expect(try await ledger.intend(delivery, slot: 2) == .handOver)
        try await ledger.conclude(delivery, .routeTrouble)
        #expect(try await ledger.ledger.recentHandOvers(now: now) == [:])
        let later = now.adding(seconds: 600)
        #expect(try await ledger.intend(delivery, at: later, slot: 3) == .handOver)
        try await ledger.recover(at: later)
        #expect(try await ledger.ledger.recentHandOvers(now: later) == ["default": [later]], "it may have left")
    }

    @Test func `what a clock in the future noted does not stay`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.campaign(to: ["a@example.org", "b@example.org"], { $0.basis = .service })
        let now = LedgerFixture.now
        let (first, second) = (try ledger.delivery("a@example.org"), try ledger.delivery("b@example.org"))
        #expect(try await ledger.intend(first, at: now.adding(seconds: 7200), slot: 1) == .handOver)
        try await ledger.conclude(first, .sent, writtenAt: 1)
        #expect(try await ledger.intend(second, at: now, slot: 2) == .handOver)
        #expect(try await ledger.ledger.recentHandOvers(now: now) == ["default": [now]])
    }

    @Test func `a plan that is thrown away leaves no counts`() async throws {
        let ledger = try LedgerFixture()
        let plan = try ledger.plan("mailing")
        try await ledger.begin("mailing")
        let number = try await ledger.ledger.beginPlan(plan)
        try await ledger.add(["reader@example.org"], to: number, plan)
        #expect(try await figures(ledger).relays["default"]?.states == [.withheld: 1])
        #expect(try await figures(ledger).states == [.planning: 1])
        #expect(try await figures(ledger).campaigns.isEmpty)
        try await ledger.ledger.forget(job: plan.job)
        #expect(try await figures(ledger) == LedgerFigures())
    }

    @Test func `the questions never look at single deliveries but at the head of a queue`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.campaign(to: ["reader@example.org"], { $0.basis = .service })
        let plans = try ledger.raw { database in
            try [
                "SELECT relay, state, sum(count) FROM relay_tallies GROUP BY relay, state",
                "SELECT relay, state, count FROM relay_tallies WHERE campaign = 1 AND is_test = 0",
                """
                SELECT not_before FROM deliveries WHERE campaign = 1 AND relay = 'default' AND is_test = 0
                AND state = 'queued' ORDER BY not_before LIMIT 1
                """,
            ].map { question in
                try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + question).map { $0["detail"] as String }
            }
        }
        #expect(plans[2].allSatisfy { $0.contains("due_deliveries") && !$0.contains("TEMP B-TREE") }, "\(plans[2])")
        #expect(plans.prefix(2).joined().allSatisfy { !$0.contains("deliveries") }, "\(plans)")
        #expect(plans[1].allSatisfy { $0.contains("PRIMARY KEY") }, "\(plans[1])")
    }

    @Test func `the sizes of the files are told`() throws {
        let ledger = try LedgerFixture()
        let sizes = try ledger.ledger.sizes()
        #expect(sizes.file >= 4096)
        #expect(sizes.writeAheadLog > 0)
        #expect(sizes.free > 0)
    }
}

import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

@Suite struct DeliveryLedgerDoubtTests {
    private let now = LedgerFixture.now
    private let later = LedgerFixture.now.adding(seconds: 500)
    private let bounce = SettlementEvidence(kind: .bounce, text: "a bounce came back: 5.1.1")

    private func person(_ reason: String = "the log of the relay shows it") throws -> SettlementEvidence {
        SettlementEvidence(kind: .person, text: reason, job: try jobID("settle-1"))
    }

    /// A campaign to these people, the first so many of whom are in doubt.
    private func ledger(_ people: [String] = ["a@example.org"], inDoubt count: Int = 1) async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.register(people)
        try await ledger.campaign(to: people)
        for person in people.prefix(count) { _ = try await ledger.doubt(person) }
        return ledger
    }

    private func finish(_ ledger: LedgerFixture) async throws {
        #expect(try await ledger.ledger.advance(campaign: 1, now: now, limit: 9).standing.state == .finished)
        let shown = try #require(try await ledger.ledger.summary(campaign: 1))
        #expect(try await ledger.ledger.markReported(shown))
    }

    private func standing(_ ledger: LedgerFixture) throws -> String? {
        try ledger.text("SELECT state || ' ' || reported FROM campaigns WHERE number = 1")
    }

    @Test func `evidence about one intent says nothing of a later one`() async throws {
        let ledger = try await ledger()
        let delivery = try ledger.delivery("a@example.org")
        let before = now.adding(seconds: -1)
        #expect(
            try await ledger.ledger.settle(
                delivery: delivery, intendedAt: before, as: .resend, by: bounce, now: later) == nil)
        try await ledger.ledger.giveUp(delivery: delivery, intendedAt: before, because: "of an earlier one")
        #expect(try ledger.text("SELECT state || ' ' || examined FROM deliveries") == "uncertain 0")
        #expect(
            try await ledger.ledger.settle(
                delivery: delivery, intendedAt: now, as: .resend, by: bounce, now: later) != nil)
    }

    @Test func `an end is not taken for reported that changed while it was written down`() async throws {
        let ledger = try await ledger()
        #expect(try await ledger.ledger.advance(campaign: 1, now: now, limit: 9).standing.state == .finished)
        let shown = try #require(try await ledger.ledger.summary(campaign: 1))
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .resend, by: bounce, now: later) != nil)
        #expect(try await !ledger.ledger.markReported(shown))
        #expect(try await ledger.ledger.openCampaigns().map(\.state) == [.running])
    }

    @Test func `a request for consent that did not leave is made again`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"], answer: nil)
        try await ledger.campaign(to: ["a@example.org"]) { $0.basis = .consentRequest }
        let delivery = try await ledger.doubt("a@example.org")
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .resend, by: bounce, now: later) != nil)
        #expect(try await ledger.intend(delivery, at: later) == .handOver)
    }

    @Test func `evidence that it was accepted ends the doubt, is kept, and the campaign is reported anew`() async throws
    {
        let ledger = try await ledger()
        let delivery = try ledger.delivery("a@example.org")
        try await finish(ledger)
        let settled = try await ledger.ledger.settle(delivery: delivery, as: .sent, by: bounce, now: later)
        #expect(
            settled
                == SettledDoubt(
                    delivery: delivery, campaign: 1, job: try jobID("mailing"), address: try address("a@example.org"),
                    settlement: .sent))
        #expect(
            try ledger.text("SELECT state || ' ' || sent_at || ' ' || queue_id || ' ' || reason FROM deliveries")
                == "sent \(now.milliseconds) Q1 settled as sent (bounce): a bounce came back: 5.1.1")
        let kept = """
            SELECT delivery || ' ' || doubt || ' ' || outcome || ' ' || kind || ' ' || evidence || ' ' || settled_at
            FROM settlements
            """
        #expect(
            try ledger.text(kept) == "\(delivery) 1 sent bounce a bounce came back: 5.1.1 \(later.milliseconds)")
        #expect(try standing(ledger) == "finished 0")
        let counts = try #require(try await ledger.ledger.summary(campaign: 1)).counts
        #expect([counts.sent, counts.uncertain] == [1, 0])
    }

    @Test func `the queue id that the evidence names is kept with the delivery`() async throws {
        let ledger = try await ledger()
        let evidence = SettlementEvidence(kind: .journal, text: "it became active", queueID: "4bXyZ")
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .sent, by: evidence, now: later) != nil)
        #expect(try ledger.text("SELECT queue_id FROM deliveries") == "4bXyZ")
    }

    @Test func `a message that left early and was settled late does not change when the last one left`() async throws {
        let people = ["a@example.org", "b@example.org", "c@example.org"]
        let ledger = try await ledger(people, inDoubt: 1)
        let flying = try ledger.delivery(people[1])
        #expect(try await ledger.intend(flying, at: later) == .handOver)
        try await ledger.conclude(flying, .sent, at: later)
        let early = try ledger.delivery(people[0])
        #expect(try await ledger.ledger.settle(delivery: early, as: .sent, by: bounce, now: later) != nil)
        let summary = try #require(try await ledger.ledger.summary(campaign: 1))
        #expect(summary.firstSentAt == now)
        #expect(summary.lastSentAt == later)
    }

    @Test(arguments: Settlement.allCases)
    func `a doubt is settled once`(settlement: Settlement) async throws {
        let ledger = try await ledger()
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.ledger.settle(delivery: delivery, as: settlement, by: bounce, now: later) != nil)
        let before = try ledger.dump()
        for next in Settlement.allCases {
            #expect(try await ledger.ledger.settle(delivery: delivery, as: next, by: bounce, now: later) == nil)
        }
        #expect(try ledger.dump() == before)
    }

    @Test func `what is not in doubt cannot be settled, nor what is not there`() async throws {
        let people = ["queued", "flying", "sent", "bounced"].map { "\($0)@example.org" }
        let ledger = try await ledger(people, inDoubt: 0)
        for person in people.dropFirst() {
            #expect(try await ledger.intend(try ledger.delivery(person)) == .handOver)
        }
        try await ledger.conclude(try ledger.delivery(people[2]), .sent)
        try await ledger.conclude(try ledger.delivery(people[3]), .bounced(suppress: false))
        let before = try ledger.dump()
        for delivery in try people.map({ try ledger.delivery($0) }) + [0, -1, 99, .max] {
            for settlement in Settlement.allCases {
                #expect(
                    try await ledger.ledger.settle(delivery: delivery, as: settlement, by: bounce, now: now) == nil)
            }
        }
        #expect(try ledger.dump() == before)
    }

    @Test func `a delivery whose reply is awaited is told apart from all others`() async throws {
        let ledger = try await ledger(["a@example.org", "b@example.org"], inDoubt: 0)
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await !ledger.ledger.isInFlight(delivery))
        #expect(try await ledger.intend(delivery) == .handOver)
        #expect(try await ledger.ledger.isInFlight(delivery))
        #expect(try await !ledger.ledger.isInFlight(try ledger.delivery("b@example.org")))
        #expect(try await !ledger.ledger.isInFlight(99))
        try await ledger.conclude(delivery, .uncertain)
        #expect(try await !ledger.ledger.isInFlight(delivery))
    }

    @Test func `settled for sending again it goes out once more, and a new doubt is settled anew`() async throws {
        let ledger = try await ledger()
        let delivery = try ledger.delivery("a@example.org")
        try await finish(ledger)
        for doubt in 1...3 {
            #expect(
                try await ledger.ledger.settle(delivery: delivery, as: .resend, by: bounce, now: later)?.settlement
                    == .resend)
            #expect(try standing(ledger) == "running 0")
            #expect(try await ledger.due()?.id == delivery)
            #expect(try ledger.count("SELECT count(*) FROM settlements WHERE doubt = \(doubt)") == 1)
            #expect(try await ledger.doubt("a@example.org") == delivery)
            #expect(try ledger.count("SELECT doubts FROM deliveries") == doubt + 1)
        }
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .sent, by: bounce, now: later) != nil)
        #expect(try ledger.count("SELECT count(*) FROM settlements") == 4)
        #expect(try ledger.state(delivery) == "sent")
    }

    @Test func `sent again it gets a key of its own, not that of the settled doubt`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        let delivery = try await ledger.doubt("a@example.org", keySeconds: 3600)
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .resend, by: bounce, now: later) != nil)
        #expect(try ledger.text("SELECT key_until FROM deliveries") == nil)
        #expect(try await ledger.intend(delivery, at: later) == .handOver)
        try await ledger.conclude(delivery, .uncertain, at: later)
        #expect(try await ledger.intend(delivery, at: later) == .leaveInDoubt)
    }

    @Test(arguments: ["cancelled", "expired", "late"])
    func `where the campaign has ended nothing is sent again, and the doubt stays`(end: String) async throws {
        let ledger = try await ledger()
        let delivery = try ledger.delivery("a@example.org")
        if end != "late" { try ledger.execute("UPDATE campaigns SET state = '\(end)'") }
        let moment = end == "late" ? now.adding(seconds: 86_400) : now
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .resend, by: bounce, now: moment) == nil)
        #expect(try ledger.state(delivery) == "uncertain")
        #expect(
            try ledger.text("SELECT reason FROM deliveries")
                == "no reply to the final dot; not sent again, the campaign has ended; bounce: \(bounce.text)")
        #expect(try await ledger.ledger.openDoubts(relay: "default", after: 0, limit: 9).isEmpty)
        let refused = try await ledger.ledger.settle(
            campaign: try jobID("mailing"), address: nil, as: .resend, by: try person(), control: try jobID("settle-1"),
            now: moment)
        let state = end == "cancelled" ? CampaignState.cancelled : end == "expired" ? .expired : .running
        #expect(refused == .failure(.ended(state)))
        #expect(try ledger.count("SELECT count(*) FROM settlements") == 0)
        // That it was sent can be said at any time.
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .sent, by: bounce, now: moment) != nil)
    }

    @Test func `a person settles one recipient, in any letters, or all of a campaign, and the job ends with it`()
        async throws
    {
        let people = ["a@example.org", "b@example.org", "c@example.org", "queued@example.org"]
        let ledger = try await ledger(people, inDoubt: 3)
        let campaign = try jobID("mailing")
        let control = try jobID("settle-1")
        try await ledger.begin("settle-1")
        let one = try await ledger.ledger.settle(
            campaign: campaign, address: try address("B@EXAMPLE.org"), as: .resend, by: try person(), control: control,
            now: later)
        #expect(try one?.get().map(\.address.text) == ["b@example.org"])
        #expect(try await ledger.ledger.job(control)?.isFinished == true)
        #expect(try await ledger.ledger.job(control)?.registered == ["settled": 1])
        let second = try jobID("settle-2")
        try await ledger.begin("settle-2")
        let rest = try await ledger.ledger.settle(
            campaign: campaign, address: nil, as: .sent, by: try person(), control: second, now: later)
        #expect(try rest?.get().map(\.address.text) == ["a@example.org", "c@example.org"])
        #expect(try await ledger.ledger.job(second)?.registered == ["settled": 2])
        #expect(
            try ledger.states(1) == [
                "a@example.org sent", "b@example.org queued", "c@example.org sent", "queued@example.org queued",
            ])
        let kept = "SELECT count(*) FROM settlements WHERE kind = 'person' AND job = 'settle-1' AND evidence <> ''"
        #expect(try ledger.count(kept) == 3)
    }

    @Test func `a person is told why nothing was settled, and nothing changes`() async throws {
        let ledger = try await ledger(["a@example.org", "b@example.org"], inDoubt: 1)
        try await ledger.register(["x@example.org"], job: "more")
        try await ledger.campaign("other", to: ["x@example.org"])
        try await ledger.begin("settle-1")
        func settle(_ campaign: String, _ text: String?) async throws -> Result<[SettledDoubt], SettlementRefusal>? {
            try await ledger.ledger.settle(
                campaign: try jobID(campaign), address: try text.map(address), as: .sent, by: try person(),
                control: try jobID("settle-1"), now: now)
        }
        let before = try ledger.dump()
        #expect(try await settle("nothing", nil) == nil)
        #expect(try await settle("other", nil) == .failure(.nothingUncertain))
        #expect(try await settle("mailing", "b@example.org") == .failure(.notUncertain("b@example.org")))
        #expect(try ledger.dump() == before)
    }

    @Test func `a campaign that is only being planned cannot be settled`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("mailing")
        _ = try await ledger.ledger.beginPlan(try ledger.plan("mailing"))
        let answer = try await ledger.ledger.settle(
            campaign: try jobID("mailing"), address: nil, as: .sent, by: try person(), control: try jobID("settle-1"),
            now: now)
        #expect(answer == nil)
    }

    @Test(arguments: [
        (SettlementRefusal.nothingUncertain, "no delivery of this campaign is uncertain"),
        (.notUncertain("a@example.org"), "no delivery to a@example.org is uncertain in this campaign"),
        (.ended(.finished), "the time of the campaign (“expires”) is over"),
        (.ended(.cancelled), "the campaign is cancelled, so nothing of it is sent any more; “as”: “sent” is possible"),
    ])
    func `a refusal to settle is a sentence`(refusal: SettlementRefusal, sentence: String) {
        #expect(refusal.description.hasPrefix(sentence))
    }

    @Test func `a campaign that is paused stays so when a message of it waits again`() async throws {
        let ledger = try await ledger()
        #expect(try await ledger.ledger.pause(campaign: 1, because: "trouble"))
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .resend, by: bounce, now: later) != nil)
        #expect(try standing(ledger) == "paused 0")
        #expect(try await ledger.due() == nil)
    }

    @Test(arguments: [1, 2, 5])
    func `open doubts come in pages, each with what it takes to look for it`(limit: Int) async throws {
        let people = (0..<4).map { "reader-\($0)@example.org" }
        let ledger = try await ledger(people + ["last@example.org"], inDoubt: 4)
        var found: [OpenDoubt] = []
        while true {
            let page = try await ledger.ledger.openDoubts(
                relay: "default", after: found.last?.delivery ?? 0, limit: limit)
            if page.isEmpty { break }
            #expect(page.count <= limit)
            found += page
        }
        #expect(found.map(\.address.text) == people)
        let first = try #require(found.first)
        #expect(
            first
                == OpenDoubt(
                    delivery: try ledger.delivery(people[0]), campaign: 1, job: try jobID("mailing"), relay: "default",
                    messageID: "<\(first.delivery)@library.example>", intendedAt: now, localPort: 40_001,
                    address: try address(people[0])))
        #expect(try await ledger.ledger.openDoubts(relay: "other", after: 0, limit: 9).isEmpty)
    }

    @Test func `what was examined to the end is not looked for again, but a person may settle it`() async throws {
        let ledger = try await ledger(["a@example.org", "b@example.org"], inDoubt: 1)
        let delivery = try ledger.delivery("a@example.org")
        try await ledger.ledger.giveUp(delivery: delivery, because: "the journal has a gap")
        #expect(try await ledger.ledger.openDoubts(relay: "default", after: 0, limit: 9).isEmpty)
        #expect(
            try ledger.text("SELECT reason FROM deliveries WHERE state = 'uncertain'")
                == "no reply to the final dot; the journal has a gap")
        let queued = try ledger.delivery("b@example.org")
        try await ledger.ledger.giveUp(delivery: queued, because: "no doubt at all")
        #expect(try ledger.count("SELECT count(*) FROM deliveries WHERE id = \(queued) AND examined = 0") == 1)
        #expect(try await ledger.ledger.settle(delivery: delivery, as: .resend, by: try person(), now: later) != nil)
        _ = try await ledger.doubt("a@example.org")
        #expect(try await ledger.ledger.openDoubts(relay: "default", after: 0, limit: 9).count == 1)
    }

    @Test func `a settlement that fails at its last statement leaves the doubt`() async throws {
        let ledger = try await ledger()
        let delivery = try ledger.delivery("a@example.org")
        for event in ["UPDATE OF reported ON campaigns", "INSERT ON settlements", "INSERT ON tallies"] {
            try ledger.execute("CREATE TRIGGER fault BEFORE \(event) BEGIN SELECT RAISE(ABORT, 'injected fault'); END")
            let before = try ledger.dump()
            await #expect(throws: LedgerError.self) {
                try await ledger.ledger.settle(delivery: delivery, as: .sent, by: bounce, now: now)
            }
            #expect(try ledger.dump() == before)
            try ledger.execute("DROP TRIGGER fault")
        }
    }

    @Test func `evidence without a word is refused, and a person's without a job`() async throws {
        let ledger = try await ledger()
        let delivery = try ledger.delivery("a@example.org")
        for evidence in [
            SettlementEvidence(kind: .bounce, text: ""), SettlementEvidence(kind: .person, text: "because"),
        ] {
            await #expect(throws: LedgerError.self) {
                try await ledger.ledger.settle(delivery: delivery, as: .sent, by: evidence, now: now)
            }
        }
        #expect(try ledger.state(delivery) == "uncertain")
    }
}

import Mailing
import TestSupport
import Testing

@testable import Ledger

@Suite struct DeliveryLedgerCampaignsTests {
    private let now = LedgerFixture.now
    private let people = (0..<7).map { "reader-\($0)@example.org" }

    private func ledger(
        _ change: (inout CampaignPlan) -> Void = { _ in }, state: CampaignState = .running, because: String? = nil
    ) async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.register(people)
        try await ledger.campaign(to: people, change, state: state, because: because)
        return ledger
    }

    private func control(
        _ ledger: LedgerFixture, _ action: ControlJob.Action, because: String? = nil
    ) async throws -> Result<CampaignState, ControlRefusal>? {
        try await ledger.ledger.control(
            campaign: try jobID("mailing"), action: action, because: because, by: try jobID("control"), now: now)
    }

    @Test func `a scheduled campaign runs when its time has come`() async throws {
        let start = now.adding(seconds: 60)
        let ledger = try await ledger({ $0.sendAfter = start }, state: .scheduled)
        #expect(try await ledger.due() == nil)
        let early = try await ledger.ledger.advance(campaign: 1, now: start.adding(seconds: -1), limit: 10)
        #expect(early.standing.state == .scheduled)
        let onTime = try await ledger.ledger.advance(campaign: 1, now: start, limit: 10)
        #expect(onTime.standing.state == .running)
        #expect(onTime.isDone)
        #expect(try await ledger.due(at: start) != nil)
    }

    @Test func `a campaign is finished when nothing is queued or in flight, uncertain or not`() async throws {
        let ledger = try await ledger()
        let outcomes: [Outcome] = [.sent, .uncertain, .bounced(suppress: false), .sent, .sent, .sent, .sent]
        for outcome in outcomes {
            #expect(try await ledger.ledger.advance(campaign: 1, now: now, limit: 10).standing.state == .running)
            let due = try #require(try await ledger.due())
            #expect(try await ledger.intend(due.id) == .handOver)
            #expect(try await ledger.ledger.advance(campaign: 1, now: now, limit: 10).standing.state == .running)
            try await ledger.conclude(due.id, outcome)
        }
        #expect(try await ledger.ledger.advance(campaign: 1, now: now, limit: 10).standing.state == .finished)
        let counts = try #require(try await ledger.ledger.summary(campaign: 1)).counts
        #expect([counts.sent, counts.uncertain, counts.bounced, counts.queued, counts.inFlight] == [5, 1, 1, 0, 0])
    }

    @Test func `a campaign does not end while its doubt may end by itself, unless its time is over`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        let delivery = try await ledger.doubt("a@example.org")
        func state(_ examining: Set<String>, at moment: Timestamp? = nil) async throws -> CampaignState {
            try await ledger.ledger.advance(campaign: 1, now: moment ?? now, limit: 9, examining: examining).standing
                .state
        }
        #expect(try await state(["default"]) == .running)
        try await ledger.ledger.giveUp(delivery: delivery, because: "nothing found")
        #expect(try await state(["default"]) == .finished)
        for isOther in [true, false] {
            let ledger = try LedgerFixture()
            try await ledger.register(["a@example.org"])
            try await ledger.campaign(to: ["a@example.org"])
            _ = try await ledger.doubt("a@example.org")
            let end = try await ledger.ledger.advance(
                campaign: 1, now: isOther ? now : now.adding(seconds: 86_400), limit: 9,
                examining: [isOther ? "other" : "default"])
            #expect(end.standing.state == .finished)
        }
    }

    @Test(arguments: [CampaignState.running, .held, .scheduled, .paused])
    func `when its time is over the rest expires, a few at a time`(state: CampaignState) async throws {
        let ledger = try await ledger({ $0.sendAfter = $0.expires }, state: state == .paused ? .running : state)
        if state == .paused { #expect(try await ledger.ledger.pause(campaign: 1, because: "trouble")) }
        let end = now.adding(seconds: 86_400)
        var steps = 0
        while true {
            let (standing, isDone) = try await ledger.ledger.advance(campaign: 1, now: end, limit: 3)
            steps += 1
            #expect(standing.state == (isDone ? .expired : state == .scheduled ? .running : state))
            let closed = try ledger.count("SELECT count(*) FROM deliveries WHERE state = 'expired'")
            #expect(closed == min(3 * steps, 7))
            if isDone { break }
        }
        #expect(steps == 3)
        #expect(try await ledger.ledger.summary(campaign: 1)?.counts.expired == 7)
    }

    @Test func `a campaign that was complete when its time was over is finished`() async throws {
        let ledger = try LedgerFixture()
        let campaign = try await ledger.campaign(to: ["stranger@example.org"], state: .held)
        let end = now.adding(seconds: 86_400)
        let (standing, isDone) = try await ledger.ledger.advance(campaign: campaign, now: end, limit: 3)
        #expect(standing.state == .finished)
        #expect(isDone)
    }

    @Test func `what is in flight when a campaign is cancelled or expires keeps its own end`() async throws {
        let ledger = try await ledger()
        let flying = try ledger.delivery(people[0])
        #expect(try await ledger.intend(flying) == .handOver)
        #expect(try await control(ledger, .cancel) == .success(.cancelled))
        var isDone = false
        while !isDone { isDone = try await ledger.ledger.advance(campaign: 1, now: now, limit: 2).isDone }
        #expect(try ledger.state(flying) == "inFlight")
        #expect(try ledger.count("SELECT count(*) FROM deliveries WHERE state = 'cancelled'") == 6)
        try await ledger.conclude(flying, .deferred(isGreylisting: false))
        #expect(try await ledger.intend(flying, at: now.adding(seconds: 7200)) == .leave)
        #expect(try await ledger.ledger.advance(campaign: 1, now: now, limit: 2).standing.state == .cancelled)
        #expect(try ledger.state(flying) == "cancelled")
    }

    @Test func `a held campaign goes on when it is approved, and the hold is forgotten`() async throws {
        let ledger = try await ledger(state: .held, because: "approve it")
        #expect(try await ledger.ledger.summary(campaign: 1)?.because == "approve it")
        #expect(try await ledger.due() == nil)
        #expect(try await ledger.ledger.advance(campaign: 1, now: now, limit: 9).standing.state == .held)
        #expect(try await control(ledger, .approve) == .success(.running))
        #expect(try await ledger.ledger.summary(campaign: 1)?.because == nil)
        #expect(try await ledger.due() != nil)
    }

    @Test func `to resume is not to approve`() async throws {
        let ledger = try await ledger(state: .held, because: "approve it")
        #expect(try await ledger.ledger.pause(campaign: 1, because: "the test mail was refused"))
        #expect(try await ledger.ledger.summary(campaign: 1)?.because == "the test mail was refused")
        guard case .failure = try await control(ledger, .approve) else {
            Issue.record("a paused campaign was approved")
            return
        }
        #expect(try await control(ledger, .resume) == .success(.held))
        #expect(try await ledger.ledger.summary(campaign: 1)?.because == "approve it")
        #expect(try await control(ledger, .approve) == .success(.running))
        #expect(try await control(ledger, .pause, because: "spelling") == .success(.paused))
        #expect(try await control(ledger, .resume) == .success(.running))
    }

    @Test func `trouble pauses what is being sent, once, with its reason`() async throws {
        for state in [CampaignState.running, .scheduled, .held] {
            let ledger = try await ledger({ $0.sendAfter = $0.acceptedAt.adding(seconds: 60) }, state: state)
            #expect(try await ledger.ledger.pause(campaign: 1, because: "first"))
            #expect(try await !ledger.ledger.pause(campaign: 1, because: "second"))
            let summary = try #require(try await ledger.ledger.summary(campaign: 1))
            #expect(summary.state == .paused)
            #expect(summary.because == "first")
        }
        let ended = try await ledger()
        #expect(try await control(ended, .cancel) == .success(.cancelled))
        #expect(try await !ended.ledger.pause(campaign: 1, because: "late"))
    }

    @Test func `a campaign that is not there cannot be controlled, nor one that is only being planned`() async throws {
        let ledger = try LedgerFixture()
        #expect(try await control(ledger, .pause) == nil)
        try await ledger.begin("mailing")
        _ = try await ledger.ledger.beginPlan(try ledger.plan("mailing"))
        #expect(try await control(ledger, .pause) == nil)
        #expect(try await ledger.ledger.summary(campaign: 99) == nil)
        await #expect(throws: LedgerError.self) {
            try await ledger.ledger.advance(campaign: 99, now: LedgerFixture.now, limit: 1)
        }
    }

    @Test func `a control job ends in the transaction that does its work, and not when it is refused`() async throws {
        let ledger = try await ledger()
        try await ledger.begin("control")
        guard case .failure = try await control(ledger, .approve) else {
            Issue.record("a running campaign was approved")
            return
        }
        #expect(try await ledger.ledger.job(try jobID("control"))?.isFinished == false)
        #expect(try await control(ledger, .pause) == .success(.paused))
        #expect(try await ledger.ledger.job(try jobID("control"))?.isFinished == true)
    }

    @Test func `a campaign stays open until its end is reported`() async throws {
        let ledger = try await ledger()
        #expect(try await control(ledger, .cancel) == .success(.cancelled))
        #expect(try await ledger.ledger.openCampaigns().map(\.state) == [.cancelled])
        let shown = try #require(try await ledger.ledger.summary(campaign: 1))
        #expect(try await ledger.ledger.markReported(shown))
        #expect(try await ledger.ledger.openCampaigns().isEmpty)
        #expect(try await ledger.ledger.campaignNumbers() == [1])
        #expect(try await ledger.ledger.campaignNumber(of: try jobID("mailing")) == 1)
        #expect(try await ledger.ledger.summary(campaign: 1)?.isReported == true)
    }

    @Test func `the receipt knows when the first and the last message left`() async throws {
        let ledger = try await ledger()
        for seconds: Int64 in [10, 20, 30] {
            let due = try #require(try await ledger.due())
            #expect(try await ledger.intend(due.id) == .handOver)
            try await ledger.conclude(due.id, .sent, at: now.adding(seconds: seconds))
        }
        let summary = try #require(try await ledger.ledger.summary(campaign: 1))
        #expect(summary.firstSentAt == now.adding(seconds: 10))
        #expect(summary.lastSentAt == now.adding(seconds: 30))
    }

    @Test(arguments: [1, 2, 3, 7, 8])
    func `recipients come in pages of any size, each once and in the order of the list`(limit: Int) async throws {
        let ledger = try await ledger()
        try await ledger.campaign("other", to: people, { $0.basis = .service }, tests: [people[0]])
        var found: [String] = []
        var after: Int64? = 0
        while let from = after {
            let page = try await ledger.ledger.recipientRecords(campaign: 1, after: from, limit: limit)
            #expect(page.records.count <= limit)
            found += page.records.map(\.address)
            after = page.next
        }
        #expect(found == people)
    }

    @Test(arguments: [1, 4, 5])
    func `rows that are no recipients come in pages too`(limit: Int) async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("mailing")
        let plan = try ledger.plan("mailing")
        let number = try await ledger.ledger.beginPlan(plan)
        let rows = (0..<4).map { SetAside(address: "bad-\($0)", reason: .invalidAddress, place: "line \($0)") }
        try await ledger.ledger.setAside(rows, campaign: number)
        var found: [String] = []
        var after: Int64? = 0
        while let from = after {
            let page = try await ledger.ledger.setAsideRecords(campaign: number, after: from, limit: limit)
            found += page.records.map { "\($0.address) \($0.state) \($0.reason ?? "") \($0.reply ?? "")" }
            after = page.next
        }
        #expect(found == (0..<4).map { "bad-\($0) withheld invalidAddress line \($0)" })
    }
}

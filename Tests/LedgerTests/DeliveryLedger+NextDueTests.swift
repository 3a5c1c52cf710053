import Mailing
import Testing

@testable import Ledger

/// Whose turn it is.
@Suite struct DeliveryLedgerNextDueTests {
    /// Sends everything that is due and returns the addresses in order.
    private func order(_ ledger: LedgerFixture, relay: String = "default") async throws -> [String] {
        var turns = Turns()
        var found: [String] = []
        while let due = try await ledger.due(relay: relay, turns: turns) {
            #expect(try await ledger.intend(due.id, relays: [relay]) == .handOver)
            try await ledger.conclude(due.id, .sent)
            turns.served(due.campaign)
            found.append(due.address.text)
        }
        return found
    }

    @Test func `test mails go before the rest of their campaign, the rest in the order of the list`() async throws {
        let ledger = try LedgerFixture()
        let people = ["c@example.org", "a@example.org", "b@example.org"]
        try await ledger.register(people)
        try await ledger.campaign(to: people, tests: ["editor@example.org"])
        #expect(try await order(ledger) == ["editor@example.org"] + people)
    }

    @Test func `service mail goes before newsletters, and newsletters take turns`() async throws {
        let ledger = try LedgerFixture()
        let people = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"]
        try await ledger.register(people)
        try await ledger.campaign("first", to: ["a@example.org", "b@example.org"])
        try await ledger.campaign("second", to: ["c@example.org", "d@example.org"])
        try await ledger.campaign("welcome", to: ["new@example.org", "newer@example.org"]) { $0.basis = .service }
        #expect(
            try await order(ledger) == [
                "new@example.org", "newer@example.org", "a@example.org", "c@example.org", "b@example.org",
                "d@example.org",
            ])
    }

    @Test func `each relay sees its own messages only`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org", "b@example.org"])
        try await ledger.campaign("one", to: ["a@example.org"], relay: "north")
        try await ledger.campaign("two", to: ["b@example.org"], relay: "south")
        #expect(try await order(ledger, relay: "south") == ["b@example.org"])
        #expect(try await order(ledger, relay: "north") == ["a@example.org"])
        let rest = try await ledger.ledger.nextDue(relay: "north", now: LedgerFixture.now, turns: Turns())
        #expect(rest == .nothing(until: nil))
    }

    @Test func `a message that waits holds up nobody, and the earliest waiting one says when to look again`()
        async throws
    {
        let ledger = try LedgerFixture()
        let people = ["a@example.org", "b@example.org"]
        try await ledger.register(people)
        try await ledger.campaign(to: people)
        let now = LedgerFixture.now
        for (person, isGreylisting) in zip(people, [false, true]) {
            let due = try #require(try await ledger.due())
            #expect(due.address.text == person)
            try await ledger.conclude(due.id, .deferred(isGreylisting: isGreylisting))
        }
        let next = try await ledger.ledger.nextDue(relay: "default", now: now, turns: Turns())
        #expect(next == .nothing(until: now.adding(seconds: 600)))
        #expect(try await ledger.due(at: now.adding(seconds: 600))?.address.text == "b@example.org")
        #expect(try await ledger.due(at: now.adding(seconds: 1800))?.address.text == "b@example.org")
    }

    @Test(arguments: [CampaignState.paused, .cancelled, .finished, .expired])
    func `nothing is due in a campaign that does not run`(state: CampaignState) async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"], tests: ["editor@example.org"])
        try ledger.execute("UPDATE campaigns SET state = '\(state.rawValue)'")
        #expect(try await ledger.due() == nil)
    }

    @Test func `nothing is due in a campaign whose time is over`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        let end = LedgerFixture.now.adding(seconds: 86_400)
        #expect(try await ledger.due(at: end.adding(seconds: -1)) != nil)
        #expect(try await ledger.due(at: end) == nil)
    }

    @Test func `a due message brings what contact and list say of the person, the list's word first`() async throws {
        let ledger = try LedgerFixture()
        let entry = ContactEntry(
            address: try address("Jan@example.org"), name: "Jan", language: "nl", number: "7",
            attributes: ["branch": "Gieten", "quote": "\"\\\u{1}"], answer: nil)
        _ = try await ledger.ledger.register([entry], group: nil, proof: nil, now: LedgerFixture.now)
        let plan = try {
            var plan = try ledger.plan("mailing")
            plan.basis = .service
            return plan
        }()
        try await ledger.begin("mailing")
        let number = try await ledger.ledger.beginPlan(plan)
        try await ledger.add(["Jan@example.org"], to: number, plan, fields: ["name": "J. Jansen", "fine": "1,50"])
        try await ledger.ledger.commitPlan(
            campaign: number, job: plan.job, state: .running, because: nil, warnings: [])
        let due = try #require(try await ledger.due())
        #expect(due.address.text == "Jan@example.org")
        #expect(due.job == plan.job)
        #expect(due.acceptedAt == LedgerFixture.now)
        #expect(
            due.fields == [
                "name": "J. Jansen", "language": "nl", "number": "7", "branch": "Gieten", "quote": "\"\\\u{1}",
                "fine": "1,50",
            ])
    }
}

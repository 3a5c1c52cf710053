import GRDB
import Mailing
import Testing

@testable import Ledger

/// A domain that has to wait holds up no other one.
@Suite struct DeliveryLedgerDomainsTests {
    private let now = LedgerFixture.now

    private func ledger(_ people: [String], tests: [String] = []) async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.register(people)
        try await ledger.campaign(to: people, tests: tests)
        return ledger
    }

    private func limits(_ free: [String: Int64]) -> DomainLimits {
        DomainLimits(free: free.mapValues { now.adding(seconds: $0) })
    }

    private func search(
        _ ledger: LedgerFixture, _ limits: DomainLimits, at moment: Timestamp? = nil, keyScope: String? = nil
    ) async throws -> DueSearch {
        try await ledger.ledger.nextDue(
            relay: "default", now: moment ?? now, turns: Turns(), keyScope: keyScope, limits: limits)
    }

    private func due(
        _ ledger: LedgerFixture, _ limits: DomainLimits, at moment: Timestamp? = nil
    ) async throws -> String? {
        guard case .due(let due) = try await search(ledger, limits, at: moment) else { return nil }
        return due.address.text
    }

    private func send(_ ledger: LedgerFixture, _ text: String, as outcome: Outcome = .sent) async throws {
        let delivery = try ledger.delivery(text)
        #expect(try await ledger.intend(delivery) == .handOver)
        try await ledger.conclude(delivery, outcome)
    }

    @Test func `without a limit that is reached the order of the list holds`() async throws {
        let people = ["b@one.example", "a@two.example", "c@one.example", "d@three.example"]
        let ledger = try await ledger(people)
        let limits = limits(["one.example": 0, "two.example": -5])
        for person in people {
            #expect(try await due(ledger, limits) == person)
            try await send(ledger, person)
        }
        #expect(try await search(ledger, limits) == .nothing(until: nil))
    }

    @Test func `a full domain is passed over, and says when it is free again`() async throws {
        let ledger = try await ledger(["a@one.example", "b@one.example", "c@two.example"])
        let full = limits(["one.example": 36])
        #expect(try await due(ledger, full) == "c@two.example")
        try await send(ledger, "c@two.example")
        #expect(try await search(ledger, full) == .nothing(until: now.adding(seconds: 36)))
        #expect(try await due(ledger, full, at: now.adding(seconds: 36)) == "a@one.example")
    }

    @Test func `of two full domains the one that is free first tells when to look again`() async throws {
        let ledger = try await ledger(["a@one.example", "b@two.example"])
        let until = now.adding(seconds: 20)
        #expect(
            try await search(ledger, limits(["one.example": 36, "two.example": 20, "three.example": 5]))
                == .nothing(until: until))
    }

    @Test func `a retry to a full domain waits for both`() async throws {
        let ledger = try await ledger(["a@one.example"])
        try await send(ledger, "a@one.example", as: .deferred(isGreylisting: false))
        let (retry, free) = (now.adding(seconds: 1800), now.adding(seconds: 3600))
        #expect(try await search(ledger, limits(["one.example": 36])) == .nothing(until: retry))
        // It is looked when its time has come, and found that its domain has to wait.
        #expect(try await search(ledger, limits(["one.example": 3600])) == .nothing(until: retry))
        #expect(try await search(ledger, limits(["one.example": 3600]), at: retry) == .nothing(until: free))
        #expect(try await due(ledger, limits(["one.example": 3600]), at: free) == "a@one.example")
    }

    @Test func `a retry to another domain is found in its time`() async throws {
        let ledger = try await ledger(["a@one.example", "b@two.example", "c@one.example"])
        let full = limits(["one.example": 7200])
        #expect(try await due(ledger, full) == "b@two.example")
        try await send(ledger, "b@two.example", as: .deferred(isGreylisting: false))
        #expect(try await search(ledger, full) == .nothing(until: now.adding(seconds: 1800)))
        #expect(try await due(ledger, full, at: now.adding(seconds: 1800)) == "b@two.example")
    }

    @Test func `test mails are held by it too`() async throws {
        let ledger = try await ledger(["a@two.example"], tests: ["editor@one.example"])
        #expect(try await due(ledger, limits(["one.example": 36])) == "a@two.example")
        #expect(try await due(ledger, limits(["one.example": 0])) == "editor@one.example")
    }

    @Test func `a subdomain is another domain`() async throws {
        let ledger = try await ledger(["a@one.example", "b@sub.one.example"])
        #expect(try await due(ledger, limits(["one.example": 36])) == "b@sub.one.example")
    }

    @Test func `what a person has sent again is found though its place had been passed`() async throws {
        let ledger = try await ledger(["a@two.example", "b@one.example", "c@two.example"])
        let full = limits(["one.example": 36])
        let doubt = try await ledger.doubt("a@two.example")
        #expect(try await due(ledger, full) == "c@two.example")
        let evidence = SettlementEvidence(kind: .journal, text: "lost", job: nil)
        _ = try await ledger.ledger.settle(delivery: doubt, as: .resend, by: evidence, now: now)
        #expect(try await due(ledger, full) == "a@two.example")
    }

    @Test func `what came from another relay is found though its place had been passed`() async throws {
        let ledger = try LedgerFixture()
        let people = ["a@two.example", "b@one.example", "c@two.example"]
        try await ledger.register(people)
        var plan = try ledger.plan("mailing")
        plan.relays = ["dead", "default"]
        try await ledger.begin("mailing")
        let number = try await ledger.ledger.beginPlan(plan)
        for (person, relay) in zip(people, ["dead", "default", "default"]) {
            try await ledger.add([person], to: number, plan, relay: relay)
        }
        try await ledger.ledger.commitPlan(
            campaign: number, job: plan.job, state: .running, because: nil, warnings: [])
        let full = limits(["one.example": 36])
        #expect(try await due(ledger, full) == "c@two.example")
        _ = try await ledger.ledger.reroute(
            campaign: plan.job, ControlJob.Route(from: "dead", to: "default"), by: try jobID("k"))
        #expect(try await due(ledger, full) == "a@two.example")
    }

    @Test func `a clock that is set back, and other limits, make it look from the beginning`() async throws {
        let ledger = try await ledger(["a@one.example", "b@two.example"])
        try await send(ledger, "b@two.example", as: .deferred(isGreylisting: false))
        let full = limits(["one.example": 86_400])
        #expect(
            try await search(ledger, full, at: now.adding(seconds: 1000)) == .nothing(until: now.adding(seconds: 1800)))
        #expect(try await due(ledger, limits(["two.example": 86_400])) == "a@one.example")
        #expect(try await due(ledger, full, at: now.adding(seconds: 1800)) == "b@two.example")
        try ledger.execute("UPDATE deliveries SET not_before = \(now.milliseconds - 5000) WHERE not_before > 0")
        #expect(try await due(ledger, full, at: now.adding(seconds: -4)) == "b@two.example")
    }

    @Test func `what is in doubt is not repeated to a full domain`() async throws {
        let ledger = try await ledger(["a@one.example"])
        let doubt = try await ledger.doubt("a@one.example", keySeconds: 100_000)
        let later = now.adding(seconds: 3600)
        let scope = LedgerFixture.keyScope
        #expect(
            try await search(ledger, limits(["one.example": 7200]), at: later, keyScope: scope)
                == .nothing(until: now.adding(seconds: 7200)))
        guard
            case .due(let due) = try await search(ledger, limits(["one.example": 3600]), at: later, keyScope: scope)
        else {
            Issue.record("nothing is due")
            return
        }
        #expect(due.id == doubt)
    }

    @Test func `a claim of the domain holds beside that of the relay, over a restart too`() async throws {
        let ledger = try await ledger(["a@one.example", "b@one.example", "c@two.example"])
        let name = SlotClaim.name(relay: "default", domain: "one.example")
        var request = ledger.request(try ledger.delivery("a@one.example"), slot: 1000)
        request.claims = [SlotClaim(name: "default", interval: 10), SlotClaim(name: name, interval: 500)]
        #expect(try await ledger.ledger.intend(request).decision == .handOver)
        request.delivery = try ledger.delivery("b@one.example")
        request.slot.at = BootInstant(nanoseconds: 1499)
        #expect(
            try await ledger.ledger.intend(request).decision == .wait(until: BootInstant(nanoseconds: 1500)))
        #expect(try await ledger.intend(try ledger.delivery("c@two.example"), slot: 1010, interval: 10) == .handOver)
        #expect(try await ledger.ledger.storedSlot(relay: name)?.at == BootInstant(nanoseconds: 1000))
        let recovery = try await ledger.recover()
        #expect(recovery.relays == ["default"])
        #expect(recovery.domains == [name])
    }

    @Test func `slots of domains that are not limited any more are forgotten, and no others`() async throws {
        let ledger = try await ledger(["a@one.example"])
        var request = ledger.request(try ledger.delivery("a@one.example"), slot: 1000)
        let names = ["", "default", "default/one.example", "default/two.example", "default2/one.example"]
        request.claims = names.map { SlotClaim(name: $0, interval: 1) }
        #expect(try await ledger.ledger.intend(request).decision == .handOver)
        try await ledger.ledger.forgetSlots(relay: "default", exceptOf: ["two.example"])
        let left = try ledger.raw { try String.fetchAll($0, sql: "SELECT relay FROM slots ORDER BY relay") }
        #expect(left == names.filter { $0 != "default/one.example" })
    }

    /// A hundred thousand people of one domain at the head of the queue, and one of another at its end.
    private func crowd() async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.campaign("mailing", to: ["first@one.example"], { $0.basis = .service })
        try ledger.execute(
            """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
            INSERT INTO deliveries (campaign, is_test, address, address_key, relay, state)
            SELECT 1, 0, 'p' || i || '@one.example', 'p' || i || '@one.example', 'default', 'queued' FROM n;
            INSERT INTO deliveries (campaign, is_test, address, address_key, relay, state)
            VALUES (1, 0, 'last@two.example', 'last@two.example', 'default', 'queued');
            """)
        return ledger
    }

    private func time(
        _ ledger: LedgerFixture, _ limits: DomainLimits, looks: Int, finding person: String?
    ) async throws -> Duration {
        let start = ContinuousClock.now
        for _ in 0..<looks { #expect(try await due(ledger, limits) == person) }
        return ContinuousClock.now - start
    }

    @Test func `a hundred thousand that wait are passed over once, and not for each message`() async throws {
        let ledger = try await crowd()
        let full = limits(["one.example": 36])
        let once = try await time(ledger, full, looks: 1, finding: "last@two.example")
        let again = try await time(ledger, full, looks: 200, finding: "last@two.example")
        // Whatever the machine: two hundred looks that pass over all of them take two hundred times as long as one.
        #expect(again < once * 50, "\(again) and \(once)")
        try await send(ledger, "last@two.example")
        #expect(try await search(ledger, full) == .nothing(until: now.adding(seconds: 36)))
        let nothing = try await time(ledger, full, looks: 200, finding: nil)
        #expect(nothing < once * 50, "\(nothing) and \(once)")
        #expect(try await due(ledger, limits(["one.example": 0])) == "first@one.example")
    }

    @Test func `each question is answered by an index`() async throws {
        let ledger = try LedgerFixture()
        let plan = try ledger.raw { database in
            try Row.fetchAll(
                database,
                sql: """
                    EXPLAIN QUERY PLAN SELECT id FROM deliveries INDEXED BY due_by_domain
                    WHERE campaign = ?1 AND relay = ?2 AND is_test = ?3 AND state = 'queued'
                      AND \(DeliveryLedger.domainSQL) = ?4 ORDER BY not_before, id LIMIT 1
                    """, arguments: [1, "default", 0, "one.example"]
            ).map { $0["detail"] as String }
        }
        #expect(plan.count == 1)
        #expect(plan.first?.hasPrefix("SEARCH deliveries USING") == true, "\(plan)")
        #expect(plan.first?.contains("campaign=? AND relay=? AND is_test=? AND <expr>=?") == true, "\(plan)")
    }
}

import Foundation
import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

/// Instants 2 and 3.
@Suite struct DeliveryLedgerHandOverTests {
    private func ledger(_ people: String...) async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.register(people)
        try await ledger.campaign(to: people)
        return ledger
    }

    @Test func `the intent, its evidence, its slots and its count are one commit`() async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery, slot: 77, relays: ["default", ""]) == .handOver)
        let row = try ledger.text(
            """
            SELECT state || ' ' || message_id || ' ' || slot || ' ' || intent_at || ' ' || consent_event FROM deliveries
            """)
        #expect(row == "inFlight <\(delivery)@library.example> 77 1800000000000 1")
        #expect(try await ledger.ledger.storedSlot(relay: "default") == ledger.slot(77))
        #expect(try await ledger.ledger.storedSlot(relay: "") == ledger.slot(77))
        #expect(try await ledger.ledger.storedSlot(relay: "other") == nil)
        #expect(try ledger.count("SELECT value FROM facts WHERE name = 'intents'") == 1)
        #expect(ledger.ledger.counter.read() == 1)
    }

    @Test func `an outcome that is recorded after that of a later dot does not bring its slot back`() async throws {
        let ledger = try await ledger("a@example.org", "b@example.org")
        let (first, second) = (try ledger.delivery("a@example.org"), try ledger.delivery("b@example.org"))
        #expect(try await ledger.intend(first, slot: 10, interval: 36) == .handOver)
        #expect(try await ledger.intend(second, slot: 46, interval: 36) == .handOver)
        try await ledger.conclude(second, .sent, writtenAt: 47)
        try await ledger.conclude(first, .sent, writtenAt: 11)
        #expect(try await ledger.ledger.storedSlot(relay: "default") == ledger.slot(47))
    }

    @Test func `a delivery in flight can never be claimed again`() async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery) == .handOver)
        #expect(try await ledger.intend(delivery) == .leave)
        #expect(try await ledger.due() == nil)
        #expect(ledger.ledger.counter.read() == 1)
    }

    @Test(arguments: [Outcome.sent, .bounced(suppress: false), .uncertain])
    func `a delivery that is over can never be claimed again`(outcome: Outcome) async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery) == .handOver)
        try await ledger.conclude(delivery, outcome)
        #expect(try await ledger.intend(delivery) == (outcome == .uncertain ? .leaveInDoubt : .leave))
        #expect(try await ledger.due() == nil)
    }

    @Test func `consent withdrawn after the plan stops the message at the last moment`() async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        try await ledger.record(.withdrawn, "a@example.org")
        #expect(try await ledger.intend(delivery) == .withhold(.refused))
        #expect(try ledger.states(1) == ["a@example.org withheld refused"])
        #expect(try ledger.count("SELECT count(*) FROM slots") == 0)
        #expect(ledger.ledger.counter.read() == 0)
    }

    @Test func `a suppression after the plan stops the message at the last moment`() async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        try await ledger.suppress("A@Example.org")
        #expect(try await ledger.intend(delivery) == .withhold(.suppressed))
    }

    @Test func `who was external at the plan is not mailed, whatever is accepted later`() async throws {
        let ledger = try LedgerFixture()
        let campaign = try await ledger.campaign(to: ["a@example.org"])
        try await ledger.record(.accepted, "a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery) == .leave)
        #expect(try ledger.states(campaign) == ["a@example.org withheld external"])
    }

    @Test(arguments: ["paused", "held", "scheduled", "cancelled"])
    func `outside of a running campaign nothing changes`(state: String) async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        try ledger.execute("UPDATE campaigns SET state = '\(state)'")
        let before = try ledger.dump()
        #expect(try await ledger.intend(delivery) == .leave)
        #expect(try ledger.dump() == before)
    }

    @Test func `a message that comes too late expires`() async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        let end = LedgerFixture.now.adding(seconds: 86_400)
        #expect(try await ledger.intend(delivery, at: end) == .expire)
        #expect(try ledger.state(delivery) == "expired")
    }

    @Test func `a deferred message is left alone until its time`() async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        let now = LedgerFixture.now
        #expect(try await ledger.intend(delivery) == .handOver)
        try await ledger.conclude(delivery, .deferred(isGreylisting: true))
        let later = now.adding(seconds: 600)
        #expect(try await ledger.intend(delivery, at: later.adding(seconds: -1)) == .leave)
        #expect(
            try await ledger.ledger.nextDue(relay: "default", now: now, turns: Turns()) == .nothing(until: later))
        #expect(try await ledger.due(at: later)?.attempts == 1)
        #expect(try await ledger.intend(delivery, at: later) == .handOver)
    }

    @Test(arguments: [CampaignState.running, .held, .scheduled])
    func `test mails go also before approval and before the time`(state: CampaignState) async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        let campaign = try await ledger.campaign(to: ["a@example.org"], tests: ["editor@example.org"], state: state)
        let due = try #require(try await ledger.due())
        #expect(due.isTest)
        #expect(due.address.text == "editor@example.org")
        #expect(try await ledger.intend(due.id) == .handOver)
        try await ledger.conclude(due.id, .sent)
        #expect(try await ledger.due()?.address.text == (state == .running ? "a@example.org" : nil))
        #expect(try await ledger.ledger.summary(campaign: campaign)?.counts.sent == 0)
    }

    @Test func `an intent is taken back once, and the message can be claimed again`() async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery) == .handOver)
        try await ledger.ledger.takeBack(delivery: delivery)
        #expect(try ledger.state(delivery) == "queued")
        await #expect(throws: LedgerError.conflict("delivery \(delivery) is not in flight")) {
            try await ledger.ledger.takeBack(delivery: delivery)
        }
        #expect(try await ledger.intend(delivery) == .handOver)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can make the full device"))
    func `when the counter cannot be written the intent is taken back, and nothing may be sent`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        // A second /dev/full (character device 1, 7): every write to it fails with ENOSPC.
        #expect(mknod(path + ".intents", S_IFCHR | 0o600, 0x107) == 0)
        let ledger = LedgerFixture(directory: directory, ledger: try DeliveryLedger(path: path))
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        let delivery = try ledger.delivery("a@example.org")
        await #expect(throws: LedgerError.file(path: path + ".intents", reason: "No space left on device")) {
            try await ledger.intend(delivery)
        }
        #expect(try ledger.state(delivery) == "queued")
    }

    @Test(arguments: [
        (Outcome.sent, "sent", 0), (.bounced(suppress: false), "bounced", 0), (.bounced(suppress: true), "bounced", 0),
        (.deferred(isGreylisting: false), "queued", 1), (.policyRefusal, "queued", 0), (.routeTrouble, "queued", 0),
        (.senderTrouble, "queued", 0), (.uncertain, "uncertain", 0),
    ])
    func `each outcome leaves its state and its evidence`(
        outcome: Outcome, state: String, attempts: Int
    ) async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery, slot: 5) == .handOver)
        try await ledger.conclude(delivery, outcome, reply: "the reply", writtenAt: 9)
        let row = try ledger.raw { try Row.fetchOne($0, sql: "SELECT * FROM deliveries") }
        let found = try #require(row)
        #expect(found["state"] == state)
        #expect(found["attempts"] == attempts)
        #expect(found["reply"] == "the reply")
        #expect(found["enhanced"] == "2.0.0")
        #expect(found["peer"] == "smtp://relay.example")
        #expect(found["queue_id"] == "Q1")
        #expect(found["sent_at"] as Int64? == (outcome == .sent ? LedgerFixture.now.milliseconds : nil))
        #expect(try await ledger.ledger.storedSlot(relay: "default") == ledger.slot(9))
        let dead = try ledger.count("SELECT count(*) FROM suppressions WHERE reason = 'hardBounce'")
        #expect(dead == (outcome == .bounced(suppress: true) ? 1 : 0))
    }

    @Test(arguments: [Outcome.routeTrouble, .deferred(isGreylisting: false), .policyRefusal, .bounced(suppress: false)])
    func `what another relay hands over just now is not taken back by the one that tried before`(outcome: Outcome)
        async throws
    {
        let ledger = try LedgerFixture()
        try await ledger.campaign(to: ["reader@example.org"], { $0.basis = .service }, relay: "slow")
        let delivery = try ledger.delivery("reader@example.org")
        try ledger.execute("UPDATE deliveries SET relay = 'quick' WHERE id = \(delivery)")
        #expect(try await ledger.intend(delivery, relays: ["quick"]) == .handOver)
        await #expect(throws: LedgerError.conflict("delivery \(delivery) is the relay quick's meanwhile")) {
            try await ledger.ledger.conclude(
                delivery: delivery, outcome: outcome, evidence: AttemptEvidence(reply: nil), relays: [],
                bootID: LedgerFixture.bootID, retries: .standard, now: LedgerFixture.now, attemptedBy: "slow")
        }
        #expect(try ledger.state(delivery) == "inFlight")
        try await ledger.ledger.conclude(
            delivery: delivery, outcome: .sent, evidence: AttemptEvidence(reply: nil), relays: [],
            bootID: LedgerFixture.bootID, retries: .standard, now: LedgerFixture.now, attemptedBy: "quick")
        #expect(try ledger.state(delivery) == "sent")
    }

    @Test(arguments: [
        Outcome.sent, .bounced(suppress: true), .deferred(isGreylisting: false), .policyRefusal, .routeTrouble,
        .senderTrouble, .uncertain,
    ])
    func `what is over cannot be concluded once more`(outcome: Outcome) async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery) == .handOver)
        try await ledger.conclude(delivery, .sent)
        let before = try ledger.dump()
        let error = await #expect(throws: LedgerError.self) { try await ledger.conclude(delivery, outcome) }
        #expect(error == .conflict("delivery \(delivery) is sent and cannot become \(outcome.word)"))
        #expect(try ledger.dump() == before)
    }

    @Test func `before the dot a message can be refused but neither sent nor in doubt`() async throws {
        let ledger = try await ledger("a@example.org")
        let delivery = try ledger.delivery("a@example.org")
        await #expect(throws: LedgerError.self) { try await ledger.conclude(delivery, .sent) }
        await #expect(throws: LedgerError.self) { try await ledger.conclude(delivery, .uncertain) }
        await #expect(throws: LedgerError.conflict("there is no delivery 99")) {
            try await ledger.conclude(99, .sent)
        }
        try await ledger.conclude(delivery, .bounced(suppress: false))
        #expect(try ledger.state(delivery) == "bounced")
    }

    @Test func `a proven dead address is withheld in later campaigns and stands nowhere among the suppressed`()
        async throws
    {
        let ledger = try await ledger("dead.reader@example.org")
        try await ledger.suppress("Dead.Reader@example.org")
        for basis in Campaign.Basis.allCases {
            let campaign = try await ledger.campaign(
                "next-\(basis.rawValue)", to: ["DEAD.READER@example.org"], { $0.basis = basis },
                tests: ["dead.reader@example.org"])
            #expect(try ledger.states(campaign) == ["DEAD.READER@example.org withheld suppressed"])
            #expect(try ledger.states(campaign, isTest: true) == ["dead.reader@example.org withheld suppressed"])
        }
        let kept = try ledger.raw { try Data.fetchAll($0, sql: "SELECT subject FROM suppressions") }
        #expect(kept.count == 1)
        let found = String(decoding: kept.first ?? Data(), as: UTF8.self).lowercased()
        #expect(!found.contains("dead") && !found.contains("example"))
    }

    @Test func `a request for consent that left makes the person one who was asked, and is not repeated`() async throws
    {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"], answer: nil)
        for job in ["first", "second"] {
            try await ledger.campaign(job, to: ["a@example.org"]) { $0.basis = .consentRequest }
        }
        let first = try #require(try await ledger.due())
        #expect(try await ledger.intend(first.id) == .handOver)
        #expect(try await ledger.status("a@example.org") == .notAsked)
        try await ledger.conclude(first.id, .sent)
        #expect(try await ledger.status("a@example.org") == .awaiting)
        #expect(try await ledger.ledger.firstBrokenConsentEvent() == nil)
        let second = try #require(try await ledger.due())
        #expect(try await ledger.intend(second.id) == .withhold(.awaiting))
    }

    @Test func `what cannot be made into a message is withheld`() async throws {
        let ledger = try await ledger("a@example.org", "b@example.org")
        try await ledger.ledger.withhold(
            delivery: try ledger.delivery("a@example.org"), reason: .missingField, detail: "no name")
        let flying = try ledger.delivery("b@example.org")
        #expect(try await ledger.intend(flying) == .handOver)
        try await ledger.ledger.withhold(delivery: flying, reason: .missingField, detail: "no name")
        #expect(try ledger.states(1) == ["a@example.org withheld missingField", "b@example.org inFlight"])
    }

    @Test func `an intent keeps the port of its session, and its number is counted inside and outside`() async throws {
        let people = ["a@example.org", "b@example.org"]
        let ledger = try await ledger("a@example.org", "b@example.org")
        for (number, person) in people.enumerated() {
            let intent = try await ledger.ledger.intend(ledger.request(try ledger.delivery(person)))
            #expect(intent == Intent(decision: .handOver, number: Int64(number + 1)))
            #expect(ledger.ledger.counter.read() == Int64(number + 1))
        }
        #expect(try ledger.count("SELECT count(*) FROM deliveries WHERE local_port = 40001") == 2)
        #expect(try ledger.count("SELECT count(*) FROM deliveries WHERE key_until IS NULL") == 2)
    }
}

import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

@Suite struct DeliveryLedgerRecoveryTests {
    @Test func `what was in flight is in doubt after a start, and nothing else changes`() async throws {
        let ledger = try LedgerFixture()
        let people = ["sent", "bounced", "flying", "also-flying", "waiting"].map { "\($0)@example.org" }
        try await ledger.register(people + ["no@example.org"])
        try await ledger.register(["no@example.org"], answer: .refused, job: "no")
        try await ledger.campaign(to: people + ["no@example.org"])
        for person in people.dropLast() {
            #expect(try await ledger.intend(try ledger.delivery(person)) == .handOver)
        }
        try await ledger.conclude(try ledger.delivery("sent@example.org"), .sent)
        try await ledger.conclude(try ledger.delivery("bounced@example.org"), .bounced(suppress: false))
        let recovery = try await ledger.recover()
        #expect(recovery == Recovery(uncertain: 2, relays: ["default"]))
        #expect(
            try ledger.states(1) == [
                "sent@example.org sent", "bounced@example.org bounced", "flying@example.org uncertain",
                "also-flying@example.org uncertain", "waiting@example.org queued", "no@example.org withheld refused",
            ])
        #expect(try await ledger.due()?.address.text == "waiting@example.org")
        let before = try ledger.dump()
        #expect(try await ledger.recover() == Recovery())
        #expect(try ledger.dump() == before)
    }

    @Test func `a request for consent in doubt counts as a request`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"], answer: nil)
        try await ledger.campaign(to: ["a@example.org"]) { $0.basis = .consentRequest }
        #expect(try await ledger.intend(try ledger.delivery("a@example.org")) == .handOver)
        try await ledger.recover()
        #expect(try await ledger.status("a@example.org") == .awaiting)
    }

    @Test func `an older copy of the ledger is recognised, and all its campaigns are paused`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        let copied = try await makeAndCopy(directory)
        try directory.write(copied, to: "ledger.sqlite")
        let ledger = try DeliveryLedger(path: path)
        let now = LedgerFixture.now
        let recovery = try await ledger.recover(StartingPoint(now: now))
        #expect(recovery.hold == .restored)
        #expect(recovery.paused == 2)
        for number in try await ledger.campaignNumbers() {
            let summary = try #require(try await ledger.summary(campaign: number))
            #expect(summary.state == .paused)
            #expect(summary.because?.contains("restored") == true)
        }
        #expect(try await ledger.nextDue(relay: "default", now: now, turns: Turns()) == .nothing(until: nil))
        // It says so once: after a person resumed, a restart does not pause again.
        #expect(try await ledger.recover(StartingPoint(now: now)).hold == nil)
        #expect(try await ledger.holdOnNew() != nil)
        for (campaign, state) in [("one", CampaignState.running), ("two", .held)] {
            let resumed = try await ledger.control(
                campaign: try jobID(campaign), action: .resume, because: nil, by: try jobID("control"), now: now)
            #expect(resumed == .success(state))
            #expect(try await ledger.holdOnNew() == nil)
        }
    }

    @Test func `a counter that a power cut made smaller says nothing`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        #expect(try await ledger.intend(try ledger.delivery("a@example.org")) == .handOver)
        try ledger.ledger.counter.write(0)
        #expect(try await ledger.recover() == Recovery(uncertain: 1, relays: ["default"]))
    }

    @Test func `the journal knows of a hand-over that the ledger does not: it was restored, the counter with it`()
        async throws
    {
        for (known, isRestored) in [(nil, false), (0, false), (1, false), (2, true)] as [(Int64?, Bool)] {
            let ledger = try await flying()
            let recovery = try await ledger.recover(intentsInJournal: known)
            #expect((recovery.hold == .restored) == isRestored)
            #expect(try ledger.text("SELECT state FROM campaigns") == (isRestored ? "paused" : "running"))
            #expect(ledger.ledger.counter.read() == (isRestored ? 2 : 1))
            #expect((try await ledger.ledger.holdOnNew() == .restored) == isRestored)
            // It says so once, and the next intent has a number that nobody has seen.
            #expect(try await ledger.recover(intentsInJournal: known).hold == nil)
            guard isRestored else { continue }
            #expect(try await resume(ledger) == .success(.running))
            let next = ledger.request(try ledger.delivery("b@example.org"))
            #expect(try await ledger.ledger.intend(next) == Intent(decision: .handOver, number: 3))
        }
    }

    @Test func `a ledger that was last used on another machine goes on only by a person's word`() async throws {
        let ledger = try await flying()
        #expect(try await ledger.recover(machine: nil).hold == nil)
        #expect(try await ledger.recover(machine: "one").hold == nil)
        #expect(try await ledger.recover(machine: "one").hold == nil)
        #expect(try await ledger.recover(machine: nil).hold == nil)
        let recovery = try await ledger.recover(machine: "two")
        #expect(recovery == Recovery(hold: .otherMachine, paused: 1))
        #expect(try await ledger.ledger.summary(campaign: 1)?.because == Recovery.Hold.otherMachine.because)
        #expect(try await ledger.ledger.holdOnNew() != nil)
        #expect(try await ledger.due() == nil)
        #expect(try await ledger.recover(machine: "two").hold == nil)
        #expect(try await ledger.due() == nil)
        #expect(try await resume(ledger) == .success(.running))
        #expect(try await ledger.due() != nil)
        #expect(try await ledger.recover(machine: "one").hold == .otherMachine)
    }

    @Test func `after a long downtime what runs or waits for its time is paused, and nothing else`() async throws {
        let start = LedgerFixture.now
        for (seconds, isHeld) in [(3600, false), (3601, true)] as [(Int64, Bool)] {
            let ledger = try await flying()
            try await ledger.campaign("later", to: ["b@example.org"], state: .scheduled)
            try await ledger.campaign("held", to: ["b@example.org"], state: .held, because: "approve it")
            try await ledger.recover(at: start.adding(seconds: -9999), holdAfterDowntime: 3600)
            try await ledger.ledger.markAlive(now: start)
            let recovery = try await ledger.recover(at: start.adding(seconds: seconds), holdAfterDowntime: 3600)
            #expect(recovery.hold == (isHeld ? .downtime(seconds: 3601) : nil))
            #expect(recovery.paused == (isHeld ? 2 : 0))
            let states = try ledger.raw { try String.fetchAll($0, sql: "SELECT state FROM campaigns ORDER BY number") }
            #expect(states == (isHeld ? ["paused", "paused", "held"] : ["running", "scheduled", "held"]))
            #expect(try await ledger.ledger.holdOnNew() == nil)
            // The start itself counts as a sign of life.
            let next = start.adding(seconds: seconds + 3600)
            #expect(try await ledger.recover(at: next, holdAfterDowntime: 3600).hold == nil)
        }
    }

    @Test func `downtime holds nothing where that is switched off, where none is known, or where the clock went back`()
        async throws
    {
        let ledger = try await flying()
        let start = LedgerFixture.now
        #expect(try await ledger.recover(at: start, holdAfterDowntime: 1).hold == nil)
        #expect(try await ledger.recover(at: start.adding(seconds: 1_000_000)).hold == nil)
        #expect(try await ledger.recover(at: start, holdAfterDowntime: 1).hold == nil)
    }

    @Test func `of several reasons to hold the gravest is told`() async throws {
        let ledger = try await flying()
        let start = LedgerFixture.now
        try await ledger.recover(at: start, machine: "one")
        let late = start.adding(seconds: 9999)
        #expect(
            try await ledger.recover(at: late, machine: "two", intentsInJournal: 9, holdAfterDowntime: 1).hold
                == .restored)
        #expect(
            try await ledger.recover(
                at: late.adding(seconds: 9999), machine: "three", intentsInJournal: 9, holdAfterDowntime: 1
            ).hold == .otherMachine)
    }

    @Test(arguments: [Recovery.Hold.restored, .otherMachine, .downtime(seconds: 90_061)])
    func `a hold says how to go on`(hold: Recovery.Hold) {
        #expect(hold.because.hasSuffix("resume this campaign by a control job"))
        if case .downtime = hold { #expect(hold.because.contains("down for 25 h 1 min")) }
    }

    @Test func `an uncounted start is told by a rule of its own, and what it decides is written`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        // A recovery that forgets the doubt, as a test of the machinery builds it on purpose.
        let wrong = HandOverRules(recover: { $0 = Delivery(state: .queued, attempts: 0, notBefore: $0.notBefore) })
        let ledger = LedgerFixture(directory: directory, ledger: try DeliveryLedger(path: path, rules: wrong))
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        #expect(try await ledger.intend(try ledger.delivery("a@example.org")) == .handOver)
        try await ledger.recover()
        #expect(try ledger.states(1) == ["a@example.org queued"])
    }

    private func resume(_ ledger: LedgerFixture) async throws -> Result<CampaignState, ControlRefusal>? {
        try await ledger.ledger.control(
            campaign: try jobID("mailing"), action: .resume, because: nil, by: try jobID("control"),
            now: LedgerFixture.now)
    }

    /// A ledger with one message in doubt and one that waits.
    private func flying() async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org", "b@example.org"])
        try await ledger.campaign(to: ["a@example.org", "b@example.org"])
        _ = try await ledger.doubt("a@example.org")
        return ledger
    }

    /// Makes a ledger with a running and a held campaign, copies it, and hands one message over after that.
    private func makeAndCopy(_ directory: TemporaryDirectory) async throws -> [UInt8] {
        let ledger = try DeliveryLedger(path: directory.path("ledger.sqlite"))
        let fixture = LedgerFixture(directory: directory, ledger: ledger)
        try await fixture.register(["a@example.org"])
        try await fixture.campaign("one", to: ["a@example.org"])
        try await fixture.campaign("two", to: ["a@example.org"], state: .held, because: "approve it")
        try fixture.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let copy = try directory.read("ledger.sqlite")
        #expect(try await fixture.intend(try fixture.delivery("a@example.org", in: 1)) == .handOver)
        try await ledger.close()
        return copy
    }
}

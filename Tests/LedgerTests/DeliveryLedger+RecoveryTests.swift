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
        let recovery = try await ledger.ledger.recover()
        #expect(recovery == Recovery(uncertain: 2, relays: ["default"], isRestored: false))
        #expect(
            try ledger.states(1) == [
                "sent@example.org sent", "bounced@example.org bounced", "flying@example.org uncertain",
                "also-flying@example.org uncertain", "waiting@example.org queued", "no@example.org withheld refused",
            ])
        #expect(try await ledger.due()?.address.text == "waiting@example.org")
        let before = try ledger.dump()
        #expect(try await ledger.ledger.recover() == Recovery())
        #expect(try ledger.dump() == before)
    }

    @Test func `a request for consent in doubt counts as a request`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"], answer: nil)
        try await ledger.campaign(to: ["a@example.org"]) { $0.basis = .consentRequest }
        #expect(try await ledger.intend(try ledger.delivery("a@example.org")) == .handOver)
        _ = try await ledger.ledger.recover()
        #expect(try await ledger.status("a@example.org") == .awaiting)
    }

    @Test func `an older copy of the ledger is recognised, and all its campaigns are paused`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        let copied = try await makeAndCopy(directory)
        try directory.write(copied, to: "ledger.sqlite")
        let ledger = try DeliveryLedger(path: path)
        let recovery = try await ledger.recover()
        #expect(recovery.isRestored)
        for number in try await ledger.campaignNumbers() {
            let summary = try #require(try await ledger.summary(campaign: number))
            #expect(summary.state == .paused)
            #expect(summary.because?.contains("restored") == true)
        }
        let now = LedgerFixture.now
        #expect(try await ledger.nextDue(relay: "default", now: now, turns: Turns()) == .nothing(until: nil))
        // It says so once: after a person resumed, a restart does not pause again.
        #expect(try await !ledger.recover().isRestored)
        #expect(try await ledger.isRestored())
        for (campaign, state) in [("one", CampaignState.running), ("two", .held)] {
            let resumed = try await ledger.control(
                campaign: try jobID(campaign), action: .resume, because: nil, by: try jobID("control"), now: now)
            #expect(resumed == .success(state))
            #expect(try await !ledger.isRestored())
        }
    }

    @Test func `a counter that a power cut made smaller says nothing`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        #expect(try await ledger.intend(try ledger.delivery("a@example.org")) == .handOver)
        try ledger.ledger.counter.write(0)
        #expect(try await !ledger.ledger.recover().isRestored)
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
        return copy
    }
}

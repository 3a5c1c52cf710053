import Mailing
import TestSupport
import Testing

@testable import Ledger

/// The distance between two dots, asked inside the transaction.
@Suite struct DeliveryLedgerSlotTests {
    private static let people = ["a@example.org", "b@example.org"]

    private func ledger() async throws -> (LedgerFixture, first: Int64, second: Int64) {
        let ledger = try LedgerFixture()
        try await ledger.register(Self.people)
        try await ledger.campaign(to: Self.people)
        return (ledger, try ledger.delivery(Self.people[0]), try ledger.delivery(Self.people[1]))
    }

    @Test func `a slot that is too near to the last dot is refused and nothing changes`() async throws {
        let (ledger, first, second) = try await ledger()
        #expect(try await ledger.intend(first, slot: 1000, interval: 100) == .handOver)
        let before = try ledger.dump()
        let wait = Delivery.IntentDecision.wait(until: BootInstant(nanoseconds: 1100))
        #expect(try await ledger.intend(second, slot: 1099, interval: 100) == wait)
        #expect(try ledger.dump() == before)
        #expect(ledger.ledger.counter.read() == 1)
        #expect(try await ledger.intend(second, slot: 1100, interval: 100) == .handOver)
    }

    @Test func `the distance counts from the moment at which the last dot was really written`() async throws {
        let (ledger, first, second) = try await ledger()
        #expect(try await ledger.intend(first, slot: 1000, interval: 100) == .handOver)
        try await ledger.conclude(first, .sent, writtenAt: 1070)
        let wait = Delivery.IntentDecision.wait(until: BootInstant(nanoseconds: 1170))
        #expect(try await ledger.intend(second, slot: 1169, interval: 100) == wait)
        #expect(try await ledger.intend(second, slot: 1170, interval: 100) == .handOver)
    }

    @Test func `of several limits the latest holds, whatever their order`() async throws {
        for relays in [["north", ""], ["", "north"]] {
            let (ledger, first, second) = try await ledger()
            #expect(try await ledger.intend(first, slot: 1000, relays: ["", "south"]) == .handOver)
            var request = ledger.request(second, slot: 1049, relays: relays)
            request.claims = relays.map { SlotClaim(name: $0, interval: $0.isEmpty ? 50 : 700) }
            #expect(
                try await ledger.ledger.intend(request).decision == .wait(until: BootInstant(nanoseconds: 1050)))
            request.slot.at = BootInstant(nanoseconds: 1050)
            #expect(try await ledger.ledger.intend(request).decision == .handOver)
            #expect(try await ledger.ledger.storedSlot(relay: "north")?.at == BootInstant(nanoseconds: 1050))
            #expect(try await ledger.ledger.storedSlot(relay: "south")?.at == BootInstant(nanoseconds: 1000))
        }
    }

    @Test func `a slot of an earlier boot of the machine says nothing`() async throws {
        let (ledger, first, second) = try await ledger()
        #expect(try await ledger.intend(first, slot: 1000, interval: 100) == .handOver)
        var request = ledger.request(second, slot: 1, interval: 100)
        request.slot.bootID = BootID("another")
        #expect(try await ledger.ledger.intend(request).decision == .handOver)
    }
}

/// Handing over once more what is in doubt, under the key of its first hand-over.
@Suite struct DeliveryLedgerKeyTests {
    private let now = LedgerFixture.now

    private func doubt() async throws -> (LedgerFixture, Int64) {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        return (ledger, try await ledger.doubt("a@example.org", keySeconds: 3600))
    }

    /// The first moment at which the doubt may be tried again.
    private func later(_ ledger: LedgerFixture) throws -> Timestamp {
        Timestamp(milliseconds: Int64(try ledger.count("SELECT not_before FROM deliveries")))
    }

    @Test func `a key that went elsewhere, or in another header, is not relied on`() async throws {
        let (ledger, delivery) = try await doubt()
        let moment = try later(ledger)
        let elsewhere = "X-Key smtp://other.example"
        let search = try await ledger.ledger.nextDue(
            relay: "default", now: moment, turns: Turns(), keyScope: elsewhere)
        #expect(search == .nothing(until: nil))
        var request = ledger.request(delivery, at: moment, keySeconds: 3600)
        request.keyScope = elsewhere
        #expect(try await ledger.ledger.intend(request).decision == .leaveInDoubt)
        #expect(try ledger.state(delivery) == "uncertain")
    }

    @Test func `a clock that was set back since makes a key unknown`() async throws {
        let (ledger, delivery) = try await doubt()
        try ledger.execute("UPDATE deliveries SET not_before = 0")
        let request = ledger.request(delivery, at: now.adding(seconds: -1), keySeconds: 3600)
        #expect(try await ledger.ledger.intend(request).decision == .leaveInDoubt)
        #expect(try ledger.state(delivery) == "uncertain")
    }

    @Test func `the time of a key begins with the first hand-over, also where the dot was deferred`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery, keySeconds: 3600) == .handOver)
        try await ledger.conclude(delivery, .deferred(isGreylisting: false))
        let moment = try later(ledger)
        #expect(try await ledger.intend(delivery, at: moment, keySeconds: 3600) == .handOver)
        let end = now.adding(seconds: 3600).milliseconds
        #expect(try ledger.count("SELECT key_until FROM deliveries") == Int(end))
        try await ledger.conclude(delivery, .uncertain, at: moment)
        #expect(try await ledger.intend(delivery, at: now.adding(seconds: 3601), keySeconds: 3600) == .leaveInDoubt)
    }

    @Test func `a key that goes elsewhere after it was deferred has a time of its own`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery, keySeconds: 3600) == .handOver)
        try await ledger.conclude(delivery, .deferred(isGreylisting: false))
        let moment = try later(ledger)
        var request = ledger.request(delivery, at: moment, keySeconds: 3600)
        request.keyScope = "X-Key smtp://other.example"
        #expect(try await ledger.ledger.intend(request).decision == .handOver)
        let end = moment.adding(seconds: 3600).milliseconds
        #expect(try ledger.count("SELECT key_until FROM deliveries") == Int(end))
    }

    @Test func `what is in doubt is due after all that is queued, only where the relay knows keys`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org", "b@example.org"])
        try await ledger.campaign(to: ["a@example.org", "b@example.org"])
        let doubt = try await ledger.doubt("a@example.org", keySeconds: 3600)
        func next() async throws -> DueSearch {
            try await ledger.ledger.nextDue(
                relay: "default", now: now, turns: Turns(), keyScope: LedgerFixture.keyScope)
        }
        guard case .due(let queued) = try await next() else {
            Issue.record("nothing was due")
            return
        }
        #expect(queued.address.text == "b@example.org")
        #expect(!queued.isInDoubt)
        #expect(try await ledger.intend(queued.id) == .handOver)
        guard case .due(let again) = try await next() else {
            Issue.record("the doubt was not due")
            return
        }
        #expect(again.id == doubt)
        #expect(again.isInDoubt)
        #expect(try await ledger.due() == nil)
    }

    @Test(arguments: ["paused", "held", "scheduled", "cancelled", "finished"])
    func `what is in doubt is not due where its campaign does not run`(state: String) async throws {
        let (ledger, _) = try await doubt()
        try ledger.execute("UPDATE campaigns SET state = '\(state)'")
        let found = try await ledger.ledger.nextDue(
            relay: "default", now: now, turns: Turns(), keyScope: LedgerFixture.keyScope)
        #expect(found == .nothing(until: nil))
    }

    @Test func `what is in doubt is not due without a key, nor when its key is over`() async throws {
        let (ledger, _) = try await doubt()
        for seconds: Int64 in [3599, 3600] {
            let found = try await ledger.ledger.nextDue(
                relay: "default", now: now.adding(seconds: seconds), turns: Turns(), keyScope: LedgerFixture.keyScope)
            #expect((found == .nothing(until: nil)) == (seconds == 3600))
        }
        let keyless = try LedgerFixture()
        try await keyless.register(["a@example.org"])
        try await keyless.campaign(to: ["a@example.org"])
        _ = try await keyless.doubt("a@example.org")
        let found = try await keyless.ledger.nextDue(
            relay: "default", now: now, turns: Turns(), keyScope: LedgerFixture.keyScope)
        #expect(found == .nothing(until: nil))
    }

    @Test func `an accepted second hand-over ends the doubt under the Message-ID and the key of the first`()
        async throws
    {
        let (ledger, delivery) = try await doubt()
        let question = "SELECT message_id || ' ' || key_until || ' ' || doubts FROM deliveries"
        let before = try ledger.text(question)
        var request = ledger.request(delivery, slot: 9, keySeconds: 99_999)
        request.messageID = "<another@library.example>"
        request.localPort = 40_002
        #expect(try await ledger.ledger.intend(request) == Intent(decision: .handOver, number: 2))
        #expect(
            try ledger.text("SELECT state || ' ' || repeating || ' ' || local_port FROM deliveries")
                == "inFlight 1 40002")
        try await ledger.conclude(delivery, .sent)
        #expect(try ledger.text("SELECT state || ' ' || repeating FROM deliveries") == "sent 0")
        #expect(try ledger.text(question) == before)
        #expect(try ledger.count("SELECT count(*) FROM settlements") == 0)
        #expect(try await ledger.intend(delivery) == .leave)
    }

    @Test(arguments: [
        Outcome.bounced(suppress: false), .deferred(isGreylisting: true), .policyRefusal, .routeTrouble, .uncertain,
    ])
    func `a second hand-over that is not accepted leaves the doubt, and waits`(outcome: Outcome) async throws {
        let (ledger, delivery) = try await doubt()
        #expect(try await ledger.intend(delivery) == .handOver)
        try await ledger.conclude(delivery, outcome)
        #expect(try ledger.text("SELECT state || ' ' || repeating || ' ' || doubts FROM deliveries") == "uncertain 0 1")
        #expect(try await ledger.intend(delivery) == .leave)
        let later = try later(ledger)
        #expect(later > now)
        let search = try await ledger.ledger.nextDue(
            relay: "default", now: now, turns: Turns(), keyScope: LedgerFixture.keyScope)
        #expect(search == .nothing(until: later))
        #expect(try await ledger.intend(delivery, at: later) == .handOver)
    }

    @Test func `a refusal before the second dot leaves the doubt, too`() async throws {
        let (ledger, delivery) = try await doubt()
        try await ledger.conclude(delivery, .bounced(suppress: false))
        #expect(try ledger.state(delivery) == "uncertain")
        await #expect(throws: LedgerError.self) { try await ledger.conclude(delivery, .sent) }
        await #expect(throws: LedgerError.self) { try await ledger.conclude(delivery, .uncertain) }
    }

    @Test func `a second hand-over that is taken back or cut off leaves the doubt as it was`() async throws {
        let (ledger, delivery) = try await doubt()
        #expect(try await ledger.intend(delivery) == .handOver)
        try await ledger.ledger.takeBack(delivery: delivery)
        let question = "SELECT state || ' ' || repeating || ' ' || doubts || ' ' || examined FROM deliveries"
        #expect(try ledger.text(question) == "uncertain 0 1 0")
        #expect(try await ledger.intend(delivery) == .handOver)
        #expect(try await ledger.recover().uncertain == 1)
        #expect(try ledger.text(question) == "uncertain 0 1 0")
    }

    @Test func `a person's refusal, a suppression, the end of the key or of the campaign leave it in doubt for good`()
        async throws
    {
        let ends: [(LedgerFixture, Int64) async throws -> Delivery.IntentDecision] = [
            { ledger, delivery in
                try await ledger.record(.withdrawn, "a@example.org")
                return try await ledger.intend(delivery)
            },
            { ledger, delivery in
                try await ledger.suppress("a@example.org")
                return try await ledger.intend(delivery)
            },
            { try await $0.intend($1, at: LedgerFixture.now.adding(seconds: 3600)) },
            { try await $0.intend($1, at: LedgerFixture.now.adding(seconds: 86_400)) },
        ]
        for end in ends {
            let (ledger, delivery) = try await doubt()
            #expect(try await end(ledger, delivery) == .leaveInDoubt)
            #expect(try ledger.state(delivery) == "uncertain")
            let open = try await ledger.ledger.openDoubts(relay: "default", after: 0, limit: 9)
            #expect(open.isEmpty)
            let found = try await ledger.ledger.nextDue(
                relay: "default", now: now, turns: Turns(), keyScope: LedgerFixture.keyScope)
            #expect(found == .nothing(until: nil))
        }
    }
}

import GRDB
import Mailing
import Testing

@testable import Ledger

@Suite struct DeliveryLedgerConsentTests {
    private let now = LedgerFixture.now

    @Test func `an import registers contacts, and the list proves their consent`() async throws {
        let ledger = try LedgerFixture()
        let counts = try await ledger.register(["a@example.org", "b@example.org"])
        #expect(counts.added == 2)
        #expect(counts.statuses == ["accepted": 2])
        try await ledger.register(["silent@example.org"], answer: nil)
        #expect(try await ledger.status("a@example.org") == .accepted)
        #expect(try await ledger.status("a@example.org", purpose: "fundraising") == .notAsked)
        #expect(try await ledger.status("silent@example.org") == .notAsked)
        #expect(try await ledger.status("stranger@example.org") == nil)
    }

    @Test(arguments: [ConsentEvent.Kind.imported, .accepted, .renewed])
    func `an import can never turn a refusal into consent`(kind: ConsentEvent.Kind) async throws {
        let ledger = try LedgerFixture()
        try await ledger.record(.withdrawn, "a@example.org")
        let counts = try await ledger.register(
            ["a@example.org"], answer: kind, at: now.adding(seconds: 86_400))
        #expect(counts.withoutEffect == 1)
        #expect(counts.statuses.isEmpty)
        #expect(try await ledger.status("a@example.org") == .refused)
        #expect(try ledger.count("SELECT count(*) FROM consent_events") == 2)
    }

    @Test func `only the recipient's own and later act undoes a withdrawal`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.record(.withdrawn, "a@example.org", by: .operator, at: now, recordedAt: now)
        let later = now.adding(seconds: 60)
        for (actor, moment) in [(ConsentEvent.Actor.operator, later), (.system, later), (.recipient, now)] {
            try await ledger.record(.accepted, "a@example.org", by: actor, at: moment, recordedAt: later)
            #expect(try await ledger.status("a@example.org") == .refused, "\(actor) at \(moment)")
        }
        try await ledger.record(.accepted, "a@example.org", job: "own", at: later)
        #expect(try await ledger.status("a@example.org") == .accepted)
    }

    @Test func `a refusal that comes again counts from its last arrival`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.record(.refused, "a@example.org", job: "one", at: now)
        try await ledger.record(.withdrawn, "a@example.org", job: "two", at: now.adding(seconds: 100))
        try await ledger.record(.accepted, "a@example.org", job: "three", at: now.adding(seconds: 50))
        #expect(try await ledger.status("a@example.org") == .refused)
        try await ledger.record(.accepted, "a@example.org", job: "four", at: now.adding(seconds: 101))
        #expect(try await ledger.status("a@example.org") == .accepted)
    }

    @Test func `the same job again adds no event, also when others came in between`() async throws {
        let ledger = try LedgerFixture()
        let people = ["a@example.org", "b@example.org"]
        try await ledger.register(people, group: "readers")
        try await ledger.record(.withdrawn, "a@example.org", at: now.adding(seconds: 5))
        let before = try ledger.dump()
        let counts = try await ledger.register(people, group: "readers")
        #expect(counts.withoutEffect == 2)
        try await ledger.record(.withdrawn, "a@example.org", at: now.adding(seconds: 5))
        #expect(try ledger.dump() == before)
        #expect(try await ledger.status("a@example.org") == .refused)
    }

    @Test func `a job of events ends in the transaction that records them`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("event")
        try await ledger.record(.accepted, "a@example.org")
        let job = try #require(try await ledger.ledger.job(try jobID("event")))
        #expect(job.isFinished)
        #expect(job.registered == ["events": 1, "added": 1, "accepted": 1, "withoutEffect": 0])
    }

    @Test func `a person twice in one batch is one contact with one event`() async throws {
        let ledger = try LedgerFixture()
        let counts = try await ledger.register(["a@example.org", "A@Example.org"])
        #expect(counts.added == 1)
        #expect(counts.updated == 1)
        #expect(try ledger.count("SELECT count(*) FROM contacts") == 1)
        #expect(try ledger.count("SELECT count(*) FROM consent_events") == 1)
    }

    @Test func `a later yes is newer evidence, a later request a newer date`() async throws {
        let ledger = try LedgerFixture()
        for (number, kind) in [ConsentEvent.Kind.requested, .requested, .accepted, .renewed].enumerated() {
            try await ledger.record(kind, "a@example.org", job: "job-\(number)")
            #expect(try ledger.count("SELECT event FROM consent_status") == number + 1)
        }
        #expect(try await ledger.status("a@example.org") == .accepted)
    }

    @Test func `what a list says replaces what was known, and what it leaves out stays`() async throws {
        let ledger = try LedgerFixture()
        func register(_ name: String?, _ attributes: [String: String]) async throws -> RegistrationCounts {
            let entry = ContactEntry(
                address: try address("a@example.org"), name: name, language: nil, number: nil, attributes: attributes,
                answer: nil)
            return try await ledger.ledger.register([entry], group: nil, proof: nil, now: now)
        }
        #expect(try await register("Jan", ["branch": "Gieten", "card": "gold"]).added == 1)
        #expect(try await register(nil, ["branch": "Assen"]).updated == 1)
        #expect(try await register(nil, [:]).updated == 1)
        let fields = try await ledger.ledger.read { try DeliveryLedger.contactFields($0, contact: 1) }
        #expect(fields == ["name": "Jan", "branch": "Assen", "card": "gold"])
    }
}

/// The chain of hashes.
@Suite struct ConsentChainTests {
    @Test(arguments: [
        "kind = 'accepted'", "happened_at = happened_at - 1", "recorded_at = recorded_at + 1", "purpose = 'other'",
        "actor = 'recipient'", "job = 'other'", "source = text", "text = source", "contact = contact - 1",
        "hash = zeroblob(32)",
    ])
    func `a history that was changed behind our back is detected`(change: String) async throws {
        let ledger = try LedgerFixture()
        for number in 1...5 {
            try await ledger.register(["reader-\(number)@example.org"], answer: .refused, job: "job-\(number)")
        }
        #expect(try await ledger.ledger.firstBrokenConsentEvent() == nil)
        try ledger.execute(
            """
            DROP TRIGGER consent_events_are_not_changed;
            UPDATE consent_events SET \(change) WHERE number = 3
            """)
        #expect(try await ledger.ledger.firstBrokenConsentEvent() == 3)
    }

    @Test func `an event that was taken out is detected`() async throws {
        let ledger = try LedgerFixture()
        for number in 1...3 { try await ledger.record(.accepted, "a@example.org", job: "job-\(number)") }
        try ledger.execute("DROP TRIGGER consent_events_are_kept; DELETE FROM consent_events WHERE number = 2")
        #expect(try await ledger.ledger.firstBrokenConsentEvent() == 3)
    }

    @Test func `a person whose address was changed is detected`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try ledger.execute("UPDATE contacts SET address_key = 'b@example.org'")
        #expect(try await ledger.ledger.firstBrokenConsentEvent() == 1)
    }

    @Test func `the chain goes on over batches and restarts, and an empty one is whole`() async throws {
        let fixture = try LedgerFixture()
        #expect(try await fixture.ledger.firstBrokenConsentEvent() == nil)
        for batch in 0..<3 {
            try await fixture.register((0..<4).map { "reader-\(batch)-\($0)@example.org" }, job: "job-\(batch)")
        }
        try await fixture.record(.withdrawn, "reader-1-1@example.org")
        #expect(try fixture.count("SELECT count(*) FROM consent_events") == 13)
        #expect(try await fixture.ledger.firstBrokenConsentEvent() == nil)
        #expect(try fixture.count("SELECT count(DISTINCT hash) FROM consent_events") == 13)
    }

    @Test(arguments: [1, 2, 3, 5, 6, 100])
    func `a walk in parts finds what one walk finds`(part: Int) async throws {
        let ledger = try LedgerFixture()
        for number in 1...5 {
            try await ledger.register(["reader-\(number)@example.org"], answer: .refused, job: "job-\(number)")
        }
        func walk() async throws -> (end: ConsentChainWalk, steps: Int) {
            var walk = ConsentChainWalk()
            var steps = 0
            while !walk.isOver, steps < 10 {
                walk = try await ledger.ledger.walkConsentChain(walk, events: part)
                steps += 1
            }
            return (walk, steps)
        }
        let whole = try await walk()
        #expect(whole.end.isOver && whole.end.firstBroken == nil)
        #expect(whole.steps == 5 / part + 1, "the ledger is free in between")
        try ledger.execute(
            """
            DROP TRIGGER consent_events_are_not_changed;
            UPDATE consent_events SET happened_at = 1 WHERE number = 4
            """)
        let changed = try await walk()
        #expect(changed.end.isOver && changed.end.firstBroken == 4)
        #expect(changed.steps == (4 + part - 1) / part)
    }
}

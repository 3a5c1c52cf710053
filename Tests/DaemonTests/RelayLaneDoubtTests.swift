import Ledger
import Logging
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// What is in doubt is handed over once more only under a key that the relay knows.
@Suite(.timeLimit(.minutes(5)))
struct RelayLaneDoubtTests {
    private static let header = "X-Idempotency-Key"
    private static let hours = 2
    private let reader = "reader1@people.example"

    /// A relay that knows keys for two hours.
    private func fixture(relays: [String: Int] = ["default": 3000], lines: [String] = []) throws -> DaemonFixture {
        let keys = [
            "idempotency_header = \"\(RelayLaneDoubtTests.header)\"",
            "idempotency_hours = \(RelayLaneDoubtTests.hours)",
        ]
        let fixture = try DaemonFixture(relays: relays, relayLines: keys, lines: lines)
        fixture.auditor.knowsKeys(in: RelayLaneDoubtTests.header, seconds: Int64(RelayLaneDoubtTests.hours) * 3600)
        return fixture
    }

    private func campaign(_ count: Int = 1, extra: [String: JSONValue] = [:]) -> String {
        let recipients = (1...count).map { JobText.Recipients.address("reader\($0)@people.example") }
        return JobText.campaign("c", to: recipients, basis: "service", extra: extra)
    }

    private func keys(_ fixture: DaemonFixture) -> [String?] {
        fixture.auditor.dots.map { $0.field(RelayLaneDoubtTests.header) }
    }

    /// One dot and no reply to it; the lane ends before the next slot.
    private func fallSilent(_ fixture: DaemonFixture) async {
        let relay = fixture.relay()
        relay.answer(reader, .silent)
        await fixture.send(relay, seconds: 1)
    }

    @Test func `what nobody answered is handed over once more under its key, in its turn`() async throws {
        let fixture = try fixture()
        let number = try await fixture.plan(campaign(3)).number
        let relay = fixture.relay()
        relay.answer(reader, .silent)
        await fixture.send(relay, seconds: 30)
        #expect(
            fixture.auditor.recipients == [reader, "reader2@people.example", "reader3@people.example", reader],
            "what was never handed over goes first")
        #expect(fixture.auditor.gaps == [1_200_000_000, 1_200_000_000, 1_200_000_000], "it has a slot of its own")
        #expect(try await fixture.summary(number).counts.sent == 3)
        let keys = keys(fixture).compactMap(\.self)
        #expect(keys.count == 4)
        #expect(keys.first == keys.last)
        #expect(Set(keys).count == 3)
        #expect(fixture.auditor.dots.first?.message == fixture.auditor.dots.last?.message)
    }

    @Test func `silence again and again is tried again as a refusal is, as long as the key is valid`() async throws {
        let fixture = try fixture()
        let number = try await fixture.plan(campaign()).number
        let relay = fixture.relay()
        relay.answer(reader, .silent, .silent, .silent, .silent, .silent, .silent)
        await fixture.send(relay, seconds: 100_000)
        let start = try #require(fixture.auditor.dots.first).at
        let after = fixture.auditor.dots.map { ($0.at.nanoseconds - start.nanoseconds) / 1_000_000_000 }
        #expect(after == [0, 1, 1801, 5401], "retry_after; the next one would come when the key has expired")
        #expect(try await fixture.states(number) == [reader: "uncertain"])
    }

    @Test func `when the key has expired nothing is repeated, and the doubt stays`() async throws {
        let fixture = try fixture()
        let number = try await fixture.plan(campaign()).number
        await fallSilent(fixture)
        #expect(fixture.auditor.dots.count == 1)
        await fixture.clock.run(seconds: 7200)
        await fixture.send(fixture.relay(), seconds: 10_000)
        #expect(fixture.auditor.dots.count == 1)
        #expect(try await fixture.states(number) == [reader: "uncertain"])
        await fixture.writeReceipts()
        let row = try #require(try await fixture.rows(number).first)
        #expect(row.reason == "no reply within 600 s; its idempotency key is not known any more")
        #expect(try await fixture.summary(number).state == .finished)
    }

    @Test func `a key that expires between the body and the dot is not used`() async throws {
        let fixture = try fixture()
        let number = try await fixture.plan(campaign()).number
        await fallSilent(fixture)
        let relay = fixture.relay()
        relay.afterArming { _ in fixture.clock.stepWall(seconds: 7200) }
        await fixture.send(relay, seconds: 100)
        #expect(fixture.auditor.dots.count == 1)
        #expect(relay.events.contains(.armed(reader)) && relay.events.last == .closed)
        #expect(try await fixture.states(number) == [reader: "uncertain"])
        #expect(
            fixture.log.messages.contains { $0.hasPrefix("stays uncertain: its key is not used once more") })
    }

    @Test func `after a withdrawal nothing is repeated, and the doubt stays`() async throws {
        let fixture = try fixture()
        try await fixture.accept(reader)
        let number = try await fixture.plan(JobText.campaign("c", to: [.address(reader)])).number
        await fallSilent(fixture)
        let relay = fixture.relay()
        relay.afterArming { recipient in
            do { try await fixture.withdraw(recipient) } catch { Issue.record(error) }
        }
        await fixture.send(relay, seconds: 10_000)
        #expect(relay.events.count(where: { $0 == .armed(reader) }) == 1, "it is not even tried again")
        #expect(fixture.auditor.dots.count == 1)
        #expect(try await fixture.states(number) == [reader: "uncertain"])
        await fixture.writeReceipts()
        #expect(try await fixture.summary(number).state == .finished)
    }

    @Test(arguments: [
        ScriptedRelay.Answer.reply(.recipient, 550, "5.2.2 full"), .reply(.dot, 554, "5.6.0 no"),
        .reply(.dot, 451, "4.3.0 later"), .reply(.data, 452, "4.3.1 full"), .lost, .notWritten,
    ])
    func `only a 2yz to the second dot ends the doubt`(answer: ScriptedRelay.Answer) async throws {
        let fixture = try fixture()
        let number = try await fixture.plan(campaign()).number
        let relay = fixture.relay()
        relay.answer(reader, .silent, answer)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 600)
        #expect(try await fixture.states(number) == [reader: "uncertain"])
        #expect(fixture.log.lines.allSatisfy { $0.metadata["OUTCOME"] != "bounced" }, "nobody knows of a bounce")
        await fixture.clock.run(seconds: 2000)
        lane.end()
        await task.value
        #expect(try await fixture.states(number) == [reader: "sent"])
        #expect(Set(keys(fixture)).count == 1)
    }

    @Test func `a second hand-over that ends with the daemon is in doubt as before, under the first key`() async throws
    {
        let fixture = try fixture()
        let number = try await fixture.plan(campaign()).number
        await fallSilent(fixture)
        let first = try #require(fixture.auditor.dots.first)
        try await fixture.sql(
            """
            CREATE TRIGGER broken BEFORE UPDATE OF state ON deliveries WHEN OLD.state = 'inFlight'
            BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
            """)
        let relay = fixture.relay()
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 10)
        fixture.context.stopping.set()
        lane.end()
        await fixture.clock.run(seconds: 30)
        await task.value
        #expect(try await fixture.states(number) == [reader: "inFlight"])
        try await fixture.sql("DROP TRIGGER broken;")
        #expect(try await fixture.ledger.recover(StartingPoint(now: fixture.clock.wall)).uncertain == 1)
        #expect(try await fixture.states(number) == [reader: "uncertain"])
        let ledger = fixture.ledger
        func next() async throws -> DueSearch {
            try await ledger.nextDue(
                relay: "default", now: fixture.clock.wall, turns: Turns(),
                keyScope: fixture.configuration.relays["default"]?.keyScope ?? "none")
        }
        guard case .due(let due) = try await next() else {
            Issue.record("it may be handed over once more")
            return
        }
        #expect(due.isInDoubt)
        await fixture.clock.run(until: first.at.adding(nanoseconds: 7_200_000_000_000))
        #expect(try await next() == .nothing(until: nil))
    }

    @Test func `a relay without keys never repeats, and its messages carry none`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign()).number
        let relay = fixture.relay()
        relay.answer(reader, .silent)
        await fixture.send(relay, seconds: 100_000)
        #expect(keys(fixture) == [nil])
        #expect(try await fixture.states(number) == [reader: "uncertain"])
    }

    @Test func `what was handed over without a key is not repeated when the relay gets keys`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign()).number
        await fallSilent(fixture)
        var configuration = fixture.configuration
        configuration.relays["default"]?.idempotencyHeader = RelayLaneDoubtTests.header
        fixture.context.settings.replace(by: configuration)
        await fixture.send(fixture.relay(), seconds: 10_000)
        #expect(fixture.auditor.dots.count == 1)
        #expect(try await fixture.states(number) == [reader: "uncertain"])
    }

    @Test func `nothing is repeated of a campaign that is paused or cancelled`() async throws {
        let fixture = try fixture()
        let number = try await fixture.plan(campaign()).number
        await fallSilent(fixture)
        _ = try await fixture.ledger.pause(campaign: number, because: "a test")
        await fixture.send(fixture.relay(), seconds: 1000)
        #expect(fixture.auditor.dots.count == 1)
        let producer = try fixture.producer()
        try producer.dropFile("k", json: JobText.control("k", "cancel", campaign: "c"))
        try await fixture.serve()
        await fixture.send(fixture.relay(), seconds: 1000)
        #expect(fixture.auditor.dots.count == 1)
        #expect(try await fixture.states(number) == [reader: "uncertain"])
    }

    @Test func `a message in doubt that cannot be made any more is given up, and the others go on`() async throws {
        let fixture = try fixture()
        let json = JobText.campaign("c", to: [.address(reader)], basis: "service", subject: "News for {{name}}")
        try await fixture.accept(reader)
        try await fixture.sql("UPDATE contacts SET name = 'Anna';")
        let number = try await fixture.plan(json).number
        await fallSilent(fixture)
        #expect(fixture.auditor.dots.count == 1)
        try await fixture.sql("UPDATE contacts SET name = 'A' || char(7);")
        await fixture.send(fixture.relay(), seconds: 1000)
        #expect(fixture.auditor.dots.count == 1)
        let row = try #require(try await fixture.rows(number).first)
        #expect(row.state == "uncertain")
        #expect(row.reason?.hasPrefix("no reply within 600 s; no message can be made to repeat it: ") == true)
    }

    @Test func `a slot that the ledger knows of and the lane does not is waited for`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign(2))
        await fixture.send(fixture.relay(), seconds: 0.5)
        #expect(fixture.auditor.dots.count == 1)
        // A new lane that was told nothing.
        let relay = fixture.relay()
        await fixture.send(relay, seconds: 5)
        #expect(fixture.auditor.gaps == [1_200_000_000])
        #expect(relay.events.prefix(3) == [.opened, .armed("reader2@people.example"), .closed])
        #expect(relay.events.count(where: { $0 == .armed("reader2@people.example") }) == 2)
        #expect(fixture.log.lines.allSatisfy { $0.level <= .info }, "\(fixture.log.messages)")
    }
}

import Ledger
import Logging
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// What lanes do while the ledger cannot be written.
@Suite(.timeLimit(.minutes(5)))
struct RelayLaneLedgerTests {
    private static let replyCannotBeRecorded = """
        CREATE TRIGGER broken BEFORE UPDATE OF state ON deliveries WHEN OLD.state = 'inFlight'
        BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
        """
    private static let intentCannotBeRecorded = """
        CREATE TRIGGER broken BEFORE UPDATE OF state ON deliveries WHEN NEW.state = 'inFlight'
        BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
        """
    private static let repaired = "DROP TRIGGER broken;"

    /// A fixture with two relays, and a campaign of four that are divided between them.
    private func pair() async throws -> (fixture: DaemonFixture, number: Int64) {
        let fixture = try DaemonFixture(relays: ["one": 3000, "two": 3000])
        let recipients = (1...4).map { JobText.Recipients.address("reader\($0)@people.example") }
        let json = JobText.campaign("c", to: recipients, basis: "service", extra: ["relays": ["one", "two"]])
        return (fixture, try await fixture.plan(json).number)
    }

    /// A pacer whose first slot comes so many seconds from now.
    private func pacer(_ fixture: DaemonFixture, first seconds: Double) -> Pacer {
        let at = fixture.clock.boot.adding(nanoseconds: Int64(seconds * 1_000_000_000) - 1_200_000_000)
        return Pacer(
            messagesPerHour: 3000, stored: Pacer.StoredSlot(bootID: fixture.clock.bootID, at: at), wasInFlight: false,
            bootID: fixture.clock.bootID, now: fixture.clock.boot)
    }

    @Test func `a reply that cannot be recorded keeps all dots back until it is`() async throws {
        let (fixture, number) = try await pair()
        let one = fixture.relay("one")
        let two = fixture.relay("two")
        one.beforeReply { recipient in
            guard recipient == "reader1@people.example" else { return }
            do { try await fixture.sql(RelayLaneLedgerTests.replyCannotBeRecorded) } catch { Issue.record(error) }
        }
        let lanes = [
            fixture.lane(one, pacer: pacer(fixture, first: 1.0)), fixture.lane(two, pacer: pacer(fixture, first: 1.05)),
        ]
        let tasks = lanes.map { fixture.run($0) }
        await fixture.clock.run(seconds: 1.04)
        #expect(fixture.auditor.recipients == ["reader1@people.example"])
        #expect(two.events == [.opened, .armed("reader2@people.example")])

        // From here on the second lane waits for the first one, not for time.
        fixture.clock.leave()
        await fixture.clock.run(seconds: 60)
        await two.happened(.closed)
        #expect(fixture.auditor.recipients == ["reader1@people.example"])
        #expect(try await fixture.summary(number).counts.inFlight == 1)

        try await fixture.sql(RelayLaneLedgerTests.repaired)
        await fixture.clock.run(seconds: 1.5)
        await two.happened(.dot("reader2@people.example"))
        fixture.clock.join()
        await fixture.clock.run(seconds: 30)
        for lane in lanes { lane.end() }
        for task in tasks { await task.value }
        #expect(Set(fixture.auditor.recipients).count == 4)
        #expect(fixture.auditor.dots.count == 4)
        let rows = try await fixture.rows(number)
        #expect(rows.map(\.state) == ["sent", "sent", "sent", "sent"])
        #expect(rows.allSatisfy { $0.reply?.hasPrefix("250 ") == true })
    }

    @Test func `a stop while a reply cannot be recorded leaves the delivery in flight, to be uncertain`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign("c", to: [.address("reader@people.example")], basis: "service")
        let number = try await fixture.plan(json).number
        let relay = fixture.relay()
        relay.beforeReply { _ in
            do { try await fixture.sql(RelayLaneLedgerTests.replyCannotBeRecorded) } catch { Issue.record(error) }
        }
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 10)
        fixture.context.stopping.set()
        lane.end()
        await fixture.clock.run(seconds: 30)
        await task.value
        #expect(try await fixture.summary(number).counts.inFlight == 1)
        #expect(fixture.log.messages.contains { $0.contains("cannot be recorded, so nothing is sent") })
        try await fixture.sql(RelayLaneLedgerTests.repaired)
        let recovery = try await fixture.ledger.recover(StartingPoint(now: fixture.clock.wall))
        #expect(recovery.uncertain == 1)
        await fixture.send(fixture.relay(), seconds: 1000)
        #expect(fixture.auditor.dots.count == 1)
        #expect(try await fixture.states(number) == ["reader@people.example": "uncertain"])
    }

    @Test func `an intent that cannot be recorded means no dot`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign("c", to: [.address("reader@people.example")], basis: "service")
        let number = try await fixture.plan(json).number
        try await fixture.sql(RelayLaneLedgerTests.intentCannotBeRecorded)
        let relay = fixture.relay()
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 10)
        #expect(fixture.auditor.dots.isEmpty)
        #expect(relay.events.last == .closed)
        #expect(fixture.log.lines.contains { $0.level == .error && $0.message.contains("nothing is sent meanwhile") })
        try await fixture.sql(RelayLaneLedgerTests.repaired)
        await fixture.clock.run(seconds: 10)
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.count == 1)
        #expect(try await fixture.summary(number).counts.sent == 1)
    }
}

import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// What a stop does to a lane, wherever it is.
@Suite(.timeLimit(.minutes(5)))
struct RelayLaneEndTests {
    private let fixture: DaemonFixture
    private let relay: ScriptedRelay

    init() throws {
        fixture = try DaemonFixture()
        relay = fixture.relay()
    }

    private func plan(_ count: Int) async throws -> Int64 {
        let recipients = (1...count).map { JobText.Recipients.address("reader\($0)@people.example") }
        return try await fixture.plan(JobText.campaign("c", to: recipients, basis: "service")).number
    }

    @Test(arguments: [SMTPPhase.connect, .body])
    func `a stop before the dot ends the session without it`(phase: SMTPPhase) async throws {
        let number = try await plan(1)
        relay.hold(at: phase)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await relay.happened(.held(phase))
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.isEmpty)
        #expect(relay.events.suffix(2) == [.interrupted, .closed])
        #expect(try await fixture.summary(number).counts.queued == 1)
    }

    @Test func `a stop while a message waits for its slot ends the session without the dot`() async throws {
        let number = try await plan(2)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 1.15)
        #expect(relay.events.last == .armed("reader2@people.example"))
        lane.end()
        await task.value
        #expect(fixture.auditor.recipients == ["reader1@people.example"])
        #expect(relay.events.last == .closed)
        let counts = try await fixture.summary(number).counts
        #expect(counts.queued == 1)
        #expect(counts.inFlight == 0)
    }

    @Test func `a stop between the intent and the slot does not bring the dot forward`() async throws {
        let number = try await plan(2)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 0.1)
        let first = try #require(fixture.auditor.dots.first)
        await fixture.clock.run(until: first.at.adding(nanoseconds: 1_200_000_000 - 2_000_000))
        #expect(try await fixture.summary(number).counts.inFlight == 1)
        lane.end()
        let isEarly = await eventually(timeout: .milliseconds(100)) { fixture.auditor.dots.count == 2 }
        #expect(!isEarly)
        await fixture.clock.run(seconds: 1)
        await task.value
        #expect(fixture.auditor.gaps == [1_200_000_000])
        #expect(try await fixture.summary(number).counts.sent == 2)
    }

    @Test func `a stop after the dot waits for the reply and records it`() async throws {
        let number = try await plan(2)
        relay.hold(at: .dot)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await relay.happened(.held(.dot))
        #expect(fixture.context.progress.isAwaitingReply)
        lane.end()
        #expect(!relay.events.contains(.interrupted))
        #expect(try await fixture.summary(number).counts.inFlight == 1)
        relay.letGo()
        await task.value
        #expect(fixture.auditor.recipients == ["reader1@people.example"])
        #expect(try await fixture.summary(number).counts.sent == 1)
        #expect(!fixture.context.progress.isAwaitingReply)
    }

    @Test func `a lane without work ends at once`() async throws {
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.settle()
        lane.end()
        await task.value
        #expect(relay.events == [.closed])
    }

    @Test func `a lane that leaves its relay alone ends at once`() async throws {
        _ = try await plan(1)
        relay.refuseToOpen(.failed(.connect, "connection refused"))
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.settle()
        lane.end()
        await task.value
        #expect(relay.events == [.closed])
    }

    @Test func `a lane with new settings goes on at the pace of the old one`() async throws {
        _ = try await plan(2)
        let old = fixture.lane(relay)
        let task = fixture.run(old)
        await fixture.clock.run(seconds: 0.5)
        old.end()
        await task.value
        let new = fixture.lane(relay, pacer: await old.paceSoFar)
        let second = fixture.run(new)
        await fixture.clock.run(seconds: 5)
        new.end()
        await second.value
        #expect(fixture.auditor.gaps == [1_200_000_000])
    }

    @Test func `a change of the rate counts from the last dot`() async throws {
        _ = try await plan(3)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 0.5)
        await lane.change(messagesPerHour: 100)
        await fixture.clock.run(seconds: 100)
        lane.end()
        await task.value
        #expect(fixture.auditor.gaps == [36_000_000_000, 36_000_000_000])
    }
}

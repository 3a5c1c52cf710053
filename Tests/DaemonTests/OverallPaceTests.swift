import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(1)))
struct OverallPaceTests {
    private let clock = VirtualClock()

    private func pace(_ rate: Int?) -> OverallPace {
        OverallPace(
            pacer: rate.map {
                Pacer(messagesPerHour: $0, stored: nil, wasInFlight: false, bootID: clock.bootID, now: clock.boot)
            })
    }

    private var now: @Sendable () -> BootInstant { { [clock] in clock.boot } }

    @Test func `without a limit nobody waits`() async {
        let pace = pace(nil)
        #expect(await pace.enter(now: now) == nil)
        #expect(await pace.enter(now: now) == nil)
    }

    @Test func `a dot makes the next one wait a full interval`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(now: now))
        #expect(first.slot == clock.boot)
        first.leave(writtenAt: clock.boot)
        let second = try #require(await pace.enter(now: now))
        #expect(second.slot == clock.boot.adding(nanoseconds: 1_200_000_000))
    }

    @Test func `a turn without a dot costs nothing`() async throws {
        let pace = pace(3000)
        try #require(await pace.enter(now: now)).leave(writtenAt: nil)
        #expect(try #require(await pace.enter(now: now)).slot == clock.boot)
    }

    @Test func `a turn is left once`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(now: now))
        first.leave(writtenAt: clock.boot)
        first.leave(writtenAt: nil)
        let second = try #require(await pace.enter(now: now))
        let third = Task { [now] in await pace.enter(now: now)?.slot }
        second.leave(writtenAt: clock.boot.adding(nanoseconds: 1_200_000_000))
        #expect(await third.value == clock.boot.adding(nanoseconds: 1_200_000_000), "never further than one interval")
    }

    @Test func `a limit that a reload takes away lets those who wait go on`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(now: now))
        let second = Task { [now] in await pace.enter(now: now) == nil }
        while pace.waiting < 1 { await Task.yield() }
        pace.change(messagesPerHour: nil, bootID: clock.bootID, now: clock.boot)
        first.leave(writtenAt: clock.boot)
        #expect(await second.value)
    }

    @Test func `a limit that a reload brings begins with a full interval`() async throws {
        let pace = pace(nil)
        pace.change(messagesPerHour: 100, bootID: clock.bootID, now: clock.boot)
        let turn = try #require(await pace.enter(now: now))
        #expect(turn.slot == clock.boot.adding(nanoseconds: 36_000_000_000))
    }

    @Test func `two lanes together keep to the limit over all relays`() async throws {
        let fixture = try DaemonFixture(
            relays: ["one": 3000, "two": 3000], lines: ["[sending]", "messages_per_hour = 600"])
        let recipients = (1...10).map { JobText.Recipients.address("reader\($0)@people.example") }
        let number = try await fixture.plan(
            JobText.campaign("c", to: recipients, basis: "service", extra: ["relays": ["one", "two"]])
        ).number
        let clock = fixture.clock
        let overall = OverallPace(
            pacer: Pacer(messagesPerHour: 600, stored: nil, wasInFlight: false, bootID: clock.bootID, now: clock.boot))
        let lanes = ["one", "two"].map { fixture.lane(fixture.relay($0), overall: overall) }
        let tasks = lanes.map { fixture.run($0) }
        // One of the two may wait for the other instead of time.
        clock.leave()
        for _ in 0..<100 where fixture.auditor.dots.count < 10 { await clock.run(seconds: 6) }
        for lane in lanes { lane.end() }
        for task in tasks { await task.value }
        #expect(fixture.auditor.dots.count == 10)
        #expect(fixture.auditor.gaps.allSatisfy { $0 >= 6_000_000_000 })
        #expect(Set(fixture.auditor.dots.map(\.relay)) == ["one", "two"])
        #expect(try await fixture.summary(number).counts.sent == 10)
        #expect(try await fixture.ledger.storedSlot(relay: OverallPace.name)?.at == fixture.auditor.dots.last?.at)
    }
}

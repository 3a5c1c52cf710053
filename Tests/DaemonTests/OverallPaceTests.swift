import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(5)))
struct OverallPaceTests {
    private let clock = VirtualClock()

    private func pace(_ rate: Int?) -> OverallPace {
        OverallPace(
            pacer: rate.map {
                Pacer(messagesPerHour: $0, stored: nil, wasInFlight: false, bootID: clock.bootID, now: clock.boot)
            })
    }

    @Test func `without a limit nobody waits`() async {
        let pace = pace(nil)
        #expect(await pace.enter(as: "one") == nil)
        #expect(await pace.enter(as: "one") == nil)
    }

    @Test func `a dot makes the next one wait a full interval`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(as: "one"))
        #expect(first.slot(now: clock.boot) == clock.boot)
        first.leave(writtenAt: clock.boot)
        let second = try #require(await pace.enter(as: "one"))
        #expect(second.slot(now: clock.boot) == clock.boot.adding(nanoseconds: 1_200_000_000))
    }

    @Test func `a turn without a dot costs nothing`() async throws {
        let pace = pace(3000)
        try #require(await pace.enter(as: "one")).leave(writtenAt: nil)
        #expect(try #require(await pace.enter(as: "one")).slot(now: clock.boot) == clock.boot)
    }

    @Test func `a turn is left once`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(as: "one"))
        first.leave(writtenAt: clock.boot)
        first.leave(writtenAt: nil)
        let second = try #require(await pace.enter(as: "one"))
        let third = Task { [clock] in await pace.enter(as: "one")?.slot(now: clock.boot) }
        second.leave(writtenAt: clock.boot.adding(nanoseconds: 1_200_000_000))
        #expect(await third.value == clock.boot.adding(nanoseconds: 1_200_000_000), "never further than one interval")
    }

    @Test func `a limit that a reload changes holds for whoever has the turn`() async throws {
        let pace = pace(3000)
        try #require(await pace.enter(as: "one")).leave(writtenAt: clock.boot)
        let turn = try #require(await pace.enter(as: "one"))
        pace.change(messagesPerHour: 100, bootID: clock.bootID, now: clock.boot)
        #expect(turn.slot(now: clock.boot) == clock.boot.adding(nanoseconds: 36_000_000_000))
        #expect(turn.interval == 36_000_000_000)
        pace.change(messagesPerHour: nil, bootID: clock.bootID, now: clock.boot)
        #expect(turn.slot(now: clock.boot) == clock.boot)
        #expect(turn.interval == nil)
    }

    @Test func `a limit that a reload takes away lets those who wait go on`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(as: "one"))
        let second = Task { await pace.enter(as: "one") == nil }
        while pace.waiting < 1, !Task.isCancelled { await Task.yield() }
        pace.change(messagesPerHour: nil, bootID: clock.bootID, now: clock.boot)
        first.leave(writtenAt: clock.boot)
        #expect(await second.value)
    }

    @Test func `a limit that a reload brings begins with a full interval`() async throws {
        let pace = pace(nil)
        pace.change(messagesPerHour: 100, bootID: clock.bootID, now: clock.boot)
        let turn = try #require(await pace.enter(as: "one"))
        #expect(turn.slot(now: clock.boot) == clock.boot.adding(nanoseconds: 36_000_000_000))
    }

    @Test func `a relay that is sent away waits no longer, and takes no turn`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(as: "one"))
        let second = Task { await pace.enter(as: "two") == nil }
        let third = Task { [clock] in await pace.enter(as: "three")?.slot(now: clock.boot) }
        while pace.waiting < 2, !Task.isCancelled { await Task.yield() }
        pace.sendAway("two")
        #expect(await second.value)
        #expect(pace.waiting == 1)
        first.leave(writtenAt: nil)
        #expect(await third.value == clock.boot)
    }
}

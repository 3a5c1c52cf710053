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
        #expect(await pace.enter(as: "one", now: now) == nil)
        #expect(await pace.enter(as: "one", now: now) == nil)
    }

    @Test func `a dot makes the next one wait a full interval`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(as: "one", now: now))
        #expect(first.slot == clock.boot)
        first.leave(writtenAt: clock.boot)
        let second = try #require(await pace.enter(as: "one", now: now))
        #expect(second.slot == clock.boot.adding(nanoseconds: 1_200_000_000))
    }

    @Test func `a turn without a dot costs nothing`() async throws {
        let pace = pace(3000)
        try #require(await pace.enter(as: "one", now: now)).leave(writtenAt: nil)
        #expect(try #require(await pace.enter(as: "one", now: now)).slot == clock.boot)
    }

    @Test func `a turn is left once`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(as: "one", now: now))
        first.leave(writtenAt: clock.boot)
        first.leave(writtenAt: nil)
        let second = try #require(await pace.enter(as: "one", now: now))
        let third = Task { [now] in await pace.enter(as: "one", now: now)?.slot }
        second.leave(writtenAt: clock.boot.adding(nanoseconds: 1_200_000_000))
        #expect(await third.value == clock.boot.adding(nanoseconds: 1_200_000_000), "never further than one interval")
    }

    @Test func `a limit that a reload takes away lets those who wait go on`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(as: "one", now: now))
        let second = Task { [now] in await pace.enter(as: "one", now: now) == nil }
        while pace.waiting < 1, !Task.isCancelled { await Task.yield() }
        pace.change(messagesPerHour: nil, bootID: clock.bootID, now: clock.boot)
        first.leave(writtenAt: clock.boot)
        #expect(await second.value)
    }

    @Test func `a limit that a reload brings begins with a full interval`() async throws {
        let pace = pace(nil)
        pace.change(messagesPerHour: 100, bootID: clock.bootID, now: clock.boot)
        let turn = try #require(await pace.enter(as: "one", now: now))
        #expect(turn.slot == clock.boot.adding(nanoseconds: 36_000_000_000))
    }

    @Test func `a relay that is sent away waits no longer, and takes no turn`() async throws {
        let pace = pace(3000)
        let first = try #require(await pace.enter(as: "one", now: now))
        let second = Task { [now] in await pace.enter(as: "two", now: now) == nil }
        let third = Task { [now] in await pace.enter(as: "three", now: now)?.slot }
        while pace.waiting < 2, !Task.isCancelled { await Task.yield() }
        pace.sendAway("two")
        #expect(await second.value)
        #expect(pace.waiting == 1)
        first.leave(writtenAt: nil)
        #expect(await third.value == clock.boot)
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

    /// Two relays whose lanes share a limit of 600 an hour; the first holds back its answer to a message.
    private func stalled() async throws -> (
        fixture: DaemonFixture, overall: OverallPace, relays: [ScriptedRelay], lanes: [RelayLane]
    ) {
        let fixture = try DaemonFixture(
            relays: ["one": 3000, "two": 3000], lines: ["[sending]", "messages_per_hour = 600"])
        for (name, count) in ["one": 3, "two": 10] {
            let recipients = (1...count).map { JobText.Recipients.address("\(name)\($0)@people.example") }
            try await fixture.plan(
                JobText.campaign(name, to: recipients, basis: "service", extra: ["relays": .array([.string(name)])]))
        }
        let clock = fixture.clock
        let overall = OverallPace(
            pacer: Pacer(messagesPerHour: 600, stored: nil, wasInFlight: false, bootID: clock.bootID, now: clock.boot))
        let relays = ["one", "two"].map { fixture.relay($0) }
        relays[0].hold(at: .body)
        return (fixture, overall, relays, relays.map { fixture.lane($0, overall: overall) })
    }

    @Test func `a relay that stalls before the dot keeps no other waiting, and has its turn later`() async throws {
        let (fixture, _, relays, lanes) = try await stalled()
        let first = fixture.run(lanes[0])
        await relays[0].happened(.held(.body))
        let second = fixture.run(lanes[1])
        // The first waits for its server, not for time.
        fixture.clock.leave()
        let sentBy = { (relay: String) in fixture.auditor.dots.filter { $0.relay == relay }.count }
        // From here on a lane that waits for its turn does not hold time up.
        while sentBy("two") < 3, !Task.isCancelled { await fixture.clock.run(seconds: 1) }
        #expect(sentBy("one") == 0)
        relays[0].letGo()
        await relays[0].happened(.armed("one1@people.example"))
        while sentBy("one") < 3, !Task.isCancelled { await fixture.clock.run(seconds: 1) }
        let armed = relays[0].events.filter { $0 == .armed("one1@people.example") }
        #expect(armed.count == 1, "it waits for its turn again with the message taken up")
        #expect(fixture.auditor.gaps.allSatisfy { $0 >= 6_000_000_000 })
        for lane in lanes { lane.end() }
        await first.value
        await second.value
    }

    @Test func `a lane that waits for its turn ends at once`() async throws {
        let (fixture, overall, relays, lanes) = try await stalled()
        let first = fixture.run(lanes[0])
        await relays[0].happened(.held(.body))
        let second = fixture.run(lanes[1])
        await relays[1].happened(.opened)
        while overall.waiting < 1, !Task.isCancelled { await Task.yield() }
        lanes[1].end()
        await second.value
        #expect(fixture.auditor.dots.isEmpty)
        lanes[0].end()
        await first.value
    }

    @Test func `the slot of a dead connection is taken, and nobody uploads before the next one`() async throws {
        let fixture = try DaemonFixture(relays: ["one": 3000], lines: ["[sending]", "messages_per_hour = 100"])
        let recipients = (1...2).map { JobText.Recipients.address("reader\($0)@people.example") }
        try await fixture.plan(JobText.campaign("c", to: recipients, basis: "service"))
        let clock = fixture.clock
        let overall = OverallPace(
            pacer: Pacer(messagesPerHour: 100, stored: nil, wasInFlight: false, bootID: clock.bootID, now: clock.boot))
        let relay = fixture.relay("one")
        relay.answer("reader1@people.example", .notWritten)
        let lane = fixture.lane(relay, overall: overall)
        let task = fixture.run(lane)
        await clock.run(seconds: 300)
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.count == 2)
        let armed = relay.events.filter { if case .armed = $0 { true } else { false } }
        #expect(armed.count == 3)
    }

    @Test func `a limit that a reload brings while a message is offered is kept by its dot`() async throws {
        let (fixture, _, relays, _) = try await stalled()
        let clock = fixture.clock
        let overall = OverallPace(pacer: nil)
        let lane = fixture.lane(relays[0], overall: overall)
        let task = fixture.run(lane)
        await relays[0].happened(.held(.body))
        let brought = clock.boot
        overall.change(messagesPerHour: 100, bootID: clock.bootID, now: brought)
        relays[0].letGo()
        await clock.run(seconds: 200)
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.first?.at == brought.adding(nanoseconds: 36_000_000_000))
        #expect(fixture.auditor.gaps.allSatisfy { $0 >= 36_000_000_000 })
        #expect(try await fixture.ledger.storedSlot(relay: OverallPace.name)?.at == fixture.auditor.dots.last?.at)
    }
}

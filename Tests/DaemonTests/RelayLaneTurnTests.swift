import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// Lanes that share a limit over all relays.
@Suite(.timeLimit(.minutes(5)))
struct RelayLaneTurnTests {
    private func pace(_ rate: Int?, _ clock: VirtualClock) -> OverallPace {
        OverallPace(
            pacer: rate.map {
                Pacer(messagesPerHour: $0, stored: nil, wasInFlight: false, bootID: clock.bootID, now: clock.boot)
            })
    }

    @Test func `two lanes together keep to the limit over all relays`() async throws {
        let fixture = try DaemonFixture(
            relays: ["one": 3000, "two": 3000], lines: ["[sending]", "messages_per_hour = 600"])
        let recipients = (1...10).map { JobText.Recipients.address("reader\($0)@people.example") }
        let number = try await fixture.plan(
            JobText.campaign("c", to: recipients, basis: "service", extra: ["relays": ["one", "two"]])
        ).number
        let clock = fixture.clock
        let overall = pace(600, clock)
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
        let overall = pace(600, clock)
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
        let overall = pace(100, clock)
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

    @Test func `a relay that let others wait takes its next message up before its turn`() async throws {
        let (fixture, overall, relays, lanes) = try await stalled()
        let task = fixture.run(lanes[0])
        await relays[0].happened(.held(.body))
        // It waits for its server, not for time.
        fixture.clock.leave()
        await fixture.clock.run(seconds: 30)
        #expect(await isFree(overall))
        relays[0].hold(at: .body)
        relays[0].letGo()
        while relays[0].events.filter({ $0 == .held(.body) }).count < 2, !Task.isCancelled {
            await fixture.clock.run(seconds: 0.1)
            await Task.yield()
        }
        #expect(await isFree(overall))
        lanes[0].end()
        await task.value
        #expect(fixture.auditor.dots.count == 1)
    }

    /// Whether another relay could have its turn; false if it has not got it when the test's time is over.
    private func isFree(_ overall: OverallPace) async -> Bool {
        await withTaskCancellationHandler {
            let turn = await overall.enter(as: "two")
            turn?.leave(writtenAt: nil)
            return turn != nil
        } onCancel: {
            overall.sendAway("two")
        }
    }

    @Test(arguments: [nil, 600])
    func `a slow relay begins early for its slot, but not with the turn of all`(rate: Int?) async throws {
        let fixture = try DaemonFixture(relays: ["one": 3000])
        try await fixture.plan(
            JobText.campaign("c", to: [JobText.Recipients.address("reader@people.example")], basis: "service"))
        let relay = fixture.relay("one", milliseconds: 30_000)
        let lane = fixture.lane(relay, overall: pace(rate, fixture.clock))
        let task = fixture.run(lane)
        while fixture.auditor.dots.isEmpty, !Task.isCancelled { await fixture.clock.run(seconds: 1) }
        let lead = await lane.lead
        #expect(rate == nil ? lead > 10_000_000_000 : lead == 2_000_000_000)
        lane.end()
        await task.value
    }

    @Test func `a limit that a reload brings while a message waits for its slot is kept by its dot`() async throws {
        let (fixture, relay, lane, overall) = try await waiting(nil)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 1.15)
        #expect(relay.events.contains(.armed("reader1@people.example")))
        #expect(fixture.auditor.dots.isEmpty)
        let brought = fixture.clock.boot
        overall.change(messagesPerHour: 100, bootID: fixture.clock.bootID, now: brought)
        await fixture.clock.run(seconds: 60)
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.first?.at == brought.adding(nanoseconds: 36_000_000_000))
        #expect(try await fixture.ledger.storedSlot(relay: OverallPace.name)?.at == fixture.auditor.dots.last?.at)
    }

    @Test func `a limit that a reload lowers holds for the message that waits for its slot`() async throws {
        let (fixture, relay, lane, overall) = try await waiting(3000)
        let task = fixture.run(lane)
        while fixture.auditor.dots.isEmpty, !Task.isCancelled { await fixture.clock.run(seconds: 0.1) }
        let first = try #require(fixture.auditor.dots.first?.at)
        await fixture.clock.run(until: first.adding(nanoseconds: 1_150_000_000))
        overall.change(messagesPerHour: 1200, bootID: fixture.clock.bootID, now: fixture.clock.boot)
        await fixture.clock.run(seconds: 60)
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.count == 3)
        #expect(fixture.auditor.gaps.allSatisfy { $0 >= 3_000_000_000 }, "\(fixture.auditor.gaps)")
        let armed = relay.events.filter { if case .armed = $0 { true } else { false } }
        #expect(armed.count == 3, "the message waits with its relay, and is not taken up again")
    }

    @Test func `a rate of its relay that a reload lowers holds for the message that waits for its slot`() async throws {
        let (fixture, relay, lane, _) = try await waiting(nil)
        let start = fixture.clock.boot
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 1.15)
        #expect(relay.events.contains(.armed("reader1@people.example")))
        await lane.change(messagesPerHour: 100)
        await fixture.clock.run(seconds: 60)
        lane.end()
        await task.value
        let first = try #require(fixture.auditor.dots.first?.at)
        #expect(first == start.adding(nanoseconds: 36_000_000_000))
    }

    /// A relay with three messages and 3000 an hour, whose first slot is 1.2 s away.
    private func waiting(
        _ rate: Int?
    ) async throws -> (fixture: DaemonFixture, relay: ScriptedRelay, lane: RelayLane, overall: OverallPace) {
        let fixture = try DaemonFixture(relays: ["one": 3000])
        let recipients = (1...3).map { JobText.Recipients.address("reader\($0)@people.example") }
        try await fixture.plan(JobText.campaign("c", to: recipients, basis: "service"))
        let clock = fixture.clock
        let relay = fixture.relay("one")
        let overall = pace(rate, clock)
        let pacer = Pacer(
            messagesPerHour: 3000, stored: nil, wasInFlight: true, bootID: clock.bootID, now: clock.boot)
        return (fixture, relay, fixture.lane(relay, pacer: pacer, overall: overall), overall)
    }
}

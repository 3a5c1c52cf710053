import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// Sending hours of campaigns and relays. It is Monday, nine o'clock in UTC.
@Suite(.timeLimit(.minutes(5)))
struct SendingHoursTests {
    private func addresses(_ count: Int) -> [String] { (1...count).map { "reader\($0)@people.example" } }

    private func window(_ from: String, _ to: String, zone: String = "UTC") -> JSONValue {
        [
            "days": .array(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), "from": .string(from), "to": .string(to),
            "timeZone": .string(zone),
        ]
    }

    private func campaign(_ count: Int, _ extra: [String: JSONValue]) -> String {
        JobText.campaign("c", to: addresses(count).map { .address($0) }, basis: "service", extra: extra)
    }

    private func relayWindow(_ from: String, _ to: String) -> [String] {
        [
            "[relays.default.window]", "days = [\"mon\", \"tue\"]", "from = \"\(from)\"", "to = \"\(to)\"",
            "time_zone = \"UTC\"",
        ]
    }

    private func receipt(_ fixture: DaemonFixture) throws -> JobReceipt {
        try #require(try fixture.producer().receipt("c"))
    }

    private func warnings(_ fixture: DaemonFixture) throws -> [String] {
        try receipt(fixture).json["warnings"]?.array?.compactMap(\.string) ?? []
    }

    @Test func `a lane sends in the window of the campaign and not outside of it`() async throws {
        let fixture = try DaemonFixture()
        // In Amsterdam it is eleven.
        let number = try await fixture.plan(
            campaign(300, ["window": window("11:01", "11:03", zone: "Europe/Amsterdam")])
        ).number
        let start = fixture.clock.boot
        await fixture.send(fixture.relay(), seconds: 3600)
        let seconds = fixture.auditor.dots.map { Double($0.at.nanoseconds - start.nanoseconds) / 1e9 }
        #expect(seconds.allSatisfy { (60..<180).contains($0) })
        #expect((seconds.first ?? 0) < 61)
        #expect((seconds.last ?? 0) > 177)
        #expect((99...100).contains(seconds.count), "\(seconds.count)")
        #expect(try await fixture.summary(number).counts.queued == 300 - seconds.count)
        #expect(fixture.auditor.gaps.allSatisfy { $0 >= 1_200_000_000 })
    }

    @Test func `a relay that is closed carries nothing, test mails neither, and says so`() async throws {
        let fixture = try DaemonFixture(relayLines: relayWindow("10:00", "11:00"))
        try await fixture.plan(campaign(2, ["test": ["to": ["editor@library.example"]]]))
        let lane = fixture.lane(fixture.relay())
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 3599)
        #expect(fixture.auditor.dots.isEmpty)
        #expect(
            fixture.context.progress.waits["relay default"]
                == "relay default waits for its window until 2025-06-02T10:00:00Z")
        await fixture.writeReceipts()
        #expect(try warnings(fixture) == ["it waits for its window until 2025-06-02T10:00:00Z"])
        await fixture.clock.run(seconds: 10)
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.count == 3)
        #expect(fixture.context.progress.waits["relay default"] == nil)
    }

    @Test func `a closed lane sleeps`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign(1, ["window": window("15:00", "16:00")]))
        let relay = fixture.relay()
        await fixture.send(relay, seconds: 3600)
        #expect(relay.events.isEmpty || relay.events == [.closed])
    }

    @Test func `a window that closes after the body stops the dot`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign(1, ["window": window("09:00", "10:00")])).number
        let relay = fixture.relay()
        relay.afterArming { _ in fixture.clock.stepWall(seconds: 3600) }
        await fixture.send(relay, seconds: 10)
        #expect(fixture.auditor.dots.isEmpty)
        #expect(relay.events.last == .closed)
        #expect(try await fixture.summary(number).counts.queued == 1)
    }

    @Test func `the window of a relay changes while it runs`() async throws {
        let fixture = try DaemonFixture(relayLines: relayWindow("12:00", "13:00"))
        try await fixture.plan(campaign(2, [:]))
        let lane = fixture.lane(fixture.relay())
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 60)
        #expect(fixture.auditor.dots.isEmpty)
        var configuration = fixture.configuration
        configuration.relays["default"]?.window = nil
        fixture.context.settings.replace(by: configuration)
        lane.wake()
        await fixture.clock.run(seconds: 60)
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.count == 2)
    }

    @Test func `the receipt says until when it waits, and counts windows in its estimate`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign(4500, ["window": window("10:00", "11:00")]))
        await fixture.writeReceipts()
        #expect(try warnings(fixture) == ["it waits for its window until 2025-06-02T10:00:00Z"])
        // An hour today, half an hour tomorrow.
        #expect(try receipt(fixture).json["estimatedFinish"]?.string == "2025-06-03T10:31:00Z")
        #expect(try receipt(fixture).state == "running")
    }

    @Test func `a keeper looks again when the window opens`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign(2, ["window": window("09:00", "09:10")]))
        let task = fixture.run(fixture.keeper)
        await fixture.clock.run(seconds: 599)
        #expect(try warnings(fixture).isEmpty)
        await fixture.clock.run(seconds: 2)
        #expect(try warnings(fixture) == ["it waits for its window until 2025-06-03T09:00:00Z"])
        #expect(
            fixture.context.progress.waits["campaign c"]
                == "campaign c waits for its window until 2025-06-03T09:00:00Z")
        await fixture.end(fixture.keeper, task)
    }

    @Test func `windows that are never open together are told at once`() async throws {
        let fixture = try DaemonFixture(relayLines: relayWindow("12:00", "13:00"))
        try await fixture.plan(campaign(2, ["window": window("15:00", "16:00")]))
        await fixture.writeReceipts()
        #expect(
            try warnings(fixture) == [
                "its window and that of its relay leave no time to send it in, or its relay is not configured any more",
                "it waits for its window, which is never open together with that of its relay",
            ])
        #expect(try receipt(fixture).json["estimatedFinish"] == .null)
    }

    @Test func `a window that leaves too little time before it expires is told`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(
            campaign(3001, ["window": window("10:00", "11:00"), "expires": "2025-06-03T09:00:00Z"]))
        await fixture.writeReceipts()
        #expect(
            try warnings(fixture).first
                == "at this rate it would end at 2025-06-03T10:01:00Z, after it expires at 2025-06-03T09:00:00Z")
    }
}

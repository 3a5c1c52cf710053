import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// Limits of single domains, on a lane with a virtual clock.
@Suite(.timeLimit(.minutes(5)))
struct DomainLimitsTests {
    /// Ten people of a domain with 360 messages an hour, one every ten seconds, before ten of another one.
    private static let lines = ["[relays.default.domains.\"Slow.example\"]", "messages_per_hour = 360"]
    private static let people =
        (1...10).map { "reader\($0)@slow.example" } + (1...10).map { "reader\($0)@people.example" }

    private func fixture(_ lines: [String] = lines) async throws -> DaemonFixture {
        let fixture = try DaemonFixture(relayLines: lines)
        try await fixture.plan(
            JobText.campaign("c", to: Self.people.map { .address($0) }, basis: "service"))
        return fixture
    }

    private func seconds(_ fixture: DaemonFixture, _ domain: String) -> [Double] {
        fixture.auditor.dots.filter { $0.recipient.hasSuffix("@" + domain) }.map {
            Double($0.at.nanoseconds) / 1e9 - 1000
        }
    }

    private func gaps(_ fixture: DaemonFixture, _ domain: String) -> [Double] {
        let times = fixture.auditor.dots.filter { $0.recipient.hasSuffix("@" + domain) }.map(\.at.nanoseconds)
        return zip(times.dropFirst(), times).map { Double($0 - $1) / 1e9 }
    }

    @Test func `a limited domain has its pace, and the others go on`() async throws {
        let fixture = try await fixture()
        await fixture.send(fixture.relay(milliseconds: 15), seconds: 120)
        #expect(fixture.auditor.dots.count == 20)
        #expect(fixture.auditor.gaps.allSatisfy { $0 >= 1_200_000_000 })
        let slow = gaps(fixture, "slow.example")
        #expect(slow.count == 9)
        #expect(slow.allSatisfy { $0 >= 10 && $0 < 11.3 }, "\(slow)")
        #expect((seconds(fixture, "people.example").last ?? 99) < 15)
    }

    @Test func `a restart neither bursts nor forgets`() async throws {
        let fixture = try await fixture()
        for _ in 0..<6 { await fixture.send(fixture.relay(), seconds: 12) }
        let slow = gaps(fixture, "slow.example")
        #expect(slow.count >= 4)
        #expect(slow.allSatisfy { $0 >= 10 }, "\(slow)")
    }

    @Test func `what was in flight at a crash counts for its domain`() async throws {
        let fixture = try await fixture()
        let relay = fixture.relay()
        let crashed = RelayLane(
            name: "default", context: fixture.context, library: fixture.library, keeper: fixture.keeper,
            overall: OverallPace(pacer: nil), records: fixture.records, connection: relay,
            pacer: Pacer(
                messagesPerHour: 3000, stored: nil, wasInFlight: false, bootID: fixture.clock.bootID,
                now: fixture.clock.boot), recovered: ["default/slow.example"])
        // Its slot is kept, from long ago.
        await fixture.send(relay, seconds: 1)
        await fixture.clock.run(seconds: 100)
        let start = Double(fixture.clock.boot.nanoseconds) / 1e9 - 1000
        let task = fixture.run(crashed)
        await fixture.clock.run(seconds: 20)
        crashed.end()
        await task.value
        let times = seconds(fixture, "slow.example")
        #expect(times.count == 2)
        #expect((times.last ?? 0) >= start + 10)
    }

    @Test func `retries count`() async throws {
        let fixture = try await fixture()
        let relay = fixture.relay()
        relay.answer("reader1@slow.example", .reply(.recipient, 450, "4.2.0 try again later"))
        relay.answer("reader2@slow.example", .reply(.dot, 450, "4.2.0 try again later"))
        await fixture.send(relay, seconds: 4000)
        let slow = gaps(fixture, "slow.example")
        #expect(slow.count == 10)
        #expect(slow.allSatisfy { $0 >= 10 }, "\(slow)")
    }

    @Test func `test mails count`() async throws {
        let fixture = try DaemonFixture(
            relayLines: Self.lines, lines: ["[sending]", "test_recipients = [\"*\"]"])
        try await fixture.plan(
            JobText.campaign(
                "c", to: Self.people.map { .address($0) }, basis: "service",
                extra: ["test": ["to": ["a@slow.example", "b@slow.example"]]]))
        await fixture.send(fixture.relay(), seconds: 60)
        let slow = gaps(fixture, "slow.example")
        #expect(slow.count >= 4)
        #expect(slow.allSatisfy { $0 >= 10 }, "\(slow)")
    }

    @Test func `a limit that comes with a reload counts from the relay's last dot, and can be taken away`() async throws
    {
        let fixture = try await fixture([])
        let lane = fixture.lane(fixture.relay())
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 4)
        #expect(fixture.auditor.dots.count == 4)
        let last = seconds(fixture, "slow.example").last ?? 0
        func limit(_ rate: Int?) async {
            var configuration = fixture.configuration
            let domains = rate.map { ["slow.example": $0] } ?? [:]
            configuration.relays["default"]?.domains = domains
            fixture.context.settings.replace(by: configuration)
            lane.wake()
            while await lane.domains.rates != domains { await Task.yield() }
        }
        await limit(360)
        await fixture.clock.run(seconds: 20)
        let next = seconds(fixture, "slow.example").dropFirst(4)
        #expect(next.count == 1)
        #expect((next.first ?? 0) >= last + 10)
        await limit(120)
        await fixture.clock.run(seconds: 40)
        #expect(gaps(fixture, "slow.example").last.map { $0 >= 30 } == true)
        await limit(nil)
        await fixture.clock.run(seconds: 10)
        lane.end()
        await task.value
        #expect(fixture.auditor.dots.count == 20)
        #expect(try await fixture.ledger.storedSlot(relay: "default/slow.example") == nil)
    }

    @Test func `a stepped wall clock changes nothing`() async throws {
        let fixture = try await fixture()
        let lane = fixture.lane(fixture.relay())
        let task = fixture.run(lane)
        for step: Int64 in [7200, -10_000, 3, 86_400] {
            await fixture.clock.run(seconds: 15)
            fixture.clock.stepWall(seconds: step)
            lane.wake()
        }
        await fixture.clock.run(seconds: 60)
        lane.end()
        await task.value
        let slow = gaps(fixture, "slow.example")
        #expect(slow.count == 9)
        #expect(slow.allSatisfy { $0 >= 10 && $0 < 45 }, "\(slow)")
    }

    @Test(arguments: [
        ("\"gmail.com\"", "0", "must be 1 ... 3000"), ("\"gmail.com\"", "3001", "must be 1 ... 3000"),
        ("\"no domain\"", "5", "this is no domain"), ("\"gmail\"", "5", "this is no domain"),
    ])
    func `a limit that is none is refused with its place`(domain: String, rate: String, why: String) throws {
        let error = #expect(throws: ConfigurationFile.Invalid.self) {
            _ = try DaemonFixture(relayLines: ["[relays.default.domains.\(domain)]", "messages_per_hour = \(rate)"])
        }
        #expect(error?.mistakes.count == 1)
        #expect(error?.description.contains(why) == true, "\(error?.description ?? "")")
    }

    @Test func `a domain is compared as its A-label, and limited once`() throws {
        let fixture = try DaemonFixture(
            relayLines: ["[relays.default.domains.\"Bücher.example\"]", "messages_per_hour = 7"])
        #expect(fixture.configuration.relays["default"]?.domains == ["xn--bcher-kva.example": 7])
        #expect(throws: ConfigurationFile.Invalid.self) {
            _ = try DaemonFixture(
                relayLines: [
                    "[relays.default.domains.\"a.example\"]", "messages_per_hour = 7",
                    "[relays.default.domains.\"A.example\"]", "messages_per_hour = 7",
                ])
        }
    }

    @Test(arguments: [
        ("days = []", "days"), ("days = [\"mon\", \"mon\"]", "days"), ("days = [\"monday\"]", "days"),
        ("from = \"24:00\"", "from"), ("from = \"9\"", "from"), ("to = \"24:01\"", "to"), ("to = \"09:00\"", "to"),
        ("time_zone = \"Europe/Gieten\"", "time_zone"),
    ])
    func `a window that is none is refused with its place`(line: String, key: String) throws {
        let good = ["days = [\"mon\"]", "from = \"09:00\"", "to = \"24:00\"", "time_zone = \"UTC\""]
        let name = line.prefix { $0 != " " }
        let lines = good.map { $0.hasPrefix(name + " ") ? line : $0 }
        _ = try DaemonFixture(relayLines: ["[relays.default.window]"] + good)
        let error = #expect(throws: ConfigurationFile.Invalid.self) {
            _ = try DaemonFixture(relayLines: ["[relays.default.window]"] + lines)
        }
        #expect(error?.mistakes.count == 1)
        #expect(error?.description.contains("relays.default.window.\(key): ") == true, "\(error?.description ?? "")")
    }
}

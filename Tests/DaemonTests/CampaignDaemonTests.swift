import Ledger
import Logging
import Mailing
import Synchronization
import TestSupport
import Testing

@testable import Daemon

/// What a start finds out before anything is sent.
@Suite(.timeLimit(.minutes(5)))
struct CampaignDaemonTests {
    /// A fixture with a running campaign, whose ledger was closed at this moment by a machine of this name.
    private func stopped(machine: String? = nil, lines: [String] = []) async throws -> DaemonFixture {
        let fixture = try DaemonFixture(lines: lines)
        _ = try await fixture.ledger.recover(StartingPoint(now: fixture.clock.wall, machine: machine))
        try await fixture.plan(JobText.campaign("c", to: [.address("reader@people.example")], basis: "service"))
        return fixture
    }

    /// Starts a daemon on what the fixture left, and returns what it wrote into the journal about a hold.
    private func start(
        _ fixture: DaemonFixture, after seconds: Int64 = 0, machine: String? = nil,
        intentsInJournal: @escaping @Sendable (String) -> Int64? = { _ in nil }
    ) async throws -> [RecordingLog.Line] {
        try await fixture.ledger.close()
        // The lock of the ledger is the fixture's as long as that lives.
        let elsewhere = try TemporaryDirectory()
        for name in ["ledger.sqlite", "ledger.sqlite.key", "ledger.sqlite.intents"] {
            try elsewhere.write(fixture.directory.read(name), to: name)
        }
        var configuration = fixture.configuration
        configuration.ledgerPath = elsewhere.path("ledger.sqlite")
        fixture.clock.stepWall(seconds: seconds)
        let log = RecordingLog()
        var surroundings = Surroundings(clocks: fixture.clock, logger: log.logger, machine: machine)
        surroundings.intentsInJournal = intentsInJournal
        let path = fixture.directory.path("campaignd.toml")
        _ = try await CampaignDaemon(configuration: configuration, path: path, surroundings: surroundings)
        return log.lines.filter { $0.metadata["MESSAGE_ID"] == DaemonJournal.Event.held.rawValue }
    }

    @Test func `after a day without a daemon campaigns are paused, and the journal says why`() async throws {
        let held = try await start(try await stopped(), after: 86_401)
        #expect(held.count == 1)
        let line = try #require(held.first)
        #expect(line.level == .error)
        #expect(line.metadata["PAUSED"] == "1")
        #expect(line.message.hasPrefix("1 campaigns are paused: the daemon was down for 24 h 0 min"))
    }

    @Test(
        arguments: [
            ([], 86_400), (["[sending]", "hold_after_downtime = 0"], 31_536_000),
            (["[sending]", "hold_after_downtime = 90000"], 90_000), ([], -86_400),
        ] as [([String], Int64)])
    func `a shorter downtime pauses nothing, nor one that is not counted`(lines: [String], seconds: Int64) async throws
    {
        #expect(try await start(try await stopped(lines: lines), after: seconds).isEmpty)
    }

    @Test func `a ledger of another machine is noticed`() async throws {
        let held = try await start(try await stopped(machine: "one"), machine: "two")
        #expect(held.first?.message.contains("the ledger comes from another machine") == true)
        #expect(try await start(try await stopped(machine: "one"), machine: "one").isEmpty)
        #expect(try await start(try await stopped(machine: "one"), machine: nil).isEmpty, "nothing is known here")
        #expect(try await start(try await stopped(machine: nil), machine: "two").isEmpty, "nothing was known there")
    }

    @Test func `a ledger that knows less than the journal is noticed`() async throws {
        let fixture = try await stopped()
        let identity = try await fixture.ledger.identity()
        let asked = Mutex<[String]>([])
        let held = try await start(fixture) { ledger in
            asked.withLock { $0.append(ledger) }
            return 1
        }
        #expect(asked.withLock { $0 } == [identity])
        #expect(identity.count == 32)
        #expect(held.first?.message.contains("the ledger was restored from an older copy") == true)
        #expect(try await start(try await stopped()) { _ in 0 }.isEmpty)
    }
}

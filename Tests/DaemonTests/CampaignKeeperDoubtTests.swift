import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// Receipts while doubt may end by itself, and while the ledger cannot be used.
@Suite(.timeLimit(.minutes(5)))
struct CampaignKeeperDoubtTests {
    private let fixture: DaemonFixture

    init() throws { fixture = try DaemonFixture() }

    private static let nothingIsSent = "nothing is sent at present: "

    private func campaign(_ id: String = "c") -> String {
        let recipients = (1...2).map { JobText.Recipients.address("reader\($0)@people.example") }
        return JobText.campaign(id, to: recipients, basis: "service")
    }

    private func receipt(_ id: String = "c") throws -> JobReceipt { try #require(try fixture.producer().receipt(id)) }

    /// Plans a campaign, of which one message is sent and one in doubt; the relay settles doubt as told.
    private func doubt(_ change: (inout Configuration.Relay) -> Void) async throws -> Int64 {
        var configuration = fixture.configuration
        if var relay = configuration.relays["default"] {
            change(&relay)
            configuration.relays["default"] = relay
        }
        fixture.context.settings.replace(by: configuration)
        let number = try await fixture.plan(campaign()).number
        let relay = fixture.relay()
        relay.answer("reader2@people.example", .silent)
        await fixture.send(relay, seconds: 1.5)
        return number
    }

    @Test func `a campaign does not end while a doubt may end under its key`() async throws {
        let number = try await doubt {
            $0.idempotencyHeader = "X-Idempotency-Key"
            $0.idempotencySeconds = 3600
        }
        let keeper = fixture.newKeeper()
        let task = fixture.run(keeper)
        await fixture.clock.run(seconds: 3200)
        #expect(try receipt().state == "running")
        #expect(try receipt().count("uncertain") == 1)
        #expect(try fixture.producer().recipients("c") == nil)
        await fixture.clock.run(seconds: 60)
        #expect(try receipt().state == "finished")
        #expect(try fixture.producer().recipients("c")?.compactMap { $0["state"] } == ["sent", "uncertain"])
        #expect(try await fixture.summary(number).isReported)
        await fixture.end(keeper, task)
    }

    @Test func `a campaign does not end while a doubt may be settled by the journal`() async throws {
        _ = try await doubt { $0.settlesByJournal = true }
        let keeper = fixture.newKeeper()
        let task = fixture.run(keeper)
        await fixture.clock.run(seconds: 100)
        #expect(try receipt().state == "running")
        let open = try #require(try await fixture.ledger.openDoubts(relay: "default", after: 0, limit: 9).first)
        try await fixture.ledger.giveUp(delivery: open.delivery, because: "the journal has a gap")
        await fixture.clock.run(seconds: 35)
        #expect(try receipt().state == "finished")
        await fixture.end(keeper, task)
    }

    @Test func `a campaign ends with its doubt where nothing settles it by itself`() async throws {
        _ = try await doubt { _ in }
        await fixture.writeReceipts()
        #expect(try receipt().state == "finished")
    }

    @Test func `a campaign whose relay settles doubt no longer ends after a reload`() async throws {
        _ = try await doubt { $0.settlesByJournal = true }
        await fixture.writeReceipts()
        #expect(try receipt().state == "running")
        var configuration = fixture.configuration
        configuration.relays["default"]?.settlesByJournal = false
        fixture.context.settings.replace(by: configuration)
        await fixture.writeReceipts()
        #expect(try receipt().state == "finished")
    }

    @Test func `the receipts say why nothing is sent, and no longer when it goes on`() async throws {
        try await fixture.plan(campaign("a"))
        try await fixture.plan(campaign("b"))
        try await fixture.sql(
            """
            CREATE TRIGGER broken BEFORE UPDATE OF state ON deliveries WHEN NEW.state = 'inFlight'
            BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
            """)
        let keeping = fixture.run(fixture.keeper)
        let lane = fixture.lane(fixture.relay())
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 10)
        #expect(fixture.context.progress.ledgerTrouble?.contains("the disk is full") == true)
        for id in ["a", "b"] {
            let warning = try #require(try receipt(id).warnings.first)
            #expect(try receipt(id).warnings.count == 1)
            #expect(warning.hasPrefix(CampaignKeeperDoubtTests.nothingIsSent) && warning.contains("the disk is full"))
            #expect(try receipt(id).state == "running")
        }
        try await fixture.sql("DROP TRIGGER broken;")
        await fixture.clock.run(seconds: 2.5)
        #expect(fixture.context.progress.ledgerTrouble == nil)
        #expect(fixture.auditor.dots.count > 0 && fixture.auditor.dots.count < 4)
        for id in ["a", "b"] { #expect(try receipt(id).warnings.isEmpty) }
        await fixture.clock.run(seconds: 30)
        #expect(fixture.auditor.dots.count == 4)
        #expect(fixture.log.messages.contains("the ledger can be used again; sending goes on"))
        lane.end()
        await task.value
        await fixture.end(fixture.keeper, keeping)
        #expect(try receipt("b").state == "finished")
    }

    @Test func `an outcome that cannot be recorded is told as trouble too, until it is`() async throws {
        try await fixture.plan(campaign())
        let relay = fixture.relay()
        relay.beforeReply { _ in
            do {
                try await fixture.sql(
                    """
                    CREATE TRIGGER broken BEFORE UPDATE OF state ON deliveries WHEN OLD.state = 'inFlight'
                    BEGIN SELECT RAISE(ABORT, 'read only'); END;
                    """)
            } catch {
                Issue.record(error)
            }
        }
        let keeping = fixture.run(fixture.keeper)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 10)
        #expect(fixture.auditor.dots.count == 1)
        #expect(try receipt().count("inFlight") == 1)
        #expect(try receipt().warnings.first?.contains("the outcome of a delivery cannot be recorded") == true)
        relay.beforeReply { _ in }
        try await fixture.sql("DROP TRIGGER broken;")
        await fixture.clock.run(seconds: 10)
        lane.end()
        await task.value
        await fixture.end(fixture.keeper, keeping)
        #expect(try receipt().state == "finished")
        #expect(try receipt().warnings.isEmpty)
        #expect(fixture.auditor.dots.count == 2)
    }

    @Test func `a ledger that cannot even be read is told in the receipts that stand`() async throws {
        try await fixture.plan(campaign())
        let keeping = fixture.run(fixture.keeper)
        await fixture.clock.run(seconds: 1)
        #expect(try receipt().warnings.isEmpty)
        try await fixture.sql("PRAGMA legacy_alter_table = ON; ALTER TABLE campaigns RENAME TO campaigns_elsewhere;")
        await fixture.clock.run(seconds: 35)
        let warnings = try receipt().warnings
        #expect(warnings.count == 1, "said once, however often it is tried")
        #expect(warnings.first?.hasPrefix(CampaignKeeperDoubtTests.nothingIsSent) == true)
        #expect(try receipt().count("queued") == 2, "what was known last stays")
        try await fixture.sql("PRAGMA legacy_alter_table = ON; ALTER TABLE campaigns_elsewhere RENAME TO campaigns;")
        await fixture.clock.run(seconds: 5)
        // A lane finds out that the ledger can be used again.
        let lane = fixture.lane(fixture.relay())
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 10)
        lane.end()
        await task.value
        await fixture.end(fixture.keeper, keeping)
        #expect(try receipt().warnings.isEmpty)
        #expect(try receipt().state == "finished")
    }

    @Test(arguments: [(nil, 600), (86_400, 600), (3600, 180), (100, 5), (1, 1)] as [(Int64?, Double)])
    func `the ledger is told in time that the daemon is at work`(limit: Int64?, interval: Double) async throws {
        var configuration = fixture.configuration
        configuration.holdAfterDowntime = limit
        fixture.context.settings.replace(by: configuration)
        try await fixture.plan(campaign())
        try await fixture.ledger.markAlive(now: fixture.clock.wall)
        let keeper = fixture.newKeeper()
        let task = fixture.run(keeper)
        await fixture.clock.run(seconds: interval * 3 + 60)
        // An interval, and one more look, are not over since.
        let longest = Int64(interval + min(30, interval)) + 1
        let start = StartingPoint(now: fixture.clock.wall, holdAfterDowntime: longest)
        #expect(try await fixture.ledger.recover(start).hold == nil)
        await fixture.end(keeper, task)
    }
}

import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// What the metrics say.
@Suite(.timeLimit(.minutes(5)))
struct MetricsPageTests {
    @Test func `each kind of reason to pause is told apart by the words that the daemon uses`() throws {
        var streaks = Streaks(policyLimit: 1, uncertainLimit: 1)
        for (outcome, reason) in [
            (Outcome.senderTrouble, PauseReason.refused), (.policyRefusal, .refused), (.uncertain, .unanswered),
        ] {
            let noted = streaks.note(outcome, reply: "550 5.7.1 no")
            let because = try #require(noted)
            #expect(PauseReason(because: because) == reason, "\(because)")
        }
        for hold in [Recovery.Hold.restored, .otherMachine, .downtime(seconds: 90_000)] {
            #expect(PauseReason(because: hold.because) == .start)
        }
        #expect(PauseReason(because: "a fault in the title") == .person)
        #expect(PauseReason(because: "its messages cannot be made: body.txt is gone") == .content)
    }

    @Test func `a lane tells of its dots, of what is late and of trouble`() async throws {
        let fixture = try DaemonFixture()
        let readers = (1...3).map { "reader\($0)@people.example" }
        try await fixture.plan(
            JobText.campaign("c", to: readers.map { .address($0) }, basis: "service"))
        let relay = fixture.relay()
        let failure = RelayOpening.failed(.connect, "connection refused")
        relay.refuseToOpen(failure, failure, failure)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        let meters = fixture.context.meters
        let began = fixture.clock.wall
        await fixture.clock.run(seconds: 6)
        var values = try #require(meters.values(now: fixture.clock.boot).relays["default"])
        #expect(values.troubleSince == began)
        #expect(values.dots.isEmpty)
        let expected = try #require(values.expected, "a message is due")
        #expect(fixture.clock.boot.nanoseconds - expected.nanoseconds == 6_000_000_000)
        #expect(await page(fixture).contains("campaignd_relay_lag_seconds{relay=\"default\"} 6\n"))
        #expect(await page(fixture).contains("campaignd_relay_up{relay=\"default\"} 0\n"))

        await fixture.clock.run(seconds: 60)
        values = try #require(meters.values(now: fixture.clock.boot).relays["default"])
        #expect(values.troubleSince == nil)
        #expect(values.expected == nil, "nothing is due any more")
        #expect(values.dots == fixture.auditor.dots.map(\.at))
        let text = await page(fixture)
        for line in [
            "campaignd_relay_up{relay=\"default\"} 1", "campaignd_relay_lag_seconds{relay=\"default\"} 0",
            "campaignd_relay_messages_last_hour{relay=\"default\"} 3",
            "campaignd_relay_limit_messages_per_hour{relay=\"default\"} 3000", "campaignd_intents_total 3",
            "campaignd_relay_deliveries_total{relay=\"default\",outcome=\"sent\"} 3",
            "campaignd_deliveries_total{relay=\"default\",campaign=\"c\",outcome=\"sent\"} 3",
            "campaignd_deliveries_total{relay=\"default\",campaign=\"c\",outcome=\"uncertain\"} 0",
            "campaignd_open_deliveries{relay=\"default\",campaign=\"c\",state=\"queued\"} 0",
            "campaignd_campaign_state{campaign=\"c\",state=\"running\"} 1", "campaignd_campaigns{state=\"running\"} 1",
            "campaignd_paused_campaigns{reason=\"person\"} 0", "campaignd_ledger_usable 1",
        ] { #expect(text.split(separator: "\n").contains(Substring(line)), "\(line)") }
        #expect(!text.contains("trouble_since"))
        #expect(!text.contains("people.example"), "no address is in it")

        await fixture.clock.run(seconds: 3600)
        #expect(meters.values(now: fixture.clock.boot).relays["default"]?.dots.isEmpty == true)
        lane.end()
        await task.value
    }

    @Test func `a message that was refused is late no more, and the next one is late on its own`() {
        let meters = Meters()
        let slot = BootInstant(nanoseconds: 1_000_000_000)
        meters.due("default", slot: slot)
        meters.tookSlot("default")
        #expect(meters.values(now: slot).relays["default"]?.expected == nil)
        meters.due("default", slot: slot.adding(nanoseconds: 5))
        #expect(meters.values(now: slot).relays["default"]?.expected == slot.adding(nanoseconds: 5))
    }

    @Test func `a message that waits is counted from when it might have been sent`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(
            JobText.campaign("c", to: [.address("reader@people.example")], basis: "service"))
        await fixture.clock.run(seconds: 90)
        #expect(
            await page(fixture).contains("campaignd_campaign_oldest_due_seconds{relay=\"default\",campaign=\"c\"} 90\n")
        )
    }

    @Test func `a doubt that was settled is counted still, and is open no more`() async throws {
        let fixture = try DaemonFixture()
        let file = MetricsFile(
            context: fixture.context, executor: QueueExecutor(label: "metrics"), runtimeDirectory: nil)
        var page = await file.page()
        var counts = LedgerFigures.Counts()
        (counts.states, counts.doubts) = ([.sent: 4, .uncertain: 1], 3)
        page.figures?.relays["default"] = counts
        let lines = page.text.split(separator: "\n")
        #expect(lines.contains(#"campaignd_relay_deliveries_total{relay="default",outcome="uncertain"} 3"#))
        #expect(lines.contains(#"campaignd_relay_open_deliveries{relay="default",state="uncertain"} 1"#))
    }

    private func page(_ fixture: DaemonFixture) async -> String {
        let file = MetricsFile(
            context: fixture.context, executor: QueueExecutor(label: "metrics"), runtimeDirectory: nil)
        return await file.page().text
    }
}

import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// One lane with a scripted relay and a virtual clock.
@Suite(.timeLimit(.minutes(5)))
struct RelayLaneTests {
    private func addresses(_ count: Int) -> [String] { (1...count).map { "reader\($0)@people.example" } }

    private func campaign(_ id: String, to addresses: [String], extra: [String: JSONValue] = [:]) -> String {
        JobText.campaign(id, to: addresses.map { .address($0) }, basis: "service", extra: extra)
    }

    @Test func `each dot leaves at its slot, not a nanosecond early or late`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(20))).number
        let relay = fixture.relay(milliseconds: 15)
        let start = fixture.clock.boot
        await fixture.send(relay, seconds: 60)
        let dots = fixture.auditor.dots
        #expect(dots.map(\.recipient) == addresses(20))
        #expect(fixture.auditor.gaps == [Int64](repeating: 1_200_000_000, count: 19))
        #expect(dots.first.map { $0.at.nanoseconds - start.nanoseconds < 1_000_000_000 } == true)
        #expect(try await fixture.summary(number).counts.sent == 20)
    }

    @Test func `a slow relay is taken up earlier and earlier, until its dots are in time`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign("c", to: addresses(20)))
        await fixture.send(fixture.relay(milliseconds: 400), seconds: 60)
        let gaps = fixture.auditor.gaps
        #expect(gaps.count == 19)
        #expect(gaps.allSatisfy { $0 >= 1_200_000_000 })
        #expect(gaps.suffix(10).allSatisfy { $0 == 1_200_000_000 })
    }

    @Test func `what was sent is recorded with its evidence`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(1))).number
        await fixture.send(fixture.relay(), seconds: 5)
        let row = try #require(try await fixture.rows(number).first)
        let dot = try #require(fixture.auditor.dots.first)
        #expect(row.state == "sent")
        #expect(row.reply == "250 2.0.0 Ok: queued as 4F3")
        #expect(row.messageID.map { "<\($0)>" } == dot.messageID)
        #expect(row.sentAt == fixture.clock.wall.adding(seconds: -5))
        let slot = try await fixture.ledger.storedSlot(relay: "default")
        #expect(slot == Pacer.StoredSlot(bootID: fixture.clock.bootID, at: dot.at))
        #expect(fixture.context.progress.sent == 1)
    }

    @Test func `a withdrawal after the body and before the dot stops the message`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.accept("stays@people.example", "leaves@people.example")
        let number = try await fixture.plan(
            JobText.campaign("c", to: [.address("leaves@people.example"), .address("stays@people.example")])
        ).number
        let relay = fixture.relay()
        relay.afterArming { recipient in
            guard recipient == "leaves@people.example" else { return }
            do { try await fixture.withdraw(recipient) } catch { Issue.record(error) }
        }
        await fixture.send(relay, seconds: 10)
        #expect(fixture.auditor.recipients == ["stays@people.example"])
        #expect(
            relay.events.prefix(4) == [
                .opened, .armed("leaves@people.example"), .closed, .opened,
            ])
        let row = try #require(try await fixture.rows(number).first)
        #expect(row.state == "withheld")
        #expect(row.reason == "refused")
    }

    @Test func `a campaign that is paused after the body is not sent`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(1))).number
        let relay = fixture.relay()
        relay.afterArming { _ in
            do { _ = try await fixture.ledger.pause(campaign: number, because: "a test") } catch { Issue.record(error) }
        }
        await fixture.send(relay, seconds: 10)
        #expect(fixture.auditor.dots.isEmpty)
        #expect(relay.events.last == .closed)
        #expect(try await fixture.summary(number).counts.queued == 1)
    }

    @Test func `a message whose time is up after the body expires without a dot`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(
            campaign("c", to: addresses(1), extra: ["expires": "2025-06-02T10:00:00Z"])
        ).number
        let relay = fixture.relay()
        relay.afterArming { _ in fixture.clock.stepWall(seconds: 7200) }
        await fixture.send(relay, seconds: 10)
        #expect(fixture.auditor.dots.isEmpty)
        #expect(try await fixture.summary(number).counts.expired == 1)
    }

    @Test(arguments: [SMTPPhase.mail, .recipient, .data, .dot])
    func `a 4yz defers the message, and it is sent later, once`(phase: SMTPPhase) async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(2))).number
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .reply(phase, 452, "4.3.1 full"))
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 1700)
        #expect(try await fixture.summary(number).counts.queued == 1)
        let tries = phase == .dot ? 1 : 0
        #expect(fixture.auditor.recipients.count(where: { $0 == "reader1@people.example" }) == tries)
        #expect(fixture.auditor.recipients.contains("reader2@people.example"))
        await fixture.clock.run(seconds: 200)
        #expect(try await fixture.summary(number).counts.sent == 2)
        await fixture.clock.run(seconds: 86_400)
        lane.end()
        await task.value
        #expect(fixture.auditor.recipients.count(where: { $0 == "reader1@people.example" }) == tries + 1)
        #expect(Set(fixture.auditor.dots.map(\.messageID)).count == 2, "a retry carries the same Message-ID")
    }

    @Test func `greylisting is tried again after ten minutes`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(1))).number
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .reply(.recipient, 451, "4.7.1 Greylisted"))
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 599)
        #expect(fixture.auditor.dots.isEmpty)
        await fixture.clock.run(seconds: 5)
        #expect(try await fixture.summary(number).counts.sent == 1)
        lane.end()
        await task.value
    }

    @Test func `a 5yz to RCPT bounces this recipient and no other`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(3))).number
        let relay = fixture.relay()
        relay.answer("reader2@people.example", .reply(.recipient, 550, "5.1.1 User unknown"))
        await fixture.send(relay, seconds: 30)
        #expect(fixture.auditor.recipients == ["reader1@people.example", "reader3@people.example"])
        let rows = try await fixture.rows(number)
        #expect(rows.map(\.state) == ["sent", "bounced", "sent"])
        #expect(rows[1].reply == "550 5.1.1 User unknown")
        #expect(relay.events.count(where: { $0 == .opened }) == 1, "the connection serves the next message")
    }

    @Test func `an address that is proven dead gets no later mailing`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign("c", to: addresses(1)))
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .reply(.dot, 550, "5.1.1 User unknown"))
        await fixture.send(relay, seconds: 5)
        let later = try await fixture.plan(campaign("d", to: addresses(1))).number
        #expect(try await fixture.summary(later).withheld == ["suppressed": 1])
    }

    @Test func `a refused attempt takes its slot, so that a bad list does not hammer the relay`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign("c", to: addresses(10)))
        let relay = fixture.relay()
        for address in addresses(9) { relay.answer(address, .reply(.recipient, 550, "5.1.1 User unknown")) }
        let start = fixture.clock.boot
        await fixture.send(relay, seconds: 30)
        let dot = try #require(fixture.auditor.dots.first)
        #expect(dot.at.nanoseconds - start.nanoseconds >= 9 * 1_100_000_000)
    }

    @Test func `five refusals by the relay's policy in a row pause the campaign`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(8))).number
        let relay = fixture.relay()
        for address in addresses(8) { relay.answer(address, .reply(.recipient, 550, "5.7.1 Blocked")) }
        await fixture.send(relay, seconds: 60)
        let summary = try await fixture.summary(number)
        #expect(summary.state == .paused)
        #expect(
            summary.because == "5 messages in a row were refused by the relay's policy: recipient: 550 5.7.1 Blocked")
        #expect(summary.counts.queued == 8)
        #expect(summary.counts.bounced == 0)
        #expect(fixture.auditor.dots.isEmpty)
    }

    @Test func `four refusals by policy and a success do not pause the campaign`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(9))).number
        let relay = fixture.relay()
        for (index, address) in addresses(9).enumerated() where index != 4 {
            relay.answer(address, .reply(.recipient, 550, "5.7.1 Blocked"))
        }
        await fixture.send(relay, seconds: 60)
        #expect(try await fixture.summary(number).state == .running)
    }

    @Test func `a refused sender pauses the campaign at once and costs nobody a turn`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(3))).number
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .reply(.mail, 553, "5.7.1 Sender refused"))
        await fixture.send(relay, seconds: 60)
        let summary = try await fixture.summary(number)
        #expect(summary.state == .paused)
        #expect(summary.because == "the relay refuses the sender: mail: 553 5.7.1 Sender refused")
        #expect(summary.counts.queued == 3)
        #expect(fixture.auditor.dots.isEmpty)
    }

    @Test func `silence after the dot is uncertain, and the message is never sent again`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(2))).number
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .silent)
        await fixture.send(relay, seconds: 10_000)
        #expect(fixture.auditor.recipients == addresses(2))
        let row = try #require(try await fixture.rows(number).first)
        #expect(row.state == "uncertain")
        #expect(row.reason == "no reply within 600 s")
        #expect(fixture.auditor.gaps == [1_200_000_000], "doubt neither hurries nor delays the next message")
    }

    @Test func `doubt in a row pauses the campaign`() async throws {
        let fixture = try DaemonFixture(lines: ["[sending]", "pause_after_uncertain = 3"])
        let number = try await fixture.plan(campaign("c", to: addresses(5))).number
        let relay = fixture.relay()
        for address in addresses(5) { relay.answer(address, .silent) }
        await fixture.send(relay, seconds: 60)
        let summary = try await fixture.summary(number)
        #expect(summary.counts.uncertain == 3)
        #expect(summary.state == .paused)
    }

    @Test func `a dot that was never written is written again, once`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(1))).number
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .notWritten)
        await fixture.send(relay, seconds: 100)
        #expect(fixture.auditor.recipients == addresses(1))
        #expect(try await fixture.summary(number).counts.sent == 1)
    }

    @Test func `a connection lost before the dot costs the recipient no attempt`() async throws {
        let fixture = try DaemonFixture()
        let number = try await fixture.plan(campaign("c", to: addresses(1))).number
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .lost, .lost, .lost)
        await fixture.send(relay, seconds: 300)
        #expect(fixture.auditor.recipients == addresses(1))
        #expect(try await fixture.summary(number).counts.sent == 1)
    }

    @Test func `a message over which the connection is lost lets others go first`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign("c", to: addresses(3)))
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .lost)
        await fixture.send(relay, seconds: 100)
        #expect(fixture.auditor.recipients == ["reader2", "reader3", "reader1"].map { $0 + "@people.example" })
    }

    @Test func `a relay that cannot be reached is left alone for longer and longer`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign("c", to: addresses(1)))
        let relay = fixture.relay()
        let failure = RelayOpening.failed(.connect, "connection refused")
        relay.refuseToOpen(failure, failure, failure, .refused(.greeting, SMTPReply(code: 421, lines: ["busy"])))
        let start = fixture.clock.boot
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 14)
        #expect(fixture.auditor.dots.isEmpty)
        #expect(fixture.context.progress.troubles["default"] == "greeting: 421 busy")
        await fixture.clock.run(seconds: 10)
        lane.end()
        await task.value
        let dot = try #require(fixture.auditor.dots.first)
        #expect(dot.at.nanoseconds - start.nanoseconds >= 15_000_000_000, "1 + 2 + 4 + 8 s")
        #expect(fixture.context.progress.troubles.isEmpty)
    }

    @Test func `service mail goes before a newsletter`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.accept("news1@people.example", "news2@people.example")
        try await fixture.plan(
            JobText.campaign("news", to: [.address("news1@people.example"), .address("news2@people.example")]))
        try await fixture.plan(campaign("welcome", to: addresses(2)))
        await fixture.send(fixture.relay(), seconds: 30)
        #expect(fixture.auditor.recipients == addresses(2) + ["news1@people.example", "news2@people.example"])
    }

    @Test func `campaigns of the same rank take turns`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign("a", to: ["a1@people.example", "a2@people.example", "a3@people.example"]))
        try await fixture.plan(campaign("b", to: ["b1@people.example", "b2@people.example", "b3@people.example"]))
        await fixture.send(fixture.relay(), seconds: 30)
        #expect(fixture.auditor.recipients.map { String($0.prefix(2)) } == ["a1", "b1", "a2", "b2", "a3", "b3"])
    }

    @Test func `a recipient whose fields make no message is withheld and the next one is served`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign(
            "c", to: [.list("list.csv")], basis: "service", subject: "News for {{name}}")
        let number = try await fixture.plan(
            json, files: ["list.csv": "email,name\na@people.example,A\u{7}nna\nb@people.example,Bo\n"]
        ).number
        await fixture.send(fixture.relay(), seconds: 10)
        #expect(fixture.auditor.recipients.contains("b@people.example"))
        #expect(try await fixture.summary(number).counts.queued == 0)
    }

    @Test func `an idle connection is closed after its time`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(campaign("c", to: addresses(1)))
        let relay = fixture.relay()
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await fixture.clock.run(seconds: 14)
        #expect(!relay.events.contains(.closed))
        await fixture.clock.run(seconds: 2)
        #expect(relay.events.last == .closed)
        lane.end()
        await task.value
    }
}

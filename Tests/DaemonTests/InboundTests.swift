import Foundation
import Glibc
import Ledger
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

/// What comes back by mail, and what it proves.
@Suite(.timeLimit(.minutes(5)))
struct InboundTests {
    private let fixture: DaemonFixture
    private let inbound: Inbound

    init() throws {
        fixture = try DaemonFixture()
        inbound = Inbound(context: fixture.context, keeper: fixture.keeper)
    }

    // MARK: What was sent

    /// Plans a service mail to one person and returns its delivery with its envelope sender.
    private func plan(
        _ fixture: DaemonFixture, _ job: String = "c", change: (inout Configuration) -> Void = { _ in }
    ) async throws -> (delivery: Int64, campaign: Int64, returnPath: String) {
        let json = JobText.campaign(job, to: [.address("reader@people.example")], basis: "service")
        let campaign = try await fixture.plan(json).number
        let due = try await due(fixture)
        var configuration = fixture.configuration
        change(&configuration)
        let made = try MessageMaker(key: fixture.ledger.key)
            .make(due, try await fixture.library.campaign(due.job), configuration: configuration)
        return (due.id, campaign, made.envelope.sender.text)
    }

    private func due(_ fixture: DaemonFixture) async throws -> DueDelivery {
        let search = try await fixture.ledger.nextDue(relay: "default", now: fixture.clock.wall, turns: Turns())
        guard case .due(let due) = search else { throw TestSupportError("nothing is due") }
        return due
    }

    private func handOver(_ fixture: DaemonFixture, _ delivery: Int64) async throws {
        let slot = Pacer.StoredSlot(bootID: fixture.clock.bootID, at: fixture.clock.boot)
        let intent = try await fixture.ledger.intend(
            IntentRequest(delivery: delivery, messageID: "m", slot: slot, claims: [], now: fixture.clock.wall))
        #expect(intent.decision == .handOver)
    }

    private func conclude(_ fixture: DaemonFixture, _ delivery: Int64, _ outcome: Outcome) async throws {
        try await fixture.ledger.conclude(
            delivery: delivery, outcome: outcome, evidence: AttemptEvidence(reply: nil), relays: [],
            bootID: fixture.clock.bootID, retries: .standard, now: fixture.clock.wall)
    }

    /// A delivery in doubt and its envelope sender.
    private func doubt(
        _ job: String = "c", change: (inout Configuration) -> Void = { _ in }
    ) async throws -> (delivery: Int64, campaign: Int64, returnPath: String) {
        let planned = try await plan(fixture, job, change: change)
        try await handOver(fixture, planned.delivery)
        try await conclude(fixture, planned.delivery, .uncertain)
        return planned
    }

    private func state(_ campaign: Int64) async throws -> String {
        try #require(try await fixture.rows(campaign).first).state
    }

    // MARK: What comes back

    private var maildir: String { fixture.context.spool.inboundPath }

    private func names(_ part: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(maildir)/\(part)").sorted()
    }

    private func deliver(_ text: String, as name: String = "1.a") throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(maildir)/tmp/\(name)"))
        try #require(rename("\(maildir)/tmp/\(name)", "\(maildir)/new/\(name)") == 0)
    }

    private static func notification(_ address: String, from sender: String = "<>") -> String {
        "Return-Path: \(sender)\nDelivered-To: \(address)\nSubject: Undelivered\n\nIt could not be delivered.\n"
    }

    private static func report(_ address: String, action: String = "failed", status: String = "5.1.1") -> String {
        """
        Return-Path: <MAILER-DAEMON@relay.example>
        To: \(address)
        Content-Type: multipart/report; report-type=delivery-status; boundary=b

        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; relay.example

        Final-Recipient: rfc822; reader@people.example
        Action: \(action)
        Status: \(status)

        --b--

        """
    }

    private func look() async throws {
        let isMore = await inbound.look()
        #expect(!isMore)
    }

    @Test func `a bounce proves that what was in doubt was accepted, and is kept as seen`() async throws {
        let sent = try await doubt()
        try deliver(Self.report(sent.returnPath))
        try await look()
        let row = try #require(try await fixture.rows(sent.campaign).first)
        #expect(row.state == "sent")
        #expect(row.reason == "settled as sent (bounce): a report came back to its return path: failed 5.1.1")
        #expect(try names("new").isEmpty)
        #expect(try names("cur") == ["1.a:2,S"])
        let line = try #require(fixture.log.lines.last)
        #expect(line.metadata["MESSAGE_ID"] == DaemonJournal.Event.settled.rawValue)
        #expect(line.metadata["DELIVERY"] == "\(sent.delivery)")
        #expect(line.metadata["EVIDENCE"] == "bounce")
        #expect(!line.message.contains("@"))
    }

    @Test(arguments: [("delayed", "4.4.1"), ("relayed", "2.0.0")])
    func `a report of another kind proves it just as well`(action: String, status: String) async throws {
        let sent = try await doubt()
        try deliver(Self.report(sent.returnPath, action: action, status: status))
        try await look()
        #expect(try await fixture.rows(sent.campaign).first?.reason?.hasSuffix(": \(action) \(status)") == true)
    }

    @Test func `any message with the null return path proves it, a report or not`() async throws {
        let sent = try await doubt()
        try deliver(Self.notification(sent.returnPath))
        try await look()
        let reason = try await fixture.rows(sent.campaign).first?.reason
        #expect(reason == "settled as sent (bounce): a notification came back to its return path")
    }

    @Test func `the receipt tells of it at once`() async throws {
        let sent = try await doubt()
        let task = fixture.run(fixture.keeper)
        await fixture.clock.run(seconds: 1)
        #expect(try fixture.producer().receipt("c")?.counts["uncertain"] == 1)
        try deliver(Self.report(sent.returnPath))
        try await look()
        // While the clock stands still: by itself the keeper would look after 30 s.
        let isTold = try await eventually(timeout: .seconds(10)) {
            let counts = try fixture.producer().receipt("c")?.counts
            return counts?["uncertain"] == 0 && counts?["sent"] == 1
        }
        #expect(isTold)
        await fixture.end(fixture.keeper, task)
    }

    @Test func `an address that a server wrote in other letters is known still`() async throws {
        let sent = try await doubt()
        try deliver(Self.report(sent.returnPath.uppercased()))
        try await look()
        #expect(try await state(sent.campaign) == "sent")
    }

    @Test func `an address of the configured bounce domain, or too long for its sender, is known`() async throws {
        for (job, bounce) in [
            ("one", "returned@bounces.example"), ("two", String(repeating: "a", count: 60) + "@b.example"),
        ] {
            let address = try AddressText.read(bounce)
            let sent = try await doubt(job) { $0.bounceAddress = address }
            #expect(sent.returnPath.hasPrefix(job == "one" ? "returned+" : "bounce+"))
            try deliver(Self.notification(sent.returnPath), as: job)
            try await look()
            #expect(try await state(sent.campaign) == "sent")
        }
    }

    @Test func `of several addresses the one with our proof counts`() async throws {
        let sent = try await doubt()
        let forged = "news+\(sent.delivery).0000000000000000@library.example"
        try deliver(Self.notification("\(forged), x@example.org, \(sent.returnPath)"))
        try await look()
        #expect(try await state(sent.campaign) == "sent")
    }

    @Test func `a forged tag, none, that of another ledger, or a person's answer changes nothing`() async throws {
        let sent = try await doubt()
        let stranger = try DaemonFixture()
        let theirs = try await plan(stranger)
        #expect(theirs.delivery == sent.delivery)
        let proof = try #require(ReturnTag(sent.returnPath)).proof
        let last = proof.hasSuffix("0") ? "1" : "0"
        let mails = [
            Self.report("news+\(sent.delivery).\(proof.dropLast())\(last)@library.example"),
            Self.report("news+\(sent.delivery + 1).\(proof)@library.example"),
            Self.report("news+\(sent.delivery).@library.example"), Self.report("news+.\(proof)@library.example"),
            Self.report("news+-\(sent.delivery).\(proof)@library.example"),
            Self.report("news+99999999999999999999.\(proof)@library.example"),
            Self.report("news+\(sent.delivery).\(proof)"), Self.report("news@library.example"), Self.report(""),
            Self.report(theirs.returnPath), Self.notification(sent.returnPath, from: "<reader@people.example>"),
            "Subject: x\n\n" + Self.report(sent.returnPath), "", "\n", "\u{0}\u{0}", "no header at all",
        ]
        for (index, mail) in mails.enumerated() { try deliver(mail, as: "\(100 + index).a") }
        try await look()
        #expect(try await state(sent.campaign) == "uncertain")
        #expect(try names("new").isEmpty)
        // Unread, as a mail reader shows it: a person may want to see it.
        #expect(try names("cur") == mails.indices.map { "\(100 + $0).a:2," })
        #expect(!fixture.log.lines.contains { $0.metadata["MESSAGE_ID"] == DaemonJournal.Event.settled.rawValue })
    }

    @Test(arguments: [Outcome.sent, .bounced(suppress: false), .deferred(isGreylisting: false)])
    func `a bounce of what is not in doubt changes nothing`(outcome: Outcome) async throws {
        let sent = try await plan(fixture)
        try await handOver(fixture, sent.delivery)
        try await conclude(fixture, sent.delivery, outcome)
        let before = try await fixture.rows(sent.campaign)
        try deliver(Self.report(sent.returnPath))
        try await look()
        #expect(try await fixture.rows(sent.campaign) == before)
        #expect(try names("cur") == ["1.a:2,S"])
    }

    @Test func `a bounce that is faster than the reply waits, and ends the doubt if the reply never comes`()
        async throws
    {
        let sent = try await plan(fixture)
        try await handOver(fixture, sent.delivery)
        try deliver(Self.report(sent.returnPath))
        try await look()
        #expect(try await state(sent.campaign) == "inFlight")
        #expect(try names("new") == ["1.a"])
        try await conclude(fixture, sent.delivery, .uncertain)
        await fixture.clock.run(seconds: 30)
        try await look()
        #expect(try await state(sent.campaign) == "sent")
        #expect(try names("new").isEmpty)
    }

    @Test func `a message of any length is judged by its beginning`() async throws {
        let sent = try await doubt()
        try deliver(Self.report(sent.returnPath))
        let handle = try #require(FileHandle(forWritingAtPath: "\(maildir)/new/1.a"))
        try handle.truncate(atOffset: 1 << 38)
        try handle.close()
        try await look()
        #expect(try await state(sent.campaign) == "sent")
    }

    // MARK: Trouble

    @Test func `what is no message stays, is told seldom, and holds up no other`() async throws {
        let sent = try await doubt()
        for index in 0..<120 { #expect(mkdir("\(maildir)/new/\(index).directory", 0o700) == 0) }
        #expect(mkfifo("\(maildir)/new/pipe", 0o600) == 0)
        #expect(symlink("/etc/passwd", "\(maildir)/new/link") == 0)
        try deliver(Self.report(sent.returnPath), as: "zzz")
        while await inbound.look() {}
        #expect(try await state(sent.campaign) == "sent")
        #expect(try names("new").count == 122)
        #expect(fixture.log.lines.count { $0.message.hasPrefix("a returned message stays where it is") } == 1)
        await fixture.clock.run(seconds: 590)
        while await inbound.look() {}
        #expect(fixture.log.lines.count { $0.message.hasPrefix("a returned message stays where it is") } == 1)
        await fixture.clock.run(seconds: 10)
        while await inbound.look() {}
        #expect(
            fixture.log.messages.last?.hasSuffix("(and 121 times before it)") == true,
            "\(fixture.log.messages.last ?? "")"
        )
    }

    @Test func `a message that cannot be moved is treated all the same, and tried again later`() async throws {
        let sent = try await doubt()
        let name = String(repeating: "n", count: 255)
        try deliver(Self.report(sent.returnPath), as: name)
        try await look()
        #expect(try await state(sent.campaign) == "sent")
        #expect(try names("new") == [name])
        #expect(fixture.log.messages.last?.hasPrefix("a returned message stays where it is") == true)
        await fixture.clock.run(seconds: 600)
        try await look()
        #expect(try await state(sent.campaign) == "sent")
    }

    @Test func `while the ledger cannot be written everything stays, and is treated afterwards`() async throws {
        let sent = try await doubt()
        try await fixture.sql(
            "CREATE TRIGGER broken BEFORE INSERT ON settlements BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;")
        try deliver(Self.report(sent.returnPath))
        try await look()
        #expect(try names("new") == ["1.a"])
        let line = try #require(fixture.log.lines.last)
        #expect(line.metadata["MESSAGE_ID"] == DaemonJournal.Event.ledgerTrouble.rawValue)
        #expect(line.message.contains("the disk is full"))
        try await fixture.sql("DROP TRIGGER broken;")
        try await look()
        #expect(try await state(sent.campaign) == "sent")
    }

    @Test func `a Maildir that is gone is told, and looked at again when it is back`() async throws {
        let sent = try await doubt()
        #expect(rename(maildir, maildir + ".away") == 0)
        try await look()
        #expect(fixture.log.messages.last?.hasPrefix("returned mail cannot be looked at") == true)
        #expect(rename(maildir + ".away", maildir) == 0)
        try deliver(Self.report(sent.returnPath))
        try await look()
        #expect(try await state(sent.campaign) == "sent")
    }

    // MARK: The loop

    @Test func `the loop looks at start, when it is rung, and every 10 minutes, and shows that it lives`()
        async throws
    {
        let (first, second, third) = (try await doubt("one"), try await doubt("two"), try await doubt("three"))
        // The planning of the test leaves a sign of life, too.
        fixture.context.progress.rests("planning")
        try deliver(Self.report(first.returnPath), as: "1.a")
        fixture.clock.join()
        let task = Task { [inbound, clock = fixture.clock] in
            await inbound.run()
            clock.leave()
        }
        await fixture.clock.settle()
        #expect(try await state(first.campaign) == "sent")
        try deliver(Self.report(second.returnPath), as: "2.b")
        await fixture.clock.run(seconds: 599)
        #expect(try await state(second.campaign) == "uncertain")
        #expect(fixture.context.progress.stuck(at: fixture.clock.boot).isEmpty, "it said how long it would be silent")
        await fixture.clock.run(seconds: 1)
        #expect(try await state(second.campaign) == "sent")
        try deliver(Self.report(third.returnPath), as: "3.c")
        fixture.context.returnedMail.ring()
        #expect(try await eventually(timeout: .seconds(20)) { try names("new").isEmpty })
        #expect(try await state(third.campaign) == "sent")
        #expect(fixture.context.progress.stuck(at: fixture.clock.boot.adding(nanoseconds: 700_000_000_000)) != [])
        fixture.context.stopping.set()
        inbound.wake()
        await task.value
        #expect(fixture.context.progress.oldestBeat() == nil)
    }

    @Test func `any number of messages is treated without waiting`() async throws {
        let sent = try await doubt()
        for index in 0..<250 { try deliver(Self.report("news@library.example"), as: "\(1000 + index).a") }
        try deliver(Self.report(sent.returnPath), as: "zzz")
        fixture.clock.join()
        let task = Task { [inbound, clock = fixture.clock] in
            await inbound.run()
            clock.leave()
        }
        await fixture.clock.settle()
        #expect(try await state(sent.campaign) == "sent")
        #expect(try names("new").isEmpty)
        fixture.context.stopping.set()
        inbound.wake()
        await task.value
    }
}

import Logging
import Mailing
import TestSupport
import Testing

@testable import Daemon
@testable import Ledger

@Suite(.timeLimit(.minutes(5)))
struct DaemonJournalTests {
    private let fixture: DaemonFixture

    init() throws { fixture = try DaemonFixture() }

    private var journal: DaemonJournal {
        DaemonJournal(
            logger: fixture.log.logger, key: fixture.ledger.key, ledger: "a-ledger", settings: fixture.context.settings)
    }

    private func due(inDoubt: Bool = false) throws -> DueDelivery {
        DueDelivery(
            id: 7, campaign: 1, job: try #require(JobID("c")), isTest: false,
            address: try AddressText.read("reader@people.example"), fields: [:], acceptedAt: fixture.clock.wall,
            attempts: 0, isInDoubt: inDoubt)
    }

    /// The one line that was written.
    private func line() throws -> RecordingLog.Line {
        #expect(fixture.log.lines.count == 1)
        return try #require(fixture.log.lines.first)
    }

    @Test func `a hand-over is told with the number of its intent and the name of its ledger`() throws {
        let reply = SMTPReply(code: 250, lines: ["2.0.0 Ok: queued as 4F3"])
        journal.delivered(
            try due(), relay: "default", outcome: .sent, reply: reply, detail: reply.description, intent: 41)
        let line = try line()
        #expect(line.level == .info)
        #expect(
            line.metadata.filter { $0.key != "RECIPIENT" } == [
                "CAMPAIGN": "c", "DELIVERY": "7", "RELAY": "default", "OUTCOME": "sent", "INTENT": "41",
                "LEDGER": "a-ledger", "SMTP_CODE": "250", "SMTP_ENHANCED_CODE": "2.0.0",
                "MESSAGE_ID": DaemonJournal.Event.delivery.rawValue,
            ])
        #expect(line.message.hasPrefix("sent: recipient-") && line.message.hasSuffix("by default: \(reply)"))
    }

    @Test func `a refusal before the dot had no intent, and names none`() throws {
        let reply = SMTPReply(code: 550, lines: ["5.1.1 unknown"])
        journal.delivered(
            try due(), relay: "default", outcome: .bounced(suppress: true), reply: reply, detail: "recipient: \(reply)")
        let line = try line()
        #expect(line.metadata["INTENT"] == nil && line.metadata["LEDGER"] == nil)
        #expect(line.metadata["OUTCOME"] == "bounced")
    }

    @Test func `silence is a warning of its own`() throws {
        journal.delivered(
            try due(), relay: "default", outcome: .uncertain, reply: nil, detail: "no reply within 600 s", intent: 1)
        let line = try line()
        #expect(line.level == .warning)
        #expect(line.metadata["MESSAGE_ID"] == DaemonJournal.Event.uncertain.rawValue)
        #expect(line.metadata["OUTCOME"] == "uncertain")
    }

    @Test(arguments: [Outcome.bounced(suppress: false), .deferred(isGreylisting: false), .routeTrouble, .uncertain])
    func `what is in doubt is told as in doubt, whatever the second hand-over met`(outcome: Outcome) throws {
        journal.delivered(
            try due(inDoubt: true), relay: "default", outcome: outcome, reply: nil, detail: "554 no", intent: 2)
        let line = try line()
        #expect(line.metadata["OUTCOME"] == "uncertain")
        #expect(line.metadata["MESSAGE_ID"] == DaemonJournal.Event.uncertain.rawValue)
        #expect(line.message.hasPrefix("uncertain: "))
    }

    @Test func `a doubt under its key that ends is told as sent`() throws {
        journal.delivered(
            try due(inDoubt: true), relay: "default", outcome: .sent, reply: nil, detail: "250 Ok", intent: 2)
        #expect(try line().metadata["OUTCOME"] == "sent")
    }

    @Test(arguments: Settlement.allCases, SettlementEvidence.Kind.allCases)
    func `a doubt that ended is told with how and by what`(
        settlement: Settlement, kind: SettlementEvidence.Kind
    ) throws {
        let doubt = SettledDoubt(
            delivery: 7, campaign: 1, job: try #require(JobID("c")),
            address: try AddressText.read("reader@people.example"), settlement: settlement)
        journal.settled(doubt, by: SettlementEvidence(kind: kind, text: "told of reader@people.example by the log"))
        let line = try line()
        #expect(line.level == .notice)
        #expect(line.metadata["SETTLED_AS"] == settlement.rawValue)
        #expect(line.metadata["EVIDENCE"] == kind.rawValue)
        #expect(line.metadata["DELIVERY"] == "7" && line.metadata["CAMPAIGN"] == "c")
        #expect(line.metadata["MESSAGE_ID"] == DaemonJournal.Event.settled.rawValue)
        #expect(line.message.contains("settled as \(settlement) (\(kind))"))
        #expect(!line.message.contains("reader@people.example"), "no address is shown")
    }

    @Test func `the intents of a run are counted one by one`() async throws {
        let recipients = (1...3).map { JobText.Recipients.address("reader\($0)@people.example") }
        try await fixture.plan(JobText.campaign("c", to: recipients, basis: "service"))
        let relay = fixture.relay()
        relay.answer("reader2@people.example", .silent)
        await fixture.send(relay, seconds: 10)
        #expect(fixture.log.lines.compactMap { $0.metadata["INTENT"] } == ["1", "2", "3"])
    }

    @Test func `every kind of event has a number of its own`() {
        let numbers = DaemonJournal.Event.allCases.map(\.rawValue)
        #expect(Set(numbers).count == numbers.count)
        #expect(numbers.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) })
    }
}

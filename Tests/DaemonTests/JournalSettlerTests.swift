import Ledger
import Mailing
import Synchronization
import TestSupport
import Testing

@testable import Daemon

/// A journal that says what a test lets it say.
private final class FakeJournal: Sendable {
    struct Unreadable: Error, CustomStringConvertible {
        let description = "nobody may read it"
    }

    private struct State {
        var lines: [PostfixLine] = []
        var readings: [(user: String, since: Timestamp)] = []
        var isUnreadable = false
    }

    static let user: UInt32 = 102
    private let state = Mutex(State())

    var readings: [(user: String, since: Timestamp)] { state.withLock { $0.readings } }

    func setUnreadable(_ isUnreadable: Bool) {
        state.withLock { $0.isUnreadable = isUnreadable }
    }

    /// - Parameter texts: the program, and what it says; 10 ms apart.
    func write(_ texts: [(String, String)], from at: Timestamp) {
        state.withLock { state in
            for (index, (program, text)) in texts.enumerated() {
                let moment = at.milliseconds + Int64(index) * 10
                state.lines.append(
                    PostfixLine(
                        at: Timestamp(milliseconds: moment), recorded: moment * 1000,
                        monotonic: moment * 1000 - 1_000_000_000_000_000, boot: BootID("b"), user: FakeJournal.user,
                        command: program, identifier: "postfix/\(program)", process: 347, text: text))
            }
        }
    }

    func read(_ user: String, _ since: Timestamp) throws -> PostfixReading {
        try state.withLock { state in
            state.readings.append((user, since))
            if state.isUnreadable { throw Unreadable() }
            let oldest = Timestamp(milliseconds: since.milliseconds - 1)
            return PostfixReading(
                lines: state.lines.filter { $0.at >= since }, user: FakeJournal.user,
                coverage: PostfixTrace.Coverage(oldest: oldest, boot: BootID("b")))
        }
    }
}

/// Deliveries in doubt and what looks into them.
private final class Doubtful: Sendable {
    static let port = 58_978
    let fixture: DaemonFixture
    let journal = FakeJournal()
    let number: Int64
    private let wakes = Atomic(0)

    /// One reader for each name; the relay was silent at each.
    init(_ readers: String..., settles: Bool = true) async throws {
        fixture = try DaemonFixture()
        var configuration = fixture.configuration
        configuration.relays["default"]?.settlesByJournal = settles
        fixture.context.settings.replace(by: configuration)
        let recipients = readers.map { JobText.Recipients.address($0) }
        number = try await fixture.plan(JobText.campaign("c", to: recipients, basis: "service")).number
        let relay = fixture.relay()
        for reader in readers { relay.answer(reader, .silent) }
        await fixture.send(relay, seconds: 10)
        // The lane has rung for a settler that was not there: the looks of a test are those that time brings.
        await fixture.context.doubts.wait()
        try await fixture.sql("UPDATE deliveries SET local_port = \(Doubtful.port)")
        let summary = try await fixture.summary(number)
        try #require(summary.counts.uncertain == readers.count)
    }

    func doubts() async throws -> [OpenDoubt] {
        try await fixture.ledger.openDoubts(relay: "default", after: 0, limit: 100)
    }

    /// The session as far as it must have come, and what followed.
    func writeSession(_ doubt: OpenDoubt, _ texts: [(String, String)]) {
        let began = Timestamp(milliseconds: doubt.intendedAt.milliseconds - 5)
        journal.write(
            [("smtpd", "64D8C95: client=localhost[127.0.0.1]:\(doubt.localPort ?? 0)")] + texts, from: began)
    }

    func writeAccepted(_ doubt: OpenDoubt) async throws {
        let tag = MessageMaker.tag(
            delivery: doubt.delivery, job: doubt.job, address: doubt.address, key: fixture.ledger.key)
        writeSession(
            doubt,
            [
                ("cleanup", "64D8C95: message-id=<\(doubt.messageID)>"),
                ("qmgr", "64D8C95: from=<news+\(tag)@library.example>, size=527, nrcpt=1 (queue active)"),
            ])
    }

    func writeBrokenOff(_ doubt: OpenDoubt) {
        let client = "localhost[127.0.0.1]:\(doubt.localPort ?? 0)"
        writeSession(
            doubt,
            [
                ("smtpd", "lost connection after DATA (320 bytes) from \(client)"),
                ("smtpd", "disconnect from \(client) ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4"),
            ])
    }

    func run() -> (JournalSettler, Task<Void, Never>) {
        let settler = JournalSettler(
            context: fixture.context, executor: QueueExecutor(label: "tests"), keeper: fixture.keeper,
            wakeLanes: { self.wakes.add(1, ordering: .relaxed) }, read: { try self.journal.read($0, $1) })
        fixture.clock.join()
        let task = Task { [fixture] in
            await settler.run()
            fixture.clock.leave()
        }
        return (settler, task)
    }

    func end(_ settler: JournalSettler, _ task: Task<Void, Never>) async {
        fixture.context.stopping.set()
        settler.wake()
        await task.value
    }

    var wakesOfLanes: Int { wakes.load(ordering: .relaxed) }

    /// Lets the settler work for so many virtual seconds and ends it, as a run of the daemon does.
    func settle(seconds: Double) async {
        let (settler, task) = run()
        await fixture.clock.run(seconds: seconds)
        await end(settler, task)
    }

    /// State and reason of the only delivery, or of the one to somebody.
    func outcome(_ address: String? = nil) async throws -> (state: String, reason: String) {
        let row = try #require(try await fixture.rows(number).first { address == nil || $0.address == address })
        return (row.state, row.reason ?? "")
    }
}

@Suite(.timeLimit(.minutes(5)))
struct JournalSettlerTests {
    @Test func `what Postfix took up is settled as sent with its queue id`() async throws {
        let doubtful = try await Doubtful("a@people.example")
        let doubt = try #require(try await doubtful.doubts().first)
        try await doubtful.writeAccepted(doubt)
        await doubtful.settle(seconds: 1)
        let outcome = try await doubtful.outcome()
        #expect(outcome.state == "sent")
        #expect(outcome.reason.contains("settled as sent (journal)"))
        #expect(outcome.reason.contains("64D8C95: message-id=<\(doubt.messageID)>"))
        #expect(doubtful.wakesOfLanes == 0)
        let line = try #require(doubtful.fixture.log.lines.first { $0.metadata["SETTLED_AS"] == "sent" })
        #expect(line.metadata["DELIVERY"] == "\(doubt.delivery)" && line.metadata["EVIDENCE"] == "journal")
        let reading = try #require(doubtful.journal.readings.last)
        #expect(reading.user == "postfix")
        #expect(reading.since == doubt.intendedAt.adding(seconds: -900))
    }

    @Test func `what never reached its end is queued again and sent once more, under the same Message-ID`() async throws
    {
        let doubtful = try await Doubtful("a@people.example")
        let doubt = try #require(try await doubtful.doubts().first)
        doubtful.writeBrokenOff(doubt)
        await doubtful.settle(seconds: 1)
        #expect(try await doubtful.outcome().state == "queued")
        #expect(doubtful.wakesOfLanes == 1)
        let due = try await doubtful.fixture.ledger.nextDue(
            relay: "default", now: doubtful.fixture.clock.wall, turns: Turns())
        guard case .due(let again) = due else { throw TestSupportError("it is not due again") }
        #expect(again.id == doubt.delivery)
    }

    @Test func `each is judged by its own lines`() async throws {
        let doubtful = try await Doubtful("a@people.example", "b@people.example", "c@people.example")
        let doubts = try await doubtful.doubts()
        try #require(doubts.count == 3)
        try await doubtful.writeAccepted(doubts[0])
        doubtful.writeBrokenOff(doubts[1])
        await doubtful.settle(seconds: 1)
        let states = try await doubtful.fixture.states(doubtful.number)
        #expect(states["a@people.example"] == "sent")
        #expect(states["b@people.example"] == "queued")
        #expect(states["c@people.example"] == "uncertain")
    }

    @Test func `what the journal does not settle is looked at for a quarter of an hour and left to a person`()
        async throws
    {
        let doubtful = try await Doubtful("a@people.example")
        let doubt = try #require(try await doubtful.doubts().first)
        doubtful.writeSession(doubt, [("cleanup", "64D8C95: message-id=<\(doubt.messageID)>")])
        await doubtful.settle(seconds: 1800)
        let outcome = try await doubtful.outcome()
        #expect(outcome.state == "uncertain")
        #expect(outcome.reason.contains("the journal does not settle it: "))
        #expect(try await doubtful.doubts().isEmpty, "nobody looks again")
        let readings = doubtful.journal.readings.count
        #expect((40...60).contains(readings), "every 5 s for two minutes, then every 30 s: \(readings)")
        #expect(doubtful.fixture.log.messages.contains { $0.hasPrefix("uncertain for good") })
    }

    @Test func `what comes late is found by the next look`() async throws {
        let doubtful = try await Doubtful("a@people.example")
        let doubt = try #require(try await doubtful.doubts().first)
        let (settler, task) = doubtful.run()
        await doubtful.fixture.clock.run(seconds: 3)
        #expect(try await doubtful.outcome().state == "uncertain")
        try await doubtful.writeAccepted(doubt)
        await doubtful.fixture.clock.run(seconds: 5)
        #expect(try await doubtful.outcome().state == "sent")
        await doubtful.end(settler, task)
        #expect(doubtful.fixture.context.progress.oldestBeat()?.loop != "settling", "it has told that it is gone")
    }

    @Test func `an old doubt is not given up before the journal had its time after a start`() async throws {
        let doubtful = try await Doubtful("a@people.example")
        await doubtful.fixture.clock.run(seconds: 86_400)
        await doubtful.settle(seconds: 600)
        #expect(try await doubtful.doubts().count == 1)
        let again = try await Doubtful("a@people.example")
        await again.fixture.clock.run(seconds: 86_400)
        await again.settle(seconds: 960)
        #expect(try await again.doubts().isEmpty)
    }

    @Test func `the journal is not read for a relay of which the configuration does not say so`() async throws {
        let doubtful = try await Doubtful("a@people.example", settles: false)
        let doubt = try #require(try await doubtful.doubts().first)
        doubtful.writeBrokenOff(doubt)
        await doubtful.settle(seconds: 100)
        #expect(doubtful.journal.readings.isEmpty)
        #expect(try await doubtful.outcome().state == "uncertain")
    }

    @Test func `a journal that cannot be read settles nothing, ends nothing and is named once a minute`() async throws {
        let doubtful = try await Doubtful("a@people.example")
        let doubt = try #require(try await doubtful.doubts().first)
        try await doubtful.writeAccepted(doubt)
        doubtful.journal.setUnreadable(true)
        let (settler, task) = doubtful.run()
        await doubtful.fixture.clock.run(seconds: 1199)
        #expect(try await doubtful.doubts().count == 1, "it is not given up")
        let complaints = doubtful.fixture.log.messages.count { $0.contains("nobody may read it") }
        #expect((15...20).contains(complaints))
        doubtful.journal.setUnreadable(false)
        await doubtful.fixture.clock.run(seconds: 31)
        #expect(try await doubtful.outcome().state == "sent")
        await doubtful.end(settler, task)
    }

    @Test func `a journal that cannot be read is named at the start, before there is any doubt`() async throws {
        let fixture = try DaemonFixture()
        var configuration = fixture.configuration
        configuration.relays["default"]?.settlesByJournal = true
        fixture.context.settings.replace(by: configuration)
        let journal = FakeJournal()
        journal.setUnreadable(true)
        fixture.context.stopping.set()
        let settler = JournalSettler(
            context: fixture.context, executor: QueueExecutor(label: "tests"), keeper: fixture.keeper, wakeLanes: {},
            read: { try journal.read($0, $1) })
        await settler.run()
        #expect(fixture.log.messages == ["doubt cannot be settled by the journal: nobody may read it"])
    }

    @Test func `a ledger that cannot be written is named, and the next look does it`() async throws {
        let doubtful = try await Doubtful("a@people.example")
        let doubt = try #require(try await doubtful.doubts().first)
        try await doubtful.writeAccepted(doubt)
        try await doubtful.fixture.sql(
            """
            CREATE TRIGGER broken BEFORE INSERT ON settlements BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
            """)
        let (settler, task) = doubtful.run()
        await doubtful.fixture.clock.run(seconds: 1)
        #expect(try await doubtful.outcome().state == "uncertain")
        #expect(doubtful.fixture.log.messages.contains { $0.contains("doubt cannot be settled") })
        try await doubtful.fixture.sql("DROP TRIGGER broken;")
        await doubtful.fixture.clock.run(seconds: 31)
        #expect(try await doubtful.outcome().state == "sent")
        await doubtful.end(settler, task)
    }

    @Test func `the return path that is looked for is the one that messages have`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign("c", to: [.address("a@people.example")], basis: "service")
        let prepared = try fixture.campaign(json)
        try await fixture.plan(json)
        let found = try await fixture.ledger.nextDue(relay: "default", now: fixture.clock.wall, turns: Turns())
        guard case .due(let due) = found else { throw TestSupportError("nothing is due") }
        let made = try MessageMaker(key: fixture.ledger.key).make(
            due, prepared, configuration: fixture.configuration)
        let tag = MessageMaker.tag(
            delivery: due.id, job: due.job, address: due.address, key: fixture.ledger.key)
        #expect(made.envelope.sender.text.contains("+\(tag)@"))
    }
}

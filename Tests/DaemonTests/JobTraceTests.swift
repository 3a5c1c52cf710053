import Foundation
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// `journalctl CAMPAIGN=…` shows a job from its drop to its last receipt.
@Suite(.timeLimit(.minutes(5)))
struct JobTraceTests {
    private typealias Event = DaemonJournal.Event

    private let fixture: DaemonFixture
    private let producer: TestSupport.SpoolDirectory

    init() throws {
        fixture = try DaemonFixture()
        producer = try fixture.producer()
    }

    /// The kinds of the records of one campaign, in their order, with the job that each is about.
    private func trace(_ campaign: String) -> [(event: Event?, job: String?)] {
        fixture.log.lines.filter { $0.metadata["CAMPAIGN"] == campaign }.map {
            ($0.metadata["MESSAGE_ID"].flatMap { Event(rawValue: $0) }, $0.metadata["JOB"])
        }
    }

    private func drop(_ name: String, _ json: String) async throws {
        try producer.dropFile(name, json: json)
        try await fixture.serve()
    }

    private static let campaign = JobText.campaign(
        "c", to: [.address("a@people.example"), .address("b@people.example")], basis: "service")

    @Test func `a campaign is traced from its drop over each message to its end`() async throws {
        try await drop("mailing.json", JobTraceTests.campaign)
        let relay = fixture.relay()
        relay.answer("a@people.example", .reply(.recipient, 550, "5.1.1 unknown"))
        await fixture.send(relay, seconds: 10)
        await fixture.writeReceipts()
        try await drop("again.json", JobTraceTests.campaign)
        #expect(trace("c").map(\.event) == [.accepted, .planned, .delivery, .delivery, .ended, .accepted])
        let first = try #require(fixture.log.lines.first { $0.metadata["CAMPAIGN"] == "c" })
        #expect(first.metadata["DROP"] == "mailing.json")
        #expect(first.metadata["RECEIPT"] == "mailing")
        #expect(first.metadata["KIND"] == "campaign")
        #expect(fixture.log.lines.allSatisfy { $0.metadata["CAMPAIGN"] == "c" || $0.metadata["DELIVERY"] == nil })
    }

    @Test func `a control job is traced with the campaign that it changes, under its own id`() async throws {
        try await drop("c.json", JobTraceTests.campaign)
        try await drop("stop.json", JobText.control("stop", "pause", campaign: "c"))
        try await drop("on.json", JobText.control("on", "approve", campaign: "c"))
        try await drop("end.json", JobText.control("end", "cancel", campaign: "c"))
        let jobs = trace("c").filter { $0.job != "c" && $0.event != .ended }
        #expect(
            jobs.map(\.event) == [
                .accepted, .paused, .done, .accepted, .rejected, .accepted, .changed, .done,
            ])
        #expect(jobs.map(\.job) == ["stop", "stop", "stop", "on", "on", "end", "end", "end"])
    }

    @Test func `what is rejected is traced as far as it could be read`() async throws {
        try await drop("bad.json", JobText.campaign("bad", to: [], basis: "service"))
        try await drop("order.json", JobText.control("order", "dance", campaign: "c"))
        try await drop("unreadable.json", "{")
        let rejected = fixture.log.lines.filter { $0.metadata["MESSAGE_ID"] == Event.rejected.rawValue }
        #expect(rejected.map { $0.metadata["DROP"] } == ["bad.json", "order.json", "unreadable.json"])
        #expect(rejected.map { $0.metadata["JOB"] } == ["bad", "order", nil])
        #expect(rejected.map { $0.metadata["CAMPAIGN"] } == ["bad", nil, nil])
    }

    @Test func `other jobs are traced under their own id`() async throws {
        try await drop("yes.json", JobText.consent("yes", [.init("a@people.example", "withdrawn")]))
        try producer.dropBundle(
            "people", json: JobText.contacts("people", consentColumn: nil),
            files: ["list.csv": Array("email\na@people.example\n".utf8)])
        try await fixture.serve()
        for id in ["yes", "people"] {
            #expect(trace(id).map(\.event) == [.accepted, .done])
            #expect(trace(id).allSatisfy { $0.job == id })
        }
    }

    @Test func `a receipt that cannot be written is told with its campaign, once a minute`() async throws {
        try await drop("c.json", JobTraceTests.campaign)
        let place = fixture.configuration.spoolDirectory + "/receipts/c"
        try FileManager.default.removeItem(atPath: place)
        try Data("in the way".utf8).write(to: URL(fileURLWithPath: place))
        let keeper = fixture.newKeeper()
        let task = fixture.run(keeper)
        await fixture.clock.run(seconds: 59)
        let told = fixture.log.lines.filter { $0.metadata["MESSAGE_ID"] == Event.spoolTrouble.rawValue }
        #expect(told.map { $0.metadata["CAMPAIGN"] } == ["c"])
        await fixture.end(keeper, task)
    }
}

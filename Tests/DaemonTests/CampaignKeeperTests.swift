import Foundation
import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(5)))
struct CampaignKeeperTests {
    private let fixture: DaemonFixture

    init() throws { fixture = try DaemonFixture() }

    private func campaign(_ count: Int = 2, extra: [String: TestSupport.JSONValue] = [:]) -> String {
        let recipients = (1...count).map { JobText.Recipients.address("reader\($0)@people.example") }
        return JobText.campaign("c", to: recipients, basis: "service", extra: extra)
    }

    private func receipt() throws -> JobReceipt {
        try #require(try fixture.producer().receipt("c"))
    }

    @Test func `the receipt of a running campaign tells what is left and when it will be over`() async throws {
        try await fixture.plan(campaign(3000))
        await fixture.writeReceipts()
        let receipt = try receipt()
        #expect(receipt.state == "running")
        #expect(receipt.count("queued") == 3000)
        #expect(receipt.json["estimatedFinish"]?.string == "2025-06-02T10:01:00Z")
        #expect(receipt.json["acceptedAt"]?.string == "2025-06-02T09:00:00Z")
        #expect(try fixture.producer().recipients("c") == nil, "the table comes at the end")
    }

    @Test func `a finished campaign has its table of recipients`() async throws {
        let number = try await fixture.plan(campaign()).number
        await fixture.send(fixture.relay(), seconds: 10)
        await fixture.writeReceipts()
        let receipt = try receipt()
        #expect(receipt.state == "finished")
        #expect(receipt.count("sent") == 2)
        #expect(receipt.json["estimatedFinish"] == .null)
        let rows = try #require(try fixture.producer().recipients("c"))
        #expect(rows.map { $0["address"] } == ["reader1@people.example", "reader2@people.example"])
        #expect(rows.allSatisfy { $0["state"] == "sent" && $0["reply"]?.hasPrefix("250 ") == true })
        #expect(try await fixture.summary(number).isReported)
    }

    @Test func `the state that ends a campaign does not show before its table is complete`() async throws {
        let number = try await fixture.plan(campaign()).number
        await fixture.writeReceipts()
        #expect(try receipt().state == "running")
        await fixture.send(fixture.relay(), seconds: 10)
        let obstacle = fixture.configuration.spoolDirectory + "/receipts/c/recipients.csv"
        try FileManager.default.createDirectory(atPath: obstacle + "/in-the-way", withIntermediateDirectories: true)
        await fixture.writeReceipts()
        #expect(try receipt().state == "running")
        #expect(try await !fixture.summary(number).isReported)
        #expect(fixture.log.messages.contains { $0.contains("the receipt of campaign c cannot be brought up to date") })
        try FileManager.default.removeItem(atPath: obstacle)
        await fixture.writeReceipts()
        #expect(try receipt().state == "finished")
        #expect(try fixture.producer().recipients("c")?.count == 2)
    }

    @Test func `all who write one receipt have their turn, whatever threads they run on`() async throws {
        try await fixture.plan(campaign())
        let executors = ["one", "other"].map { QueueExecutor(label: $0) }
        let job = try #require(JobID("c"))
        for _ in 0..<300 {
            try await withThrowingTaskGroup(of: Void.self) { [keeper = fixture.keeper] group in
                for executor in executors {
                    group.addTask(executorPreference: executor.forTasks) { try await keeper.refresh(job: job) }
                }
                try await group.waitForAll()
            }
        }
        #expect(try receipt().state == "running")
    }

    @Test func `a campaign is finished when only doubt is left`() async throws {
        try await fixture.plan(campaign(1))
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .silent)
        await fixture.send(relay, seconds: 10)
        await fixture.writeReceipts()
        let receipt = try receipt()
        #expect(receipt.state == "finished")
        #expect(receipt.count("uncertain") == 1)
        let rows = try #require(try fixture.producer().recipients("c"))
        #expect(rows.map { $0["reason"] } == ["no reply within 600 s"])
    }

    @Test func `a campaign is not finished while a deferred message waits`() async throws {
        try await fixture.plan(campaign(1))
        let relay = fixture.relay()
        relay.answer("reader1@people.example", .reply(.recipient, 452, "4.3.1 full"))
        await fixture.send(relay, seconds: 10)
        await fixture.writeReceipts()
        #expect(try receipt().state == "running")
    }

    @Test func `a scheduled campaign runs when its time comes`() async throws {
        try await fixture.plan(campaign(extra: ["sendAfter": "2025-06-02T09:01:00Z"]))
        let keeper = fixture.newKeeper()
        let task = fixture.run(keeper)
        await fixture.clock.run(seconds: 59)
        #expect(try receipt().state == "scheduled")
        await fixture.clock.run(seconds: 2)
        #expect(try receipt().state == "running")
        await fixture.end(keeper, task)
    }

    @Test func `what was not handed over in time is expired, and the campaign with it`() async throws {
        try await fixture.plan(campaign(1200, extra: ["expires": "2025-06-02T09:10:00Z"]))
        let keeper = fixture.newKeeper()
        let task = fixture.run(keeper)
        await fixture.clock.run(seconds: 599)
        #expect(try receipt().state == "running")
        await fixture.clock.run(seconds: 5)
        #expect(try receipt().state == "expired")
        #expect(try receipt().count("expired") == 1200)
        #expect(try fixture.producer().recipients("c")?.count == 1200)
        await fixture.end(keeper, task)
    }

    @Test func `a cancelled campaign closes all that is queued`() async throws {
        try await fixture.plan(campaign(1200))
        let id = try #require(JobID("c"))
        let control = try #require(JobID("k"))
        guard case .control(let job) = try fixture.job(JobText.control("k", "cancel", campaign: "c")) else { return }
        try await fixture.ledger.begin(
            job: .control(job), sha256: "k", receipt: "k", claim: "k", now: fixture.clock.wall)
        let result = try await fixture.ledger.control(
            campaign: id, action: .cancel, because: "a test", by: control, now: fixture.clock.wall)
        #expect(result == .success(.cancelled))
        await fixture.writeReceipts()
        #expect(try receipt().state == "cancelled")
        #expect(try receipt().count("cancelled") == 1200)
        await fixture.send(fixture.relay(), seconds: 10)
        #expect(fixture.auditor.dots.isEmpty)
    }

    @Test func `a paused campaign says why`() async throws {
        let number = try await fixture.plan(campaign()).number
        _ = try await fixture.ledger.pause(campaign: number, because: "the relay refuses the sender")
        await fixture.writeReceipts()
        #expect(try receipt().state == "paused")
        #expect(try receipt().pausedBecause == "the relay refuses the sender")
    }

    @Test func `a held campaign says what it waits for`() async throws {
        try await fixture.plan(campaign(extra: ["test": ["to": ["editor@library.example"], "approval": true]]))
        await fixture.writeReceipts()
        #expect(try receipt().state == "held")
        #expect(try receipt().pausedBecause == "it waits for approval after the test mail")
    }

    @Test func `duplicates and invalid rows stand in the table behind the recipients`() async throws {
        let json = JobText.campaign("c", to: [.list("list.csv")], basis: "service")
        try await fixture.plan(json, files: ["list.csv": "email\na@people.example\nnobody\nA@people.example\n"])
        await fixture.send(fixture.relay(), seconds: 10)
        await fixture.writeReceipts()
        let rows = try #require(try fixture.producer().recipients("c"))
        #expect(rows.first?["state"] == "sent")
        #expect(Set(rows.dropFirst().compactMap { $0["address"] }) == ["nobody", "A@people.example"])
        #expect(Set(rows.dropFirst().compactMap { $0["reason"] }) == ["invalidAddress", "duplicate"])
        #expect(try receipt().count("recipients") == rows.count)
    }

    @Test func `a receipt that was removed is written again at the next start`() async throws {
        try await fixture.plan(campaign())
        await fixture.writeReceipts()
        try FileManager.default.removeItem(atPath: fixture.configuration.spoolDirectory + "/receipts/c")
        await fixture.writeReceipts()
        #expect(try receipt().state == "running")
    }

    @Test func `a relay that is not configured any more is a warning`() async throws {
        try await fixture.plan(campaign())
        var configuration = fixture.configuration
        configuration.relays = ["other": configuration.relays["default"]].compactMapValues(\.self)
        fixture.context.settings.replace(by: configuration)
        await fixture.writeReceipts()
        #expect(
            try receipt().warnings == [
                "the relay “default” is not configured any more: what waits for it is not sent; give it to another "
                    + "one by a control job with “reroute”"
            ])
    }
}

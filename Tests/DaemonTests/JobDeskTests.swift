import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// A person ends a doubt.
@Suite(.timeLimit(.minutes(5)))
struct JobDeskTests {
    private let fixture: DaemonFixture
    private let producer: TestSupport.SpoolDirectory

    init() throws {
        fixture = try DaemonFixture()
        producer = try fixture.producer()
    }

    private let first = "reader1@people.example"
    private let second = "reader2@people.example"

    /// A campaign to three that is over but for the doubt about the first two.
    private func doubt(extra: [String: JSONValue] = [:], seconds: Double = 10) async throws -> Int64 {
        let recipients = (1...3).map { JobText.Recipients.address("reader\($0)@people.example") }
        let number = try await fixture.plan(JobText.campaign("c", to: recipients, basis: "service", extra: extra))
            .number
        let relay = fixture.relay()
        for address in [first, second] { relay.answer(address, .silent) }
        await fixture.send(relay, seconds: seconds)
        await fixture.writeReceipts()
        return number
    }

    private func receipt(_ name: String) throws -> JobReceipt { try #require(try producer.receipt(name)) }

    private func settle(
        _ id: String = "k", as settlement: String, address: String? = nil, campaign: String = "c"
    ) async throws -> JobReceipt {
        var extra: [String: JSONValue] = ["as": .string(settlement)]
        extra["address"] = address.map { .string($0) }
        let json = JobText.control(id, "settle", campaign: campaign, reason: "the relay's log", extra: extra)
        try producer.dropFile(id, json: json)
        try await fixture.serve()
        return try receipt(id)
    }

    private func row(_ address: String) throws -> [String: String] {
        let rows = try #require(try producer.recipients("c"))
        return try #require(rows.first { $0["address"] == address })
    }

    /// The campaign's receipt as it is when the control job is answered; nobody but the job writes it meanwhile.
    private func receiptAtAnswer(to id: String, _ action: String, _ extra: [String: JSONValue] = [:]) async throws
        -> JobReceipt
    {
        try producer.dropFile(
            id, json: JobText.control(id, action, campaign: "c", reason: "the relay's log", extra: extra))
        var found: JobReceipt?
        try await fixture.serve { _ in
            let isAnswered = try await eventually(timeout: .seconds(20)) { try producer.receipt(id) != nil }
            #expect(isAnswered, "\(fixture.log.messages)")
            found = try producer.receipt("c")
        }
        #expect(try receipt(id).state == "finished")
        return try #require(found)
    }

    @Test func `who finds the answer to a pause finds the campaign's receipt as it is after it`() async throws {
        try await fixture.plan(JobText.campaign("c", to: [.address(first)], basis: "service"))
        await fixture.writeReceipts()
        #expect(try await receiptAtAnswer(to: "k", "pause").state == "paused")
    }

    @Test func `who finds the answer to a settlement finds the campaign's receipt and table as they are after it`()
        async throws
    {
        _ = try await doubt()
        let sent = try await receiptAtAnswer(to: "k1", "settle", ["as": "sent", "address": .string(first)])
        #expect((sent.state, sent.count("sent"), sent.count("uncertain")) == ("finished", 2, 1))
        #expect(try row(first)["state"] == "sent")
        let again = try await receiptAtAnswer(to: "k2", "settle", ["as": "resend"])
        #expect((again.state, again.count("queued")) == ("running", 1))
    }

    @Test func `settled as sent, the campaign is told anew, and nothing leaves`() async throws {
        let number = try await doubt()
        #expect(try receipt("c").count("uncertain") == 2)
        #expect(try row(first)["state"] == "uncertain")
        let done = try await settle(as: "sent")
        #expect(done.state == "finished")
        #expect(done.json["registered"]?.integers == ["settled": 2])
        #expect(try receipt("c").state == "finished")
        #expect(try receipt("c").count("sent") == 3)
        #expect(try receipt("c").count("uncertain") == 0)
        let settled = try row(first)
        #expect(settled["state"] == "sent")
        #expect(settled["reason"] == "settled as sent (person): the relay's log")
        #expect(settled["sentAt"]?.isEmpty == false)
        #expect(try await fixture.summary(number).isReported)
        await fixture.send(fixture.relay(), seconds: 1000)
        #expect(fixture.auditor.recipients.count == 3)
    }

    @Test func `settled to be sent again, a finished campaign goes on, and the message is the same`() async throws {
        let number = try await doubt()
        #expect(try receipt("c").state == "finished")
        #expect(try await settle(as: "resend").json["registered"]?.integers == ["settled": 2])
        #expect(try receipt("c").state == "running")
        #expect(try receipt("c").count("queued") == 2)
        for address in [first, second] { fixture.auditor.pardon(address) }
        await fixture.send(fixture.relay(), seconds: 10)
        await fixture.writeReceipts()
        #expect(try receipt("c").state == "finished")
        #expect(try receipt("c").count("sent") == 3)
        #expect(try row(first)["state"] == "sent")
        #expect(try row(first)["reason"]?.isEmpty == true)
        #expect(try await fixture.summary(number).isReported)
        #expect(fixture.auditor.dots.count == 5)
        #expect(Set(fixture.auditor.dots.map(\.messageID)).count == 3)
    }

    @Test func `a second doubt about the same message is settled like the first`() async throws {
        _ = try await doubt()
        _ = try await settle("k1", as: "resend", address: first)
        fixture.auditor.pardon(first)
        let relay = fixture.relay()
        relay.answer(first, .silent)
        await fixture.send(relay, seconds: 10)
        await fixture.writeReceipts()
        #expect(try row(first)["state"] == "uncertain")
        #expect(try await settle("k2", as: "sent", address: first).state == "finished")
        #expect(try row(first)["state"] == "sent")
        #expect(fixture.auditor.dots.count == 4)
    }

    @Test func `one recipient is settled, and the doubt about the other stays`() async throws {
        _ = try await doubt()
        #expect(try await settle(as: "sent", address: "Reader2@People.example").state == "finished")
        #expect(try row(first)["state"] == "uncertain")
        #expect(try row(second)["state"] == "sent")
        #expect(try receipt("c").count("uncertain") == 1)
    }

    @Test func `the journal names what was settled, by whom and as what`() async throws {
        _ = try await doubt()
        _ = try await settle(as: "sent", address: first)
        let line = try #require(
            fixture.log.lines.first { $0.metadata["MESSAGE_ID"] == DaemonJournal.Event.settled.rawValue })
        #expect(line.metadata["CAMPAIGN"] == "c")
        #expect(line.metadata["SETTLED_AS"] == "sent")
        #expect(line.metadata["EVIDENCE"] == "person")
        #expect(line.message.contains("the relay's log"))
        #expect(!line.message.contains(first) && line.metadata["RECIPIENT"]?.hasPrefix("recipient-") == true)
    }

    @Test(arguments: ["sent", "resend"])
    func `somebody about whom there is no doubt cannot be settled`(settlement: String) async throws {
        let number = try await doubt()
        for (id, address) in [("k1", "reader3@people.example"), ("k2", "nobody@people.example")] {
            let refused = try await settle(id, as: settlement, address: address)
            #expect(refused.state == "rejected")
            #expect(refused.errors.map(\.pointer) == ["/address"])
            #expect(refused.errors.map(\.file) == ["\(id).json"])
            #expect(refused.errors.map(\.message) == ["no delivery to \(address) is uncertain in this campaign"])
        }
        #expect(try await fixture.summary(number).counts.uncertain == 2)
    }

    @Test func `a campaign without doubt has nothing to settle, and one that is not there neither`() async throws {
        try await fixture.plan(JobText.campaign("c", to: [.address(first)], basis: "service"))
        let nothing = try await settle("k1", as: "sent")
        #expect(nothing.errors.map(\.pointer) == ["/campaign"])
        #expect(nothing.errors.map(\.message) == ["no delivery of this campaign is uncertain"])
        let unknown = try await settle("k2", as: "resend", campaign: "d")
        #expect(unknown.errors.map(\.pointer) == ["/campaign"])
        #expect(unknown.errors.first?.message.hasPrefix("there is no campaign “d”") == true)
        await fixture.send(fixture.relay(), seconds: 10)
        #expect(fixture.auditor.recipients == [first])
    }

    @Test func `of a cancelled campaign nothing is sent again; that it was sent can be said`() async throws {
        let number = try await doubt(seconds: 1.5)
        try producer.dropFile("stop", json: JobText.control("stop", "cancel", campaign: "c"))
        try await fixture.serve()
        #expect(try receipt("c").state == "cancelled")
        let refused = try await settle("k1", as: "resend")
        #expect(refused.errors.map(\.pointer) == ["/as"])
        #expect(
            refused.errors.map(\.message) == [
                "the campaign is cancelled, so nothing of it is sent any more; “as”: “sent” is possible"
            ])
        #expect(try await settle("k2", as: "sent").json["registered"]?.integers == ["settled": 2])
        #expect(try receipt("c").state == "cancelled")
        #expect(try receipt("c").count("sent") == 2)
        #expect(try receipt("c").count("cancelled") == 1)
        #expect(try row(first)["state"] == "sent")
        await fixture.send(fixture.relay(), seconds: 100)
        #expect(fixture.auditor.dots.count == 2)
        #expect(try await fixture.summary(number).state == .cancelled)
    }

    @Test func `of an expired campaign nothing is sent again, nor of one that finished when its time was over`()
        async throws
    {
        _ = try await doubt(extra: ["expires": "2025-06-02T10:00:00Z"], seconds: 1.5)
        await fixture.clock.run(seconds: 3600)
        await fixture.writeReceipts()
        #expect(try receipt("c").state == "expired")
        let refused = try await settle("k1", as: "resend")
        #expect(refused.errors.map(\.pointer) == ["/as"])
        #expect(refused.errors.first?.message.hasPrefix("the campaign is expired, so nothing of it") == true)
        #expect(try await settle("k2", as: "sent").state == "finished")
        #expect(try receipt("c").state == "expired")
    }

    @Test func `what finished in time is not sent again when its time is over`() async throws {
        _ = try await doubt(extra: ["expires": "2025-06-02T10:00:00Z"])
        #expect(try receipt("c").state == "finished")
        await fixture.clock.run(seconds: 3600)
        let refused = try await settle(as: "resend")
        #expect(refused.errors.map(\.pointer) == ["/as"])
        #expect(
            refused.errors.first?.message
                == "the time of the campaign (“expires”) is over, so nothing of it is sent any more")
        #expect(try receipt("c").state == "finished")
    }

    @Test func `of a paused campaign the message waits until it is resumed`() async throws {
        let number = try await doubt(seconds: 1.5)
        _ = try await fixture.ledger.pause(campaign: number, because: "a test")
        #expect(try await settle("k1", as: "resend", address: first).state == "finished")
        await fixture.send(fixture.relay(), seconds: 100)
        #expect(fixture.auditor.dots.count == 2)
        try producer.dropFile("go", json: JobText.control("go", "resume", campaign: "c"))
        try await fixture.serve()
        fixture.auditor.pardon(first)
        await fixture.send(fixture.relay(), seconds: 100)
        #expect(fixture.auditor.recipients.sorted() == [first, first, second, "reader3@people.example"])
    }

    @Test func `the same settlement dropped twice settles once`() async throws {
        _ = try await doubt()
        _ = try await settle(as: "resend", address: first)
        fixture.auditor.pardon(first)
        let relay = fixture.relay()
        relay.answer(first, .silent)
        await fixture.send(relay, seconds: 10)
        #expect(try await settle(as: "resend", address: first).repeats == 1)
        await fixture.send(fixture.relay(), seconds: 100)
        #expect(fixture.auditor.dots.count == 4)
        #expect(try row(first)["state"] == "uncertain")
    }

    @Test func `to send again is not to send against a withdrawal`() async throws {
        try await fixture.accept(first)
        let number = try await fixture.plan(JobText.campaign("c", to: [.address(first)])).number
        let relay = fixture.relay()
        relay.answer(first, .silent)
        await fixture.send(relay, seconds: 10)
        try await fixture.withdraw(first)
        _ = try await settle(as: "resend")
        await fixture.send(fixture.relay(), seconds: 10)
        #expect(fixture.auditor.dots.count == 1)
        #expect(try await fixture.states(number) == [first: "withheld"])
    }
}

import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// Control jobs that give what waits for a relay to another one.
@Suite(.timeLimit(.minutes(5)))
struct JobDeskRouteTests {
    private let fixture: DaemonFixture

    init() throws { fixture = try DaemonFixture(relays: ["dead": 3000, "alive": 3000, "other": 3000]) }

    private func plan() async throws -> Int64 {
        let people = (1...4).map { JobText.Recipients.address("reader\($0)@people.example") }
        return try await fixture.plan(
            JobText.campaign("c", to: people, basis: "service", extra: ["relays": ["dead", "alive"]])
        ).number
    }

    private func drop(_ id: String, from: String = "dead", to: String = "alive", campaign: String = "c") async throws
        -> JobReceipt
    {
        let job = JobText.control(
            id, "reroute", campaign: campaign, extra: ["from": .string(from), "to": .string(to)])
        try fixture.producer().dropFile(id, json: job)
        try await fixture.serve()
        return try #require(try fixture.producer().receipt(id))
    }

    private func change(_ change: (inout Configuration) -> Void) {
        var configuration = fixture.configuration
        change(&configuration)
        fixture.context.settings.replace(by: configuration)
    }

    private func messages(_ receipt: JobReceipt) -> [String] {
        receipt.json["errors"]?.array?.compactMap { $0["message"]?.string } ?? []
    }

    @Test func `what waits for a relay that is gone leaves by another one`() async throws {
        let number = try await plan()
        change { $0.relays["dead"] = nil }
        await fixture.writeReceipts()
        let before = try #require(try fixture.producer().receipt("c"))
        let warning = before.json["warnings"]?.array?.first?.string ?? ""
        #expect(warning.contains("“dead” is not configured any more") && warning.contains("reroute"))
        let receipt = try await drop("k")
        #expect(receipt.state == "finished")
        #expect(receipt.json["registered"]?["rerouted"]?.integer == 2)
        await fixture.send(fixture.relay("alive"), seconds: 10)
        #expect(fixture.auditor.recipients.sorted() == (1...4).map { "reader\($0)@people.example" })
        #expect(try await fixture.summary(number).counts.sent == 4)
        await fixture.writeReceipts()
        let after = try #require(try fixture.producer().receipt("c"))
        #expect(after.state == "finished")
        #expect(after.json["warnings"]?.array?.isEmpty == true)
        let told = fixture.log.messages.first { $0.contains("go by relay alive now instead of dead") }
        #expect(told?.hasPrefix("2 messages of campaign c") == true)
    }

    @Test func `who finds the answer finds the campaign's receipt as it is after it`() async throws {
        _ = try await plan()
        change { $0.relays["dead"] = nil }
        await fixture.writeReceipts()
        let producer = try fixture.producer()
        #expect(try producer.receipt("c")?.json["warnings"]?.array?.count == 1)
        let job = JobText.control("k", "reroute", campaign: "c", extra: ["from": "dead", "to": "alive"])
        try producer.dropFile("k", json: job)
        try await fixture.serve { _ in
            let isAnswered = try await eventually(timeout: .seconds(20)) { try producer.receipt("k") != nil }
            #expect(isAnswered, "\(fixture.log.messages)")
            #expect(try producer.receipt("c")?.json["warnings"]?.array == [])
        }
    }

    @Test func `the lane that gets the messages is woken, since without work it sleeps long`() async throws {
        _ = try await plan()
        let job = JobText.control("k", "reroute", campaign: "c", extra: ["from": "dead", "to": "alive"])
        try fixture.producer().dropFile("k", json: job)
        let woken = StopFlag()
        try await fixture.serve(wakeLanes: { woken.set() })
        #expect(try fixture.producer().receipt("k")?.state == "finished")
        #expect(woken.isSet)
    }

    @Test func `to a relay that is not there, or may not carry the sender, nothing moves`() async throws {
        let number = try await plan()
        let unknown = try await drop("k1", to: "nowhere")
        #expect(unknown.state == "rejected")
        #expect(messages(unknown) == ["there is no relay “nowhere” in the configuration"])
        change { $0.relays["other"]?.senders = [AddressPattern(domain: "other.example")] }
        let foreign = try await drop("k2", to: "other")
        #expect(messages(foreign).first?.contains("does not carry mail from news@library.example") == true)
        #expect(try await fixture.summary(number).waitingRelays == ["dead", "alive"])
    }

    @Test func `a job that finds nothing to do is rejected with its place`() async throws {
        _ = try await plan()
        let nothing = try await drop("k1", from: "other")
        #expect(nothing.state == "rejected")
        #expect(nothing.json["errors"]?.array?.first?["pointer"]?.string == "/from")
        let unknown = try await drop("k2", campaign: "nobody")
        #expect(messages(unknown).first?.contains("there is no campaign “nobody”") == true)
    }

    @Test func `a lane that had taken a message up leaves it to the other relay`() async throws {
        _ = try await plan()
        let relay = fixture.relay("dead")
        let route = ControlJob.Route(from: "dead", to: "alive")
        let (campaign, control) = (try #require(JobID("c")), try #require(JobID("k")))
        relay.afterArming { _ in
            do { _ = try await fixture.ledger.reroute(campaign: campaign, route, by: control) } catch {
                Issue.record(error)
            }
        }
        await fixture.send(relay, seconds: 10)
        #expect(fixture.auditor.dots.isEmpty)
        await fixture.send(fixture.relay("alive"), seconds: 10)
        #expect(fixture.auditor.dots.count == 4)
    }
}

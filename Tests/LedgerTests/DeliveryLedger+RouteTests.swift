import Mailing
import Testing

@testable import Ledger

/// Giving what waits for one relay to another one.
@Suite struct DeliveryLedgerRouteTests {
    private static let people = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"]

    private func ledger(state: CampaignState = .running) async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.register(Self.people)
        try await ledger.campaign(
            to: Self.people, { $0.relays = ["dead"] }, tests: ["editor@example.org"], relay: "dead", state: state)
        return ledger
    }

    private func reroute(
        _ ledger: LedgerFixture, from: String = "dead", to: String = "default", campaign: String = "mailing",
        by control: String = "k"
    ) async throws -> Result<Rerouted, RerouteRefusal>? {
        let route = ControlJob.Route(from: from, to: to)
        let job = ControlJob(
            id: try jobID(control), campaign: try jobID(campaign), action: .reroute, reason: nil, route: route)
        try await ledger.ledger.begin(
            job: .control(job), sha256: "00", receipt: control, claim: "claim-\(control)", now: LedgerFixture.now)
        return try await ledger.ledger.reroute(campaign: job.campaign, route, by: job.id)
    }

    private func relays(_ ledger: LedgerFixture) throws -> [String] {
        try (Self.people + ["editor@example.org"]).map { person in
            let delivery = try ledger.delivery(person)
            return try #require(try ledger.text("SELECT relay FROM deliveries WHERE id = \(delivery)"))
        }
    }

    @Test func `what is queued moves, with the test mail, and what was handed over stays`() async throws {
        let ledger = try await ledger()
        let doubt = try await ledger.doubt("a@example.org")
        #expect(try await ledger.intend(try ledger.delivery("b@example.org"), relays: ["dead"]) == .handOver)
        let sent = try ledger.delivery("c@example.org")
        #expect(try await ledger.intend(sent, relays: ["dead"]) == .handOver)
        try await ledger.conclude(sent, .sent)
        let result = try await reroute(ledger)
        #expect(result == .success(Rerouted(campaign: 1, moved: 2, uncertain: 1, inFlight: 1)))
        #expect(try relays(ledger) == ["dead", "dead", "dead", "default", "default"])
        #expect(try ledger.state(doubt) == "uncertain")
        let tally = "SELECT sum(count) FROM relay_tallies WHERE state = 'queued' AND relay ="
        #expect(try ledger.count("\(tally) 'default'") == 2)
        #expect(try ledger.count("\(tally) 'dead'") == 0)
        let job = try #require(try await ledger.ledger.job(try jobID("k")))
        #expect(job.isFinished)
        #expect(job.registered == ["rerouted": 2, "uncertain": 1, "inFlight": 1])
        let summary = try #require(try await ledger.ledger.summary(campaign: 1))
        #expect(summary.relays == ["dead", "default"])
        #expect(summary.waitingRelays == ["default"])
    }

    @Test func `many move piece by piece, and the last piece ends the control job`() async throws {
        let ledger = try await ledger()
        let route = ControlJob.Route(from: "dead", to: "default")
        let job = ControlJob(
            id: try jobID("k"), campaign: try jobID("mailing"), action: .reroute, reason: nil, route: route)
        try await ledger.ledger.begin(
            job: .control(job), sha256: "00", receipt: "k", claim: "claim-k", now: LedgerFixture.now)
        var moved = 0
        for (total, isDone) in [(2, false), (4, false), (5, true)] {
            let piece = try await ledger.ledger.reroute(
                campaign: job.campaign, route, by: job.id, moved: moved, limit: 2)?.get()
            #expect(piece?.moved == total)
            #expect(piece?.isDone == isDone)
            #expect(try await ledger.ledger.job(job.id)?.isFinished == isDone)
            moved = total
        }
        #expect(try await ledger.ledger.job(job.id)?.registered == ["rerouted": 5])
        #expect(Set(try relays(ledger)) == ["default"])
    }

    @Test func `what moved is due at the other relay, and no more at the old one`() async throws {
        let ledger = try await ledger()
        let taken = try #require(try await ledger.due(relay: "dead"))
        _ = try await reroute(ledger)
        #expect(try await ledger.due(relay: "dead") == nil)
        #expect(try await ledger.due(relay: "default")?.id == taken.id)
        // The old relay had taken it up, all but the dot.
        var request = ledger.request(taken.id, relays: ["dead"])
        request.relay = "dead"
        #expect(try await ledger.ledger.intend(request).decision == .leave)
        request.relay = "default"
        #expect(try await ledger.ledger.intend(request).decision == .handOver)
    }

    @Test func `what was deferred moves too, and waits as long as before`() async throws {
        let ledger = try await ledger()
        let first = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(first, relays: ["dead"], keySeconds: 7200) == .handOver)
        try await ledger.conclude(first, .deferred(isGreylisting: false))
        _ = try await reroute(ledger)
        let notBefore = Int(LedgerFixture.now.adding(seconds: 1800).milliseconds)
        #expect(
            try ledger.count(
                "SELECT count(*) FROM deliveries WHERE relay = 'default' AND attempts = 1 AND not_before = \(notBefore)"
            )
                == 1)
        // The key of the old relay is not known at the new one: its time begins anew.
        let later = LedgerFixture.now.adding(seconds: 3600)
        var request = ledger.request(first, at: later, keySeconds: 7200)
        request.keyScope = "X-Key smtp://other.example"
        #expect(try await ledger.ledger.intend(request).decision == .handOver)
        let end = later.adding(seconds: 7200).milliseconds
        #expect(try ledger.count("SELECT key_until FROM deliveries WHERE id = \(first)") == Int(end))
        #expect(
            try ledger.text("SELECT key_scope FROM deliveries WHERE id = \(first)") == "X-Key smtp://other.example")
    }

    @Test(arguments: [CampaignState.held, .scheduled, .paused])
    func `a campaign that does not run yet is rerouted too`(state: CampaignState) async throws {
        let ledger = try await ledger(state: state)
        #expect(try await reroute(ledger) == .success(Rerouted(campaign: 1, moved: 5, uncertain: 0, inFlight: 0)))
        #expect(try await ledger.ledger.summary(campaign: 1)?.state == state)
    }

    @Test func `other campaigns stay where they are`() async throws {
        let ledger = try await ledger()
        try await ledger.campaign("other", to: ["a@example.org"], relay: "dead")
        _ = try await reroute(ledger)
        #expect(try ledger.count("SELECT count(*) FROM deliveries WHERE relay = 'dead'") == 1)
    }

    @Test func `where nothing waits nothing is done, and doubt is counted`() async throws {
        let ledger = try await ledger()
        #expect(
            try await reroute(ledger, from: "alive") == .failure(.nothingWaits(relay: "alive", uncertain: 0)))
        for person in Self.people { _ = try await ledger.doubt(person) }
        #expect(
            try await ledger.intend(try ledger.delivery("editor@example.org"), relays: ["dead"]) == .handOver)
        #expect(
            try await reroute(ledger, by: "k2") == .failure(.nothingWaits(relay: "dead", uncertain: 4)))
        let job = try #require(try await ledger.ledger.job(try jobID("k2")))
        #expect(!job.isFinished)
        #expect(try await reroute(ledger, campaign: "nobody", by: "k3") == nil)
    }

    @Test func `what has ended is not rerouted`() async throws {
        let ledger = try await ledger()
        try ledger.execute("UPDATE campaigns SET state = 'cancelled'")
        #expect(try await reroute(ledger) == .failure(.ended(.cancelled)))
        #expect(Set(try relays(ledger)) == ["dead"])
    }

    @Test(arguments: ["inFlight", "uncertain", "sent"])
    func `the schema lets nothing change its relay that was handed over`(state: String) async throws {
        let ledger = try await ledger()
        let delivery = try ledger.delivery("a@example.org")
        #expect(try await ledger.intend(delivery, relays: ["dead"]) == .handOver)
        if state != "inFlight" { try await ledger.conclude(delivery, state == "sent" ? .sent : .uncertain) }
        let refusal = try ledger.refusal("UPDATE deliveries SET relay = 'default' WHERE id = \(delivery)")
        #expect(refusal == "what was handed over stays with its relay")
        #expect(
            try ledger.refusal("UPDATE deliveries SET relay = 'default' WHERE state = 'queued'") == nil)
    }
}

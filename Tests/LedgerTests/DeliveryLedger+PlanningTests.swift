import Mailing
import Testing

@testable import Ledger

@Suite struct DeliveryLedgerPlanningTests {
    @Test func `each recipient is queued or withheld for its reason, and the receipt counts them`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["yes@example.org", "dead@example.org"])
        try await ledger.register(["no@example.org"], answer: .refused)
        try await ledger.register(["nobody-asked@example.org"], answer: nil)
        try await ledger.record(.requested, "asked@example.org", by: .system)
        try await ledger.suppress("dead@example.org")
        let campaign = try await ledger.campaign(to: [
            "yes@example.org", "no@example.org", "nobody-asked@example.org", "asked@example.org", "dead@example.org",
            "stranger@example.org",
        ])
        #expect(
            try ledger.states(campaign) == [
                "yes@example.org queued", "no@example.org withheld refused",
                "nobody-asked@example.org withheld notAsked", "asked@example.org withheld awaiting",
                "dead@example.org withheld suppressed", "stranger@example.org withheld external",
            ])
        let summary = try #require(try await ledger.ledger.summary(campaign: campaign))
        #expect(summary.counts.recipients == 6)
        #expect(summary.counts.queued == 1)
        #expect(summary.withheld == ["refused": 1, "notAsked": 1, "awaiting": 1, "suppressed": 1, "external": 1])
        #expect(summary.consent == ["accepted": 2, "refused": 1, "notAsked": 1, "awaiting": 1, "external": 1])
    }

    @Test func `on a service basis only suppression withholds, and no consent is claimed as its ground`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["no@example.org"], answer: .refused)
        try await ledger.suppress("dead@example.org")
        let campaign = try await ledger.campaign(to: ["no@example.org", "stranger@example.org", "dead@example.org"]) {
            $0.basis = .service
        }
        #expect(
            try ledger.states(campaign) == [
                "no@example.org queued", "stranger@example.org queued", "dead@example.org withheld suppressed",
            ])
        #expect(try ledger.count("SELECT count(*) FROM deliveries WHERE consent_event IS NOT NULL") == 0)
    }

    @Test func `a request for consent goes to those who were never asked or not lately`() async throws {
        let ledger = try LedgerFixture()
        let now = LedgerFixture.now
        try await ledger.register(["never@example.org"], answer: nil)
        try await ledger.register(["yes@example.org"])
        try await ledger.register(["no@example.org"], answer: .refused)
        try await ledger.record(.requested, "lately@example.org", by: .system, at: now.adding(seconds: -86_400))
        try await ledger.record(.requested, "long-ago@example.org", by: .system, at: now.adding(seconds: -400 * 86_400))
        let campaign = try await ledger.campaign(to: [
            "never@example.org", "yes@example.org", "no@example.org", "lately@example.org", "long-ago@example.org",
            "stranger@example.org",
        ]) { $0.basis = .consentRequest }
        #expect(
            try ledger.states(campaign) == [
                "never@example.org queued", "yes@example.org withheld refused", "no@example.org withheld refused",
                "lately@example.org withheld awaiting", "long-ago@example.org queued",
                "stranger@example.org withheld external",
            ])
    }

    @Test(arguments: [
        ("jan@example.org", "JAN@Example.ORG"), ("caf\u{E9}@example.org", "cafe\u{301}@example.org"),
        ("a@b\u{FC}cher.example", "a@xn--bcher-kva.example"), ("\u{C9}@example.org", "e\u{301}@example.org"),
    ])
    func `two spellings of an address are one person, and the second is set aside`(
        first: String, second: String
    ) async throws {
        let ledger = try LedgerFixture()
        try await ledger.register([first])
        let campaign = try await ledger.campaign(to: [first, second])
        #expect(try ledger.states(campaign).count == 1)
        let aside = try await ledger.ledger.setAsideRecords(campaign: campaign, after: 0, limit: 10).records
        #expect(aside.map(\.reason) == ["duplicate"])
        #expect(aside.map(\.reply) == ["list.csv, line 3"])
        #expect(try await ledger.ledger.summary(campaign: campaign)?.withheld == ["duplicate": 1])
    }

    @Test func `a tag behind a plus makes another person`() async throws {
        let ledger = try LedgerFixture()
        let campaign = try await ledger.campaign(to: ["jan@example.org", "jan+news@example.org"])
        #expect(try ledger.states(campaign).count == 2)
    }

    @Test func `a recipient without a value for a variable is withheld, unless the contact has it`() async throws {
        let ledger = try LedgerFixture()
        let now = LedgerFixture.now
        let known = ContactEntry(
            address: try address("known@example.org"), name: "Jan", language: nil, number: nil,
            attributes: ["branch": "Gieten"], answer: .imported)
        let proof = ConsentProof(
            purpose: "newsletter", source: "form", text: nil, at: now, by: .import, job: try jobID("import"))
        _ = try await ledger.ledger.register([known], group: nil, proof: proof, now: now)
        try await ledger.register(["unknown@example.org"])
        let plan = try ledger.plan("mailing")
        try await ledger.begin("mailing")
        let number = try await ledger.ledger.beginPlan(plan)
        let recipients = try ["known@example.org", "unknown@example.org"].map {
            PlannedRecipient(address: try address($0), relay: "default", fields: [:], place: "list")
        }
        try await ledger.ledger.plan(
            recipients, campaign: number, plan: plan, isTest: false,
            isComplete: { $0["name"] != nil && $0["branch"] != nil })
        #expect(
            try ledger.states(number) == ["known@example.org queued", "unknown@example.org withheld missingField"])
    }

    @Test func `test recipients have rows of their own, ask no consent, and are in no count`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["editor@example.org"])
        try await ledger.suppress("gone@example.org")
        let campaign = try await ledger.campaign(
            to: ["editor@example.org"], tests: ["editor@example.org", "colleague@example.org", "gone@example.org"])
        #expect(try ledger.states(campaign) == ["editor@example.org queued"])
        #expect(
            try ledger.states(campaign, isTest: true) == [
                "editor@example.org queued", "colleague@example.org queued", "gone@example.org withheld suppressed",
            ])
        let summary = try #require(try await ledger.ledger.summary(campaign: campaign))
        #expect(summary.counts.recipients == 1)
        #expect(summary.withheld.isEmpty)
        #expect(try await ledger.ledger.recipientRecords(campaign: campaign, after: 0, limit: 9).records.count == 1)
    }

    @Test func `a plan that was not committed is thrown away when the job begins anew`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org", "b@example.org"])
        let plan = try ledger.plan("mailing")
        try await ledger.begin("mailing")
        let first = try await ledger.ledger.beginPlan(plan)
        try await ledger.add(["a@example.org", "b@example.org", "A@example.org"], to: first, plan)
        #expect(try await ledger.due() == nil)
        #expect(try await ledger.ledger.campaignNumber(of: plan.job) == nil)

        let second = try await ledger.ledger.beginPlan(plan)
        #expect(second > first)
        try await ledger.add(["b@example.org"], to: second, plan)
        try await ledger.ledger.commitPlan(
            campaign: second, job: plan.job, state: .running, because: nil, warnings: ["late"])
        #expect(try ledger.states(second) == ["b@example.org queued"])
        for table in ["deliveries", "set_asides", "tallies", "consent_tallies"] {
            #expect(try ledger.count("SELECT count(*) FROM \(table) WHERE campaign = \(first)") == 0, "\(table)")
        }
        let job = try #require(try await ledger.ledger.job(plan.job))
        #expect(job.isFinished)
        #expect(job.warnings == ["late"])
    }

    @Test func `a committed plan is neither added to, nor committed again, nor thrown away`() async throws {
        let ledger = try LedgerFixture()
        let campaign = try await ledger.campaign(to: ["a@example.org"])
        let plan = try ledger.plan("mailing")
        let before = try ledger.dump()
        await #expect(throws: LedgerError.self) { try await ledger.add(["b@example.org"], to: campaign, plan) }
        await #expect(throws: LedgerError.self) {
            try await ledger.ledger.setAside(
                [SetAside(address: "x", reason: .invalidAddress, place: "line 1")], campaign: campaign)
        }
        await #expect(throws: LedgerError.self) {
            try await ledger.ledger.commitPlan(
                campaign: campaign, job: plan.job, state: .running, because: nil, warnings: [])
        }
        await #expect(throws: LedgerError.self) { try await ledger.ledger.beginPlan(plan) }
        await #expect(throws: LedgerError.self) { try await ledger.ledger.forget(job: plan.job) }
        #expect(try ledger.dump() == before)
    }

    @Test func `a campaign equal to another one of the last days is recognised`() async throws {
        let ledger = try LedgerFixture()
        let now = LedgerFixture.now
        try await ledger.campaign("first", to: []) { $0.fingerprint = "same" }
        try await ledger.campaign("cancelled", to: []) { $0.fingerprint = "withdrawn" }
        _ = try await ledger.ledger.control(
            campaign: try jobID("cancelled"), action: .cancel, because: nil, by: try jobID("control"), now: now)
        let store = ledger.ledger
        let second = try jobID("second")
        let day = now.adding(seconds: -86_400)
        #expect(try await store.twin(fingerprint: "same", since: day, otherThan: second) == "first")
        #expect(try await store.twin(fingerprint: "same", since: day, otherThan: try jobID("first")) == nil)
        #expect(try await store.twin(fingerprint: "other", since: day, otherThan: second) == nil)
        #expect(try await store.twin(fingerprint: "withdrawn", since: day, otherThan: second) == nil)
        #expect(try await store.twin(fingerprint: "same", since: now.adding(seconds: 1), otherThan: second) == nil)
    }

    @Test func `the members of a group come in pages, each member once`() async throws {
        let ledger = try LedgerFixture()
        let people = (0..<25).map { "reader-\($0)@example.org" }
        try await ledger.register(people, group: "readers")
        try await ledger.register(people, group: "readers", job: "again")
        try await ledger.register(["other@example.org"], group: "others")
        var found: [String] = []
        var after: Int64 = 0
        while true {
            let page = try await ledger.ledger.members(ofGroup: "readers", after: after, limit: 10)
            found += page.map(\.address.text)
            guard page.count == 10, let last = page.last else { break }
            after = last.contact
        }
        #expect(found == people)
        #expect(try await ledger.ledger.groupExists("readers"))
        #expect(try await !ledger.ledger.groupExists("writers"))
        #expect(try await ledger.ledger.members(ofGroup: "writers", after: 0, limit: 10).isEmpty)
    }
}

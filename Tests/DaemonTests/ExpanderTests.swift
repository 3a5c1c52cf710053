import Ledger
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

struct ExpanderTests {
    private func addresses(_ numbers: ClosedRange<Int>) -> [String] { numbers.map { "reader\($0)@people.example" } }

    @Test func `lists, groups and addresses together are one row a person`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.accept("a@people.example", "b@people.example", "c@people.example")
        let members = try ["b@people.example", "d@people.example"].map {
            ContactEntry(
                address: try AddressText.read($0), name: nil, language: nil, number: nil, attributes: [:], answer: nil)
        }
        _ = try await fixture.ledger.register(members, group: "readers", proof: nil, now: fixture.clock.wall)
        let json = JobText.campaign("x", to: [.list("list.csv"), .group("readers"), .address("C@People.example")])
        let list = "email,name\na@people.example,Anna\nnobody,Bo\nstranger@people.example,\na@PEOPLE.example,Twice\n"
        let number = try await fixture.plan(json, files: ["list.csv": list]).number
        #expect(
            try await fixture.states(number) == [
                "a@people.example": "queued", "stranger@people.example": "withheld", "b@people.example": "queued",
                "d@people.example": "withheld", "C@people.example": "queued",
            ])
        let aside = try await fixture.ledger.setAsideRecords(campaign: number, after: 0, limit: 10).records
        let places = Dictionary(
            uniqueKeysWithValues: aside.map { ($0.reason ?? "", "\($0.address): \($0.reply ?? "")") })
        #expect(places["duplicate"] == "a@people.example: list.csv, line 5")
        #expect(places["invalidAddress"] == "nobody: list.csv, line 3: there is no @ in it")
        #expect(aside.count == 2)
        let summary = try await fixture.summary(number)
        #expect(summary.counts.recipients == 7, "five people, and the two rows that are none")
        #expect(summary.counts.queued == 3)
        #expect(summary.withheld == ["external": 1, "notAsked": 1, "duplicate": 1, "invalidAddress": 1])
        #expect(summary.consent == ["accepted": 3, "external": 1, "notAsked": 1])
    }

    @Test func `recipients are divided evenly among the relays`() async throws {
        let fixture = try DaemonFixture(relays: ["a": 3000, "b": 3000, "c": 3000])
        let recipients = addresses(1...10).map { JobText.Recipients.address($0) }
        let json = JobText.campaign("x", to: recipients, basis: "service", extra: ["relays": ["a", "b", "c"]])
        try await fixture.plan(json)
        for (relay, share) in [("a", 4), ("b", 3), ("c", 3)] {
            await fixture.send(fixture.relay(relay), seconds: 30)
            #expect(fixture.auditor.dots.count(where: { $0.relay == relay }) == share)
        }
        #expect(Set(fixture.auditor.recipients).count == 10)
    }

    @Test func `a mailing that was dropped under another id waits for approval`() async throws {
        let fixture = try DaemonFixture()
        let recipients = addresses(1...2).map { JobText.Recipients.address($0) }
        let first = try await fixture.plan(JobText.campaign("one", to: recipients, basis: "service"), fingerprint: "f")
        let second = try await fixture.plan(JobText.campaign("two", to: recipients, basis: "service"), fingerprint: "f")
        #expect(first.state == .running)
        #expect(second.state == .held)
        #expect(
            try await fixture.summary(second.number).because
                == "it is equal to campaign one in all but its id: approve it only if it shall be sent again")
        await fixture.send(fixture.relay(), seconds: 60)
        #expect(fixture.auditor.dots.count == 2)
    }

    @Test func `after seven days the same mailing is a new one`() async throws {
        let fixture = try DaemonFixture()
        let recipients = addresses(1...2).map { JobText.Recipients.address($0) }
        try await fixture.plan(JobText.campaign("one", to: recipients, basis: "service"), fingerprint: "f")
        fixture.clock.stepWall(seconds: Campaign.repeatWindow + 1)
        let later = try await fixture.plan(JobText.campaign("two", to: recipients, basis: "service"), fingerprint: "f")
        #expect(later.state == .running)
    }

    @Test func `a mailing with a test and approval waits, and only the test goes out`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign(
            "x", to: [.address("reader@people.example")], basis: "service",
            extra: ["test": ["to": ["editor@library.example"], "approval": true]])
        let planned = try await fixture.plan(json)
        #expect(planned.state == .held)
        await fixture.send(fixture.relay(), seconds: 60)
        #expect(fixture.auditor.recipients == ["editor@library.example"])
        #expect(try await fixture.summary(planned.number).counts.recipients == 1, "test mails are not counted")
    }

    @Test func `a refused sender also pauses a mailing of which only the test is due`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign(
            "x", to: [.address("reader@people.example")], basis: "service",
            extra: ["test": ["to": ["editor@library.example"]], "sendAfter": "2025-06-02T19:00:00Z"])
        let planned = try await fixture.plan(json)
        #expect(planned.state == .scheduled)
        let relay = fixture.relay()
        relay.answer("editor@library.example", .reply(.mail, 553, "5.7.1 Sender refused"))
        await fixture.send(relay, seconds: 60)
        #expect(try await fixture.summary(planned.number).state == .paused)
        #expect(fixture.auditor.dots.isEmpty)
    }

    @Test func `a mailing for later is scheduled, and not sent before`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign(
            "x", to: [.address("reader@people.example")], basis: "service",
            extra: ["sendAfter": "2025-06-02T09:01:00Z"])
        let planned = try await fixture.plan(json)
        #expect(planned.state == .scheduled)
        await fixture.send(fixture.relay(), seconds: 300)
        #expect(fixture.auditor.dots.isEmpty)
    }

    @Test func `an unknown group is refused at its place, and nothing of the plan counts`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign(
            "x", to: [.address("reader@people.example"), .group("nobody")], basis: "service")
        do {
            try await fixture.plan(json)
            Issue.record("an unknown group was accepted")
        } catch let refused as Expander.Refused {
            #expect(refused.errors.map(\.pointer) == ["/recipients/1/group"])
            #expect(refused.errors.map(\.message) == ["there is no group “nobody”: import its contacts first"])
        }
        await fixture.send(fixture.relay(), seconds: 60)
        #expect(fixture.auditor.dots.isEmpty)
    }

    @Test func `a recipient for whom the template finds no value is withheld`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign("x", to: [.list("list.csv")], basis: "service", subject: "For {{name}}")
        let list = "email,name\na@people.example,Anna\nb@people.example,\n"
        let number = try await fixture.plan(json, files: ["list.csv": list]).number
        #expect(try await fixture.states(number) == ["a@people.example": "queued", "b@people.example": "withheld"])
        #expect(try await fixture.summary(number).withheld == ["missingField": 1])
    }

    @Test func `a stop in the middle leaves no campaign, and the next plan begins anew`() async throws {
        let fixture = try DaemonFixture()
        let json = JobText.campaign("x", to: [.address("reader@people.example")], basis: "service")
        let prepared = try fixture.campaign(json)
        let id = prepared.campaign.id
        try await fixture.ledger.begin(
            job: .campaign(prepared.campaign), sha256: "s", receipt: "x", claim: "1", now: fixture.clock.wall)
        fixture.context.stopping.set()
        await #expect(throws: Expander.Stopped.self) {
            let expander = Expander(
                context: fixture.context, prepared: prepared, directory: fixture.context.spool.keptDirectory(of: id),
                fingerprint: "f", accepted: fixture.clock.wall)
            return try await expander.expand(warnings: [])
        }
        #expect(try await fixture.ledger.campaignNumber(of: id) == nil)
        #expect(try await fixture.ledger.job(id)?.isFinished == false)
    }

    @Test func `a mailing that would end after it expires says so`() async throws {
        let fixture = try DaemonFixture(relays: ["default": 100])
        let recipients = addresses(1...30).map { JobText.Recipients.address($0) }
        let json = JobText.campaign("x", to: recipients, basis: "service", extra: ["expires": "2025-06-02T09:10:00Z"])
        let number = try await fixture.plan(json).number
        let warnings = try await fixture.summary(number).job.warnings
        #expect(
            warnings == [
                "at this rate it would end at 2025-06-02T09:19:00Z, after it expires at 2025-06-02T09:10:00Z"
            ])
    }
}

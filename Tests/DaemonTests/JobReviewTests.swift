import Foundation
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

struct JobReviewTests {
    private let fixture: DaemonFixture

    init() throws {
        fixture = try DaemonFixture()
    }

    private func campaign(_ extra: [String: TestSupport.JSONValue] = [:], basis: String = "consent") -> String {
        JobText.campaign("c", to: [.address("reader@people.example")], basis: basis, extra: extra)
    }

    // MARK: Relays and senders

    @Test func `a relay that is not configured is refused`() throws {
        let errors = try fixture.review(campaign(["relays": ["default", "other"]])).errors
        #expect(errors.map(\.pointer) == ["/relays/1"])
        #expect(errors.first?.message == "there is no relay “other” in the configuration")
    }

    @Test func `a campaign without relays gets the default one, or the only one`() throws {
        #expect(try fixture.review(campaign()).errors == [])
        let onlyOne = try fixture.review(
            campaign(), change: { $0.relays = ["other": $0.relays["default"]].compactMapValues(\.self) })
        #expect(onlyOne.errors == [])
        let two = try fixture.review(
            campaign(),
            change: { configuration in
                let relay = configuration.relays["default"]
                configuration.relays = ["a": relay, "b": relay].compactMapValues(\.self)
            })
        #expect(two.errors.map(\.message) == ["there is no relay “default”: name one or more of a, b in “relays”"])
    }

    @Test func `a relay carries only the senders that it names`() throws {
        let errors = try fixture.review(campaign(["from": ["address": "news@elsewhere.example"]])).errors
        #expect(errors.map(\.pointer) == ["/from/address"])
        let anybody = try fixture.review(
            campaign(["from": ["address": "news@elsewhere.example"]]), change: { $0.relays["default"]?.senders = [] })
        #expect(anybody.errors == [])
    }

    // MARK: Test mail and time

    @Test func `test mail stays in the house unless the configuration names others`() throws {
        let test: [String: TestSupport.JSONValue] = ["test": ["to": ["editor@library.example", "me@people.example"]]]
        #expect(try fixture.review(campaign(test)).errors.map(\.pointer) == ["/test/to/1"])
        let configured = try fixture.review(
            campaign(test), change: { $0.testRecipients = [AddressPattern("*@people.example")].compactMap(\.self) })
        #expect(configured.errors.map(\.pointer) == ["/test/to/0"])
    }

    @Test func `a campaign that has expired already is refused`() throws {
        let errors = try fixture.review(campaign(["expires": .string(fixture.clock.wall.rfc3339)])).errors
        #expect(errors.map(\.pointer) == ["/expires"])
        let soon = fixture.clock.wall.adding(seconds: 1).rfc3339
        #expect(try fixture.review(campaign(["expires": .string(soon)])).errors == [])
    }

    @Test func `without an end a campaign lives for seven days from its beginning`() throws {
        guard case .campaign(var campaign) = try fixture.job(campaign()) else { return }
        let now = fixture.clock.wall
        #expect(JobReview.expires(campaign, now: now) == now.adding(seconds: 7 * 86_400))
        campaign.sendAfter = now.adding(seconds: 3600)
        #expect(JobReview.expires(campaign, now: now) == now.adding(seconds: 7 * 86_400 + 3600))
        campaign.sendAfter = now.adding(seconds: -3600)
        #expect(JobReview.expires(campaign, now: now) == now.adding(seconds: 7 * 86_400))
    }

    // MARK: Files

    @Test func `files that are named and missing are refused, each by its name`() throws {
        let json = JobText.campaign(
            "c", to: [.list("list.csv")], extra: ["textFile": "body.txt", "attachments": ["folder.pdf"]],
            without: ["text"])
        let errors = try fixture.review(json, files: ["body.txt": "Hello.\n"]).errors
        #expect(
            Set(errors.map(\.message)) == [
                "the bundle has no file “folder.pdf”; put it in, or take its name out",
                "the bundle has no file “list.csv”; put it in, or take its name out",
            ])
    }

    @Test func `an unknown preset is refused at its place`() throws {
        let json = JobText.campaign("c", to: [.list("list.csv", preset: "nowhere")])
        let errors = try fixture.review(json, files: ["list.csv": "email\na@people.example\n"]).errors
        #expect(errors.map(\.pointer) == ["/recipients/0/preset"])
    }

    @Test func `a list without a column of addresses is refused by its name`() throws {
        let json = JobText.campaign("c", to: [.list("list.csv")])
        let errors = try fixture.review(json, files: ["list.csv": "naam\nAnna\n"]).errors
        #expect(errors.map(\.file) == ["list.csv"])
    }

    @Test func `a consent column that the list lacks is refused, and the columns are named`() throws {
        let errors = try fixture.review(
            JobText.contacts("k"), files: ["list.csv": "email,Newsletter\na@people.example,J\n"]
        ).errors
        #expect(errors.map(\.pointer) == ["/consent/column"])
        #expect(errors.first?.message.hasSuffix("it has email, Newsletter") == true)
    }

    @Test func `a broken template is refused at its file and line`() throws {
        let json = JobText.campaign(
            "c", to: [.address("a@people.example")], extra: ["textFile": "body.txt"], without: ["text"])
        let errors = try fixture.review(json, files: ["body.txt": "Hello,\n\n{{#open}}\n"]).errors
        #expect(errors.first?.file == "body.txt")
        #expect(errors.first?.line == 3)
        let inline = try fixture.review(campaign(["subject": "Hello {{"])).errors
        #expect(inline.first?.pointer == "/subject")
    }

    @Test func `a body that is not UTF-8 is refused by its name`() throws {
        let json = JobText.campaign(
            "c", to: [.address("a@people.example")], extra: ["textFile": "body.txt"], without: ["text"])
        try fixture.producer().dropBundle("latin", json: json, files: ["body.txt": [0x48, 0xE9, 0x0A]])
        var hints = IncomingHints()
        let pending = try fixture.context.spool.pending(hints: &hints, now: fixture.clock.wall).drops
        guard case .claimed(let claim) = try fixture.context.spool.claim(try #require(pending.first)) else { return }
        var review = JobReview(
            configuration: fixture.configuration, inspection: try fixture.context.spool.inspect(claim),
            submitter: Account(uid: 0), ownUser: 0, now: fixture.clock.wall, file: "job.json")
        review.review(try fixture.job(json))
        #expect(review.errors.map(\.file) == ["body.txt"])
        #expect(review.errors.map(\.message) == ["a body must be UTF-8; save the file in that encoding"])
    }
}

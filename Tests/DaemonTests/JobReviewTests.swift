import Foundation
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

struct JobReviewTests {
    private static let stranger: UInt32 = 4711
    private let fixture: DaemonFixture

    init() throws {
        fixture = try DaemonFixture(lines: ["[consent]", "recipient_channels = [\"4712\"]"])
    }

    /// Drops a bundle, inspects it as the intake does and reviews it as if that user had dropped it.
    private func review(
        _ json: String, files: [String: String] = [:], owner: UInt32 = 0, ownUser: UInt32 = 4000,
        change: (inout Configuration) -> Void = { _ in }
    ) throws -> JobReview {
        try fixture.producer().dropBundle("drop", json: json, files: files.mapValues { Array($0.utf8) })
        var hints = IncomingHints()
        let pending = try fixture.context.spool.pending(hints: &hints, now: fixture.clock.wall).drops
        guard case .claimed(let claim) = try fixture.context.spool.claim(try #require(pending.first)) else {
            throw TestSupportError("the drop could not be claimed")
        }
        var inspection = try fixture.context.spool.inspect(claim)
        try #require(inspection.errors.isEmpty, "\(inspection.errors)")
        inspection.owner = owner
        var configuration = fixture.configuration
        change(&configuration)
        var review = JobReview(
            configuration: configuration, inspection: inspection, ownUser: ownUser, now: fixture.clock.wall,
            file: "job.json")
        review.review(try fixture.job(json))
        return review
    }

    private func campaign(_ extra: [String: TestSupport.JSONValue] = [:], basis: String = "consent") -> String {
        JobText.campaign("c", to: [.address("reader@people.example")], basis: basis, extra: extra)
    }

    // MARK: Who may do what

    @Test(arguments: [UInt32(0), 4000])
    func `root and the daemon's own user may do everything`(owner: UInt32) throws {
        let jobs = [
            campaign(basis: "service"), campaign(basis: "consentRequest"),
            JobText.consent("k", [.init("reader@people.example", "withdrawn")]),
            JobText.control("k", "pause", campaign: "c"),
        ]
        for job in jobs { #expect(try review(job, owner: owner).errors == []) }
    }

    @Test func `anybody else may drop contacts and campaigns on the basis of consent`() throws {
        #expect(try review(campaign(), owner: JobReviewTests.stranger).errors == [])
        let contacts = JobText.contacts("k", consentColumn: nil)
        let files = ["list.csv": "email\na@people.example\n"]
        #expect(try review(contacts, files: files, owner: JobReviewTests.stranger).errors == [])
    }

    @Test(arguments: ["service", "consentRequest"])
    func `anybody else may not choose another basis`(basis: String) throws {
        let errors = try review(campaign(basis: basis), owner: JobReviewTests.stranger).errors
        #expect(errors.map(\.pointer) == ["/basis"])
        #expect(errors.first?.message.contains("the user 4711 may drop campaigns on the basis “consent” only") == true)
    }

    @Test func `anybody else may neither control campaigns nor record consent`() throws {
        let control = try review(JobText.control("k", "cancel", campaign: "c"), owner: JobReviewTests.stranger)
        #expect(control.errors.map(\.pointer) == ["/kind"])
        let consent = JobText.consent("k", [.init("reader@people.example", "withdrawn")])
        #expect(try review(consent, owner: JobReviewTests.stranger).errors.map(\.pointer) == ["/kind"])
    }

    @Test func `a recipient channel may record what recipients do, and nothing else`() throws {
        var own = JobText.ConsentEvent("reader@people.example", "accepted")
        own.by = "recipient"
        #expect(try review(JobText.consent("k", [own]), owner: 4712).errors == [])
        let mixed = JobText.consent("k", [own, .init("reader@people.example", "accepted")])
        #expect(try review(mixed, owner: 4712).errors.map(\.pointer) == ["/kind"])
    }

    @Test func `a refusal in the recipient's name is recorded as the word of who reports it, with a warning`() throws {
        var withdrawal = JobText.ConsentEvent("reader@people.example", "withdrawn")
        withdrawal.by = "recipient"
        let json = JobText.consent("k", [withdrawal])
        guard case .consent(let told) = try fixture.job(json) else { throw TestSupportError("it is no consent job") }
        var clerk = try review(json)
        #expect(clerk.errors == [])
        #expect(clerk.believed(told).events.map(\.by) == [.operator])
        #expect(clerk.warnings.count == 1)
    }

    @Test func `what a recipient channel reports is recorded as the recipient's own word`() throws {
        var withdrawal = JobText.ConsentEvent("reader@people.example", "withdrawn")
        withdrawal.by = "recipient"
        let json = JobText.consent("k", [withdrawal])
        guard case .consent(let told) = try fixture.job(json) else { throw TestSupportError("it is no consent job") }
        var channel = try review(json, owner: 4712)
        #expect(channel.believed(told) == told)
        #expect(channel.warnings == [])
    }

    @Test func `by the recipient is not believed from an operator, but a refusal always is`() throws {
        var events = ["accepted", "refused", "withdrawn"].map { JobText.ConsentEvent("reader@people.example", $0) }
        for index in events.indices { events[index].by = "recipient" }
        #expect(try review(JobText.consent("k", events)).errors.map(\.pointer) == ["/events/0/by"])
    }

    // MARK: Relays and senders

    @Test func `a relay that is not configured is refused`() throws {
        let errors = try review(campaign(["relays": ["default", "other"]])).errors
        #expect(errors.map(\.pointer) == ["/relays/1"])
        #expect(errors.first?.message == "there is no relay “other” in the configuration")
    }

    @Test func `a campaign without relays gets the default one, or the only one`() throws {
        #expect(try review(campaign()).errors == [])
        let onlyOne = try review(
            campaign(), change: { $0.relays = ["other": $0.relays["default"]].compactMapValues(\.self) })
        #expect(onlyOne.errors == [])
        let two = try review(
            campaign(),
            change: { configuration in
                let relay = configuration.relays["default"]
                configuration.relays = ["a": relay, "b": relay].compactMapValues(\.self)
            })
        #expect(two.errors.map(\.message) == ["there is no relay “default”: name one or more of a, b in “relays”"])
    }

    @Test func `a relay carries only the senders that it names`() throws {
        let errors = try review(campaign(["from": ["address": "news@elsewhere.example"]])).errors
        #expect(errors.map(\.pointer) == ["/from/address"])
        let anybody = try review(
            campaign(["from": ["address": "news@elsewhere.example"]]), change: { $0.relays["default"]?.senders = [] })
        #expect(anybody.errors == [])
    }

    // MARK: Test mail and time

    @Test func `test mail stays in the house unless the configuration names others`() throws {
        let test: [String: TestSupport.JSONValue] = ["test": ["to": ["editor@library.example", "me@people.example"]]]
        #expect(try review(campaign(test)).errors.map(\.pointer) == ["/test/to/1"])
        let configured = try review(
            campaign(test), change: { $0.testRecipients = [AddressPattern("*@people.example")].compactMap(\.self) })
        #expect(configured.errors.map(\.pointer) == ["/test/to/0"])
    }

    @Test func `a campaign that has expired already is refused`() throws {
        let errors = try review(campaign(["expires": .string(fixture.clock.wall.rfc3339)])).errors
        #expect(errors.map(\.pointer) == ["/expires"])
        #expect(try review(campaign(["expires": .string(fixture.clock.wall.adding(seconds: 1).rfc3339)])).errors == [])
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
        let errors = try review(json, files: ["body.txt": "Hello.\n"]).errors
        #expect(
            Set(errors.map(\.message)) == [
                "the bundle has no file “folder.pdf”; put it in, or take its name out",
                "the bundle has no file “list.csv”; put it in, or take its name out",
            ])
    }

    @Test func `an unknown preset is refused at its place`() throws {
        let json = JobText.campaign("c", to: [.list("list.csv", preset: "nowhere")])
        let errors = try review(json, files: ["list.csv": "email\na@people.example\n"]).errors
        #expect(errors.map(\.pointer) == ["/recipients/0/preset"])
    }

    @Test func `a list without a column of addresses is refused by its name`() throws {
        let json = JobText.campaign("c", to: [.list("list.csv")])
        let errors = try review(json, files: ["list.csv": "naam\nAnna\n"]).errors
        #expect(errors.map(\.file) == ["list.csv"])
    }

    @Test func `a consent column that the list lacks is refused, and the columns are named`() throws {
        let errors = try review(
            JobText.contacts("k"), files: ["list.csv": "email,Newsletter\na@people.example,J\n"]
        ).errors
        #expect(errors.map(\.pointer) == ["/consent/column"])
        #expect(errors.first?.message.hasSuffix("it has email, Newsletter") == true)
    }

    @Test func `a broken template is refused at its file and line`() throws {
        let json = JobText.campaign(
            "c", to: [.address("a@people.example")], extra: ["textFile": "body.txt"], without: ["text"])
        let errors = try review(json, files: ["body.txt": "Hello,\n\n{{#open}}\n"]).errors
        #expect(errors.first?.file == "body.txt")
        #expect(errors.first?.line == 3)
        let inline = try review(campaign(["subject": "Hello {{"])).errors
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
            configuration: fixture.configuration, inspection: try fixture.context.spool.inspect(claim), ownUser: 0,
            now: fixture.clock.wall, file: "job.json")
        review.review(try fixture.job(json))
        #expect(review.errors.map(\.file) == ["body.txt"])
        #expect(review.errors.map(\.message) == ["a body must be UTF-8; save the file in that encoding"])
    }
}

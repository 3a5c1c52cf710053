import Mailing
import TestSupport
import Testing

@testable import Daemon

struct JobReviewPermissionsTests {
    private let stranger = Account(uid: 4711)
    private let fixture: DaemonFixture

    init() throws {
        fixture = try DaemonFixture(lines: ["[consent]", "recipient_channels = [\"4712\"]"])
    }

    private func campaign(_ extra: [String: TestSupport.JSONValue] = [:], basis: String = "consent") -> String {
        JobText.campaign("c", to: [.address("reader@people.example")], basis: basis, extra: extra)
    }

    /// What the user “catalogue”, who is in two groups, is told under these tables.
    private func errors(
        _ json: String, files: [String: String] = [:], _ tables: Submitters...
    ) throws -> [JobError] {
        let catalogue = Account(uid: 998, name: "catalogue", groups: [998, 2001])
        return try fixture.review(json, files: files, by: catalogue) { $0.submitters = tables }.errors
    }

    // MARK: Without tables

    @Test(arguments: [UInt32(0), 4000])
    func `root and the daemon's own user may do everything`(owner: UInt32) throws {
        let jobs = [
            campaign(basis: "service"), campaign(basis: "consentRequest"),
            JobText.consent("k", [.init("reader@people.example", "withdrawn")]),
            JobText.control("k", "pause", campaign: "c"),
        ]
        for job in jobs { #expect(try fixture.review(job, by: Account(uid: owner)).errors == []) }
    }

    @Test func `anybody else may drop contacts and campaigns on the basis of consent`() throws {
        #expect(try fixture.review(campaign(), by: stranger).errors == [])
        let contacts = JobText.contacts("k", consentColumn: nil)
        let files = ["list.csv": "email\na@people.example\n"]
        #expect(try fixture.review(contacts, files: files, by: stranger).errors == [])
    }

    @Test(arguments: ["service", "consentRequest"])
    func `anybody else may not choose another basis`(basis: String) throws {
        let errors = try fixture.review(campaign(basis: basis), by: stranger).errors
        #expect(errors.map(\.pointer) == ["/basis"])
        #expect(errors.first?.message.contains("the user 4711 may drop campaigns on the basis “consent” only") == true)
    }

    @Test func `anybody else may neither control campaigns nor record consent`() throws {
        let control = try fixture.review(JobText.control("k", "cancel", campaign: "c"), by: stranger)
        #expect(control.errors.map(\.pointer) == ["/kind"])
        let consent = JobText.consent("k", [.init("reader@people.example", "withdrawn")])
        #expect(try fixture.review(consent, by: stranger).errors.map(\.pointer) == ["/kind"])
    }

    @Test func `a recipient channel may record what recipients do, and nothing else`() throws {
        var own = JobText.ConsentEvent("reader@people.example", "accepted")
        own.by = "recipient"
        #expect(try fixture.review(JobText.consent("k", [own]), by: Account(uid: 4712)).errors == [])
        let mixed = JobText.consent("k", [own, .init("reader@people.example", "accepted")])
        #expect(try fixture.review(mixed, by: Account(uid: 4712)).errors.map(\.pointer) == ["/kind"])
    }

    @Test func `a refusal in the recipient's name is recorded as the word of who reports it, with a warning`() throws {
        var withdrawal = JobText.ConsentEvent("reader@people.example", "withdrawn")
        withdrawal.by = "recipient"
        let json = JobText.consent("k", [withdrawal])
        guard case .consent(let told) = try fixture.job(json) else { throw TestSupportError("it is no consent job") }
        var clerk = try fixture.review(json)
        #expect(clerk.errors == [])
        #expect(clerk.believed(told).events.map(\.by) == [.operator])
        #expect(clerk.warnings.count == 1)
    }

    @Test func `what a recipient channel reports is recorded as the recipient's own word`() throws {
        var withdrawal = JobText.ConsentEvent("reader@people.example", "withdrawn")
        withdrawal.by = "recipient"
        let json = JobText.consent("k", [withdrawal])
        guard case .consent(let told) = try fixture.job(json) else { throw TestSupportError("it is no consent job") }
        var channel = try fixture.review(json, by: Account(uid: 4712))
        #expect(channel.believed(told) == told)
        #expect(channel.warnings == [])
    }

    @Test func `by the recipient is not believed from an operator, but a refusal always is`() throws {
        var events = ["accepted", "refused", "withdrawn"].map { JobText.ConsentEvent("reader@people.example", $0) }
        for index in events.indices { events[index].by = "recipient" }
        #expect(try fixture.review(JobText.consent("k", events)).errors.map(\.pointer) == ["/events/0/by"])
    }

    @Test func `members of the admin group may control campaigns, and no other job becomes theirs by that`() throws {
        let admin = Account(uid: 4713, groups: [77])
        let standard = Submitters.standard(adminGroup: 77)
        let control = JobText.control("k", "settle", campaign: "c", extra: ["as": "sent"])
        #expect(try fixture.review(control, by: admin) { $0.submitters = standard }.errors == [])
        #expect(try fixture.review(control, by: stranger) { $0.submitters = standard }.errors.count == 1)
        #expect(try fixture.review(campaign(), by: admin) { $0.submitters = standard }.errors == [])
        let consent = JobText.consent("k", [.init("reader@people.example", "withdrawn")])
        #expect(try fixture.review(consent, by: admin) { $0.submitters = standard }.errors.map(\.pointer) == ["/kind"])
        let service = campaign(basis: "service")
        #expect(
            try fixture.review(service, by: admin) { $0.submitters = standard }.errors.map(\.pointer) == ["/basis"])
    }

    // MARK: Whom a table means

    @Test func `whom no table means may drop nothing, and is told what to ask for`() throws {
        let others = Submitters(name: "others", users: [1], groups: [1])
        for json in [
            campaign(), JobText.control("k", "pause", campaign: "c"),
            JobText.consent("k", [.init("reader@people.example", "withdrawn")]),
        ] {
            let errors = try errors(json, others)
            #expect(errors.map(\.pointer) == [""])
            #expect(
                errors.first?.message == "the user catalogue (uid 998) may drop nothing: no [submitters] table of the "
                    + "configuration names this user or a group of it; ask the administrator for that")
        }
    }

    @Test func `a table means users, members of groups, or everybody`() throws {
        #expect(try errors(campaign(), Submitters(name: "a", users: [5, 998])) == [])
        #expect(try errors(campaign(), Submitters(name: "a", groups: [5, 2001])) == [])
        #expect(try errors(campaign(), Submitters(name: "a", isEverybody: true)) == [])
        #expect(try errors(campaign(), Submitters(name: "a", users: [2001], groups: [5])).count == 1)
    }

    @Test func `no table takes anything from root and the daemon's own user`() throws {
        let strict = Submitters(name: "a", isEverybody: true, kinds: [], bases: [], purposes: ["x"])
        for uid in [UInt32(0), 4000] {
            for json in [campaign(basis: "service"), JobText.control("k", "pause", campaign: "c")] {
                #expect(try fixture.review(json, by: Account(uid: uid)) { $0.submitters = [strict] }.errors == [])
            }
        }
    }

    @Test func `a recipient channel needs no table`() throws {
        var own = JobText.ConsentEvent("reader@people.example", "withdrawn")
        own.by = "recipient"
        let others = Submitters(name: "others", users: [1])
        let review = try fixture.review(JobText.consent("k", [own]), by: Account(uid: 4712)) {
            $0.submitters = [others]
        }
        #expect(review.errors == [])
    }

    // MARK: What a table permits

    @Test func `a kind that a table does not name is refused`() throws {
        let table = Submitters(name: "a", users: [998], kinds: [.consent])
        #expect(try errors(campaign(), table).map(\.pointer) == ["/kind"])
        let contacts = try errors(
            JobText.contacts("k", consentColumn: nil), files: ["list.csv": "email\na@people.example\n"], table)
        #expect(
            contacts.map(\.message) == [
                "the user catalogue (uid 998) may not drop jobs of the kind “contacts”; ask the administrator"
            ])
        let consent = JobText.consent("k", [.init("reader@people.example", "withdrawn")])
        #expect(try errors(consent, table) == [])
    }

    @Test(arguments: Campaign.Basis.allCases)
    func `a table permits the bases that it names and no other`(basis: Campaign.Basis) throws {
        for permitted in Campaign.Basis.allCases {
            let errors = try errors(
                campaign(basis: basis.rawValue), Submitters(name: "a", users: [998], bases: [permitted]))
            #expect(errors.map(\.pointer) == (permitted == basis ? [] : ["/basis"]))
        }
    }

    @Test func `a sender that a table does not name is refused, though the relay carries it`() throws {
        let desk = Submitters(
            name: "desk", users: [998],
            senders: ["desk@library.example", "*@branch.example"].compactMap { AddressPattern($0) })
        let errors = try errors(campaign(), desk)
        #expect(errors.map(\.pointer) == ["/from/address"])
        #expect(
            errors.first?.message == "the user catalogue (uid 998) may send as “desk@library.example”, "
                + "“*@branch.example” only ([submitters.desk]); ask the administrator")
        #expect(try self.errors(campaign(["from": ["address": "desk@library.example"]]), desk) == [])
    }

    @Test func `a purpose that a table does not name is refused wherever a job acts for it`() throws {
        let table = Submitters(name: "a", users: [998], kinds: [.campaign, .contacts, .consent], purposes: ["events"])
        #expect(try errors(campaign(), table).map(\.pointer) == ["/purpose"])
        #expect(try errors(campaign(["purpose": "events"]), table) == [])
        let list = ["list.csv": "email,\(BorrowerList.consentColumn)\na@people.example,J\n"]
        #expect(try errors(JobText.contacts("k"), files: list, table).map(\.pointer) == ["/consent/purpose"])
        #expect(
            try errors(
                JobText.contacts("k", consentColumn: nil), files: ["list.csv": "email\na@people.example\n"], table)
                == [], "without evidence there is no purpose")
        var good = JobText.ConsentEvent("reader@people.example", "withdrawn")
        good.purpose = "events"
        let consent = JobText.consent("k", [good, .init("reader@people.example", "withdrawn")])
        #expect(try errors(consent, table).map(\.pointer) == ["/events/1/purpose"])
    }

    @Test func `a relay that a table does not name is refused at its place`() throws {
        let fixture = try DaemonFixture(relays: ["default": 3000, "second": 3000])
        func errors(_ json: String, _ table: Submitters) throws -> [JobError] {
            try fixture.review(json, by: Account(uid: 998)) { $0.submitters = [table] }.errors
        }
        let second = Submitters(name: "a", users: [998], relays: ["second"])
        #expect(try errors(campaign(), second).map(\.pointer) == ["/relays"], "the default relay is meant")
        #expect(try errors(campaign(["relays": ["second"]]), second) == [])
        #expect(try errors(campaign(["relays": ["second", "default"]]), second).map(\.pointer) == ["/relays/1"])
        #expect(try errors(campaign(), Submitters(name: "a", users: [998])) == [])
    }

    @Test func `who may control campaigns may do so by controls alone`() throws {
        let control = JobText.control("k", "resume", campaign: "c")
        #expect(try errors(control, Submitters(name: "a", users: [998], kinds: [], controls: .all)) == [])
        let refused = try errors(control, Submitters(name: "a", users: [998], kinds: Set(Job.Kind.allCases)))
        #expect(refused.map(\.pointer) == ["/kind"])
        #expect(
            refused.first?.message == "the user catalogue (uid 998) may not control campaigns; ask the administrator")
    }

    @Test(arguments: ["approve", "pause", "resume", "cancel"])
    func `who controls what is his own may act on campaigns that the same user dropped`(action: String) throws {
        let own = Submitters(name: "a", users: [998], kinds: [], controls: .own)
        func errors(droppedBy other: UInt32?) throws -> [JobError] {
            try fixture.review(
                JobText.control("k", action, campaign: "c"), by: Account(uid: 998), controlling: other,
                change: { $0.submitters = [own] }
            ).errors
        }
        #expect(try errors(droppedBy: 998) == [])
        for other in [UInt32(999), 0, nil] {
            let errors = try errors(droppedBy: other)
            #expect(errors.map(\.pointer) == ["/campaign"])
            #expect(
                errors.first?.message
                    == "the user 998 may control only what the same user dropped, and “c” is no such campaign")
        }
    }

    @Test(arguments: ["approve", "resume", "pause", "cancel"])
    func `that sending goes on after a restore is not his to say, even of his own campaign`(action: String) throws {
        for controls in [Submitters.Controls.own, .all] {
            let errors = try fixture.review(
                JobText.control("k", action, campaign: "c"), by: Account(uid: 998), controlling: 998,
                isHeldSinceStart: true,
                change: { $0.submitters = [Submitters(name: "a", users: [998], controls: controls)] }
            ).errors
            let isRefused = controls == .own && ["approve", "resume"].contains(action)
            #expect(errors.map(\.pointer) == (isRefused ? ["/action"] : []))
        }
    }

    @Test func `to settle doubt is not his, even about his own campaign`() throws {
        let own = Submitters(name: "a", users: [998], controls: .own)
        let settle = JobText.control("k", "settle", campaign: "c", extra: ["as": "resend"])
        let errors = try fixture.review(
            settle, by: Account(uid: 998), controlling: 998, change: { $0.submitters = [own] }
        ).errors
        #expect(errors.map(\.pointer) == ["/action"])
    }

    // MARK: Several tables

    @Test func `one table must permit the whole job, and the one that lacks least tells what is wrong`() throws {
        let news = Submitters(name: "news", users: [998], purposes: ["newsletter"])
        let desk = Submitters(
            name: "desk", groups: [2001], bases: [.service], senders: [try #require(AddressPattern("*@desk.example"))],
            purposes: ["welcome"])
        #expect(try errors(campaign(), desk, news) == [])
        let mixed = try errors(campaign(basis: "service"), desk, news)
        #expect(mixed.map(\.pointer) == ["/basis"], "the desk may not send this newsletter either")
        #expect(mixed.first?.message.contains("[submitters.news]") == true)
    }

    @Test func `every fault of a job is named at once`() throws {
        let table = Submitters(
            name: "a", users: [998], senders: [try #require(AddressPattern("*@desk.example"))], purposes: ["x"],
            relays: ["y"])
        let found = try errors(campaign(basis: "service"), table)
        #expect(found.map(\.pointer) == ["/purpose", "/basis", "/from/address", "/relays"])
    }
}

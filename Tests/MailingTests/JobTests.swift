import Mailing
import Testing

@Suite struct `A job` {
    static func campaign(
        text: Campaign.Content? = nil, html: Campaign.Content? = nil, attachments: [String] = [],
        recipients: [Campaign.RecipientSource] = []
    ) throws -> Campaign {
        Campaign(
            id: try #require(JobID("c")), purpose: "newsletter", basis: .consent, justification: nil,
            sender: .init(name: nil, address: try address("news@library.example")), replyTo: nil, reason: "r",
            subject: "s", text: text, html: html, attachments: attachments, defaults: [:], recipients: recipients,
            test: nil, sendAfter: nil, expires: nil, relays: [])
    }

    @Test func `names the files of its bodies, attachments and lists in that order`() throws {
        let campaign = try Self.campaign(
            text: .file("body.txt"), html: .file("body.html"), attachments: ["one.pdf", "two.pdf"],
            recipients: [
                .list(.init(file: "first.csv", preset: nil)), .group("members"), .address(try address("a@b.example")),
                .list(.init(file: "second.xlsx", preset: "wise")),
            ])
        #expect(
            Job.campaign(campaign).files == [
                "body.txt", "body.html", "one.pdf", "two.pdf", "first.csv", "second.xlsx",
            ])
    }

    @Test func `never takes an inline body for a file name`() throws {
        let campaign = try Self.campaign(text: .inline("body.txt"), html: .inline("body.html"))
        #expect(Job.campaign(campaign).files.isEmpty)
    }

    @Test func `of contacts names its lists`() throws {
        let lists = ["a.csv", "b.xml"].map {
            ContactsImport.List(file: .init(file: $0, preset: nil), group: nil)
        }
        let job = Job.contacts(ContactsImport(id: try #require(JobID("i")), lists: lists, consent: nil))
        #expect(job.files == ["a.csv", "b.xml"])
    }

    @Test func `of consent or control needs no files`() throws {
        let id = try #require(JobID("k"))
        #expect(Job.consent(ConsentJob(id: id, events: [])).files.isEmpty)
        #expect(Job.control(ControlJob(id: id, campaign: id, action: .pause, reason: nil)).files.isEmpty)
    }

    @Test func `has the id and the kind of what it carries`() throws {
        let (one, two) = (try #require(JobID("one")), try #require(JobID("two")))
        let jobs: [(Job, String, String)] = [
            (.campaign(try Self.campaign()), "campaign", "c"),
            (.contacts(ContactsImport(id: one, lists: [], consent: nil)), "contacts", "one"),
            (.consent(ConsentJob(id: one, events: [])), "consent", "one"),
            (.control(ControlJob(id: one, campaign: two, action: .cancel, reason: nil)), "control", "one"),
        ]
        for (job, kind, id) in jobs {
            #expect(job.kind.rawValue == kind)
            #expect(job.id.text == id)
        }
    }
}

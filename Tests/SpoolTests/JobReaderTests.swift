import Mailing
import Spool
import Testing

struct JobReaderTests {
    private let control = #"{"kind":"control","id":"k-1","campaign":"news","action":"pause","reason":"größe"}"#

    private func read(_ text: String, form: DropName.Form = .bundle) -> Result<Job, JobErrors> {
        JobReader.read(Array(text.utf8), file: "job.json", form: form)
    }

    private func errors(_ text: String, form: DropName.Form = .bundle) -> [JobError] {
        if case .failure(let failure) = read(text, form: form) { failure.errors } else { [] }
    }

    /// The errors as `pointer line:column`.
    private func places(_ text: String, form: DropName.Form = .bundle) -> [String] {
        errors(text, form: form).map { "\($0.pointer ?? "-") \($0.line ?? 0):\($0.column ?? 0)" }
    }

    private func address(_ text: String) throws -> EmailAddress {
        try EmailAddress(parsing: text, composed: { $0 })
    }

    @Test func `a full campaign is read to the last key`() throws {
        let text = """
            { "$schema": "../schema/campaign.schema.json", "kind": "campaign", "id": "spring", "purpose": "events",
              "basis": "service", "justification": "Loan contract:\\nreturn dates.",
              "from": { "name": "Example Library", "address": "news@library.example" },
              "replyTo": "desk@library.example",
              "reason": "You have a card.", "subject": "Hello, {{name}}", "textFile": "body.txt",
              "html": "<p>Hi</p>\\n",
              "attachments": ["a.pdf", "more/b.pdf"], "defaults": { "name": "reader" },
              "recipients": [ { "list": "readers.csv", "preset": "wise" }, { "list": "x.csv" },
                              { "group": "Lesekreis A" },
                              { "address": "Jan@Example.org" } ],
              "test": { "to": ["editor@library.example"], "approval": true },
              "sendAfter": "2026-11-23T09:00:00+01:00", "expires": "2026-11-30T00:00:00Z",
              "relays": ["default", "two"], "report": { "to": "Chief@Library.example" } }
            """
        let expected = Campaign(
            id: try #require(JobID("spring")), purpose: "events", basis: .service,
            justification: "Loan contract:\nreturn dates.",
            sender: Campaign.Sender(name: "Example Library", address: try address("news@library.example")),
            replyTo: try address("desk@library.example"), reason: "You have a card.", subject: "Hello, {{name}}",
            text: .file("body.txt"), html: .inline("<p>Hi</p>\n"), attachments: ["a.pdf", "more/b.pdf"],
            defaults: ["name": "reader"],
            recipients: [
                .list(Campaign.ListFile(file: "readers.csv", preset: "wise")),
                .list(Campaign.ListFile(file: "x.csv", preset: nil)), .group("Lesekreis A"),
                .address(try address("Jan@example.org")),
            ],
            test: Campaign.Test(recipients: [try address("editor@library.example")], needsApproval: true),
            sendAfter: Timestamp(rfc3339: "2026-11-23T08:00:00Z"), expires: Timestamp(rfc3339: "2026-11-30T00:00:00Z"),
            relays: ["default", "two"], reportTo: try address("Chief@library.example"))
        #expect(read(text) == .success(.campaign(expected)))
    }

    @Test func `a campaign that says the least gets the defaults`() throws {
        let text = """
            {"kind":"campaign","id":"a","from":{"address":"a@b.example"},"reason":"r","subject":"s","text":"t",
             "recipients":[{"group":"g"}],"test":{"to":["a@b.example"]}}
            """
        guard case .success(.campaign(let campaign)) = read(text, form: .single) else {
            Issue.record("\(errors(text, form: .single))")
            return
        }
        #expect(campaign.purpose == "newsletter")
        #expect(campaign.basis == .consent)
        #expect(campaign.test?.needsApproval == false)
        #expect(campaign.attachments.isEmpty && campaign.defaults.isEmpty && campaign.relays.isEmpty)
        #expect(campaign.sendAfter == nil && campaign.expires == nil && campaign.html == nil)
    }

    @Test(arguments: [
        ("{}", "/report", "Add “to” (who gets a mail with the result at the end); a report needs it."),
        (#""desk@library.example""#, "/report", "Write a report as an object"),
        (#"{"to":"jan"}"#, "/report/to", "there is no @ in it"),
        (#"{"to":["a@b.example"]}"#, "/report/to", "Write a text"),
        (#"{"to":"a@b.example","cc":"c@d.example"}"#, "/report/cc", "Remove the key “cc”"),
    ])
    func `a report goes to one address`(report: String, pointer: String, sentence: String) {
        let text = """
            {"kind":"campaign","id":"a","from":{"address":"a@b.example"},"reason":"r","subject":"s","text":"t",
             "recipients":[{"group":"g"}],"report":\(report)}
            """
        let errors = errors(text, form: .single)
        #expect(errors.map(\.pointer) == [pointer])
        #expect(errors.first?.message.contains(sentence) == true, "\(errors)")
    }

    @Test func `contacts, consent and control jobs are read`() throws {
        let contacts = """
            {"kind":"contacts","id":"c","lists":[{"list":"l.csv","preset":"wise","group":"leners"}],"consent":
             {"purpose":"newsletter","column":"News","accepted":["J"],"refused":["N"],
              "source":"form","text":"Yes, please",
              "at":"2026-11-01T00:00:00Z"}}
            """
        let at = try #require(Timestamp(rfc3339: "2026-11-01T00:00:00Z"))
        let list = ContactsImport.List(file: Campaign.ListFile(file: "l.csv", preset: "wise"), group: "leners")
        let evidence = ContactsImport.Evidence(
            purpose: "newsletter", column: "News", accepted: ["J"], refused: ["N"], source: "form", text: "Yes, please",
            at: at)
        let id = try #require(JobID("c"))
        #expect(read(contacts) == .success(.contacts(ContactsImport(id: id, lists: [list], consent: evidence))))

        let consent = """
            {"kind":"consent","id":"c","events":[{"address":"jan@example.org","purpose":"newsletter",
             "event":"withdrawn",
             "by":"operator","source":"telephone","at":"2026-11-01T00:00:00Z"}]}
            """
        let entry = ConsentJob.Entry(
            address: try address("jan@example.org"), purpose: "newsletter", event: .withdrawn, by: .operator,
            source: "telephone", text: nil, at: at)
        #expect(read(consent, form: .single) == .success(.consent(ConsentJob(id: id, events: [entry]))))

        let job = ControlJob(
            id: try #require(JobID("k-1")), campaign: try #require(JobID("news")), action: .pause, reason: "größe")
        #expect(read(control, form: .single) == .success(.control(job)))
    }

    private let settle =
        #"{"kind":"control","id":"k","campaign":"news","action":"settle","as":"sent","reason":"the relay's log"}"#

    @Test func `a doubt is settled as sent or to be sent again, for all or for one recipient`() throws {
        let id = try #require(JobID("k"))
        let campaign = try #require(JobID("news"))
        let all = ControlJob(
            id: id, campaign: campaign, action: .settle, reason: "the relay's log", settlement: .sent, address: nil)
        #expect(read(settle, form: .single) == .success(.control(all)))
        let one = settle.replacing(#""as":"sent""#, with: #""as":"resend","address":"Jan@Example.org""#)
        let expected = ControlJob(
            id: id, campaign: campaign, action: .settle, reason: "the relay's log", settlement: .resend,
            address: try address("Jan@example.org"))
        #expect(read(one, form: .single) == .success(.control(expected)))
    }

    @Test(arguments: [
        (#","reason":"the relay's log""#, "", " 1:1", "Add “reason”"),
        (#""as":"sent","#, "", " 1:1", "Add “as”"),
        (#""sent""#, #""maybe""#, "/as 1:69", "Write one of “sent”, “resend” here instead of “maybe”."),
        (#""sent""#, "true", "/as 1:69", "Write a text"),
        (#""the relay's log""#, #""""#, "/reason 1:85", "Write something"),
        (#""the relay's log""#, #""a\nb""#, "/reason 1:85", "Remove the character"),
        (#""reason""#, #""address":"jan","reason""#, "/address 1:86", "there is no @ in it"),
        (#""reason""#, #""who":"jan","reason""#, "/who 1:76", ""),
    ])
    func `a settlement that is not clear is refused with its place`(
        part: String, change: String, place: String, message: String
    ) {
        let text = settle.replacing(part, with: change)
        #expect(text != settle)
        #expect(places(text, form: .single) == [place])
        #expect(errors(text, form: .single).allSatisfy { $0.message.contains(message) }, "\(errors(text))")
    }

    @Test(arguments: ["approve", "pause", "resume", "cancel"])
    func `only a settlement says as what, and of whom`(action: String) {
        let text = settle.replacing("settle", with: action).replacing(
            #","reason""#, with: #","address":"a@b.example","reason""#)
        #expect(places(text, form: .single) == ["/as 1:\(63 + action.count)", "/address 1:\(80 + action.count)"])
        #expect(
            errors(text, form: .single).allSatisfy { $0.message == "Remove this; only the action “settle” has it." })
    }

    @Test func `all that is wrong with a settlement is said at once`() {
        let text = #"{"kind":"control","id":"k","action":"settle","as":"gone","address":"x"}"#
        #expect(places(text, form: .single) == [" 1:1", " 1:1", "/as 1:51", "/address 1:68"])
    }

    @Test func `all errors come at once, in the order of the file and each with its place`() {
        let text = """
            {
              "kind": "campaign", "colour": "red",
              "id": "no spaces",
              "from": { "name": "ä\\n", "adress": "x" }, "reason": "", "subject": 7, "a/b~c": null,
              "text": "t", "textFile": "../x", "sendAfter": "2026-11-23", "defaults": { "": "", "a/b": 1 },
              "recipients": [ { "group": "g" }, { "address": "jan" }, { "group": "g", "list": "l" }, 5 ],
              "test": { "to": [], "approval": "yes" }
            }
            """
        #expect(
            places(text) == [
                "/colour 2:23", "/id 3:9", "/from 4:11", "/from/name 4:21", "/from/adress 4:28", "/reason 4:55",
                "/subject 4:70", "/a~1b~0c 4:73", "/textFile 5:28", "/textFile 5:28", "/sendAfter 5:49",
                "/defaults/ 5:77", "/defaults/a~1b 5:92", "/recipients/1/address 6:50", "/recipients/2 6:59",
                "/recipients/3 6:90", "/test/to 7:19", "/test/approval 7:35",
            ])
        #expect(errors(text).allSatisfy { $0.file == "job.json" && $0.message.hasSuffix(".") })
    }

    @Test func `a missing key is reported at the object that lacks it`() {
        #expect(places(#"{"kind":"campaign"}"#) == Array(repeating: " 1:1", count: 6))
        let messages = errors(#"{"kind":"campaign"}"#).map(\.message).joined()
        for key in ["id", "from", "reason", "subject", "text", "recipients"] {
            #expect(messages.contains("“\(key)”"))
        }
        #expect(places("\n {}") == [" 2:2"])
        #expect(places("[]") == [" 1:1"])
        #expect(errors(#"{"id":"a"}"#)[0].message.contains("“campaign”, “contacts”, “consent”, “control”"))
        #expect(places(#"{"kind":"campain"}"#) == ["/kind 1:9"])
    }

    @Test func `a rejection knows the id and the kind as far as they are good`() {
        func known(_ text: String) -> [String?] {
            if case .failure(let failure) = read(text) { [failure.id, failure.kind] } else { [] }
        }
        #expect(known(#"{"kind":"control","id":"k-1"}"#) == ["k-1", "control"])
        #expect(known(#"{"kind":"x","id":"k-1"}"#) == ["k-1", nil])
        #expect(known(#"{"kind":"control","id":"../k"}"#) == [nil, "control"])
        #expect(known("[") == [nil, nil])
    }

    @Test func `a fault of the syntax is one error without a pointer`() {
        let errors = errors("{\"kind\": \"control\",\n \"id\": \"k\",\n}")
        #expect(errors.count == 1)
        #expect(errors[0].pointer == nil && errors[0].line == 2 && errors[0].column == 11)
    }

    @Test func `a single file cannot name other files`() {
        let campaign = """
            {"kind":"campaign","id":"a","from":{"address":"a@b.example"},"reason":"r","subject":"s","textFile":"t.txt",
            "htmlFile":"t.html","attachments":["a.pdf","b.pdf"],"recipients":[{"list":"l.csv"}]}
            """
        let expected = ["/textFile 1:100", "/htmlFile 2:12", "/attachments 2:35", "/recipients/0/list 2:75"]
        #expect(places(campaign, form: .bundle).isEmpty)
        #expect(places(campaign, form: .single) == expected)
        #expect(errors(campaign, form: .single).allSatisfy { $0.message.contains("bundle") })
        let contacts = #"{"kind":"contacts","id":"c","lists":[{"list":"l.csv"}]}"#
        #expect(places(contacts, form: .single) == ["/lists/0/list 1:46"])
        #expect(places(contacts, form: .bundle).isEmpty)
    }

    @Test func `after a thousand errors one more says how many there are`() {
        let events = Array(repeating: "{}", count: 400).joined(separator: ",")
        let errors = errors(#"{"kind":"consent","id":"c","events":["# + events + "]}")
        #expect(errors.count == 1_000)
        #expect(errors[998].pointer == "/events/166")
        #expect(errors[999].message.contains("1401 more"))
    }

    @Test func `ten thousand recipients are read and one more is refused`() {
        func campaign(_ count: Int) -> String {
            let recipients = (0..<count).map { #"{"address":"r\#($0)@example.org"}"# }.joined(separator: ",")
            return #"{"kind":"campaign","id":"a","from":{"address":"a@b.example"},"reason":"r","subject":"s","#
                + #""text":"t","recipients":[\#(recipients)]}"#
        }
        #expect(errors(campaign(10_000), form: .single).isEmpty)
        #expect(errors(campaign(10_001), form: .single).map(\.pointer) == ["/recipients"])
    }

    @Test func `a body may have two mebibytes and no byte more`() {
        func campaign(_ body: String) -> String {
            #"{"kind":"campaign","id":"a","from":{"address":"a@b.example"},"reason":"r","subject":"s","#
                + #""html":"\#(body)","recipients":[{"group":"g"}]}"#
        }
        let body = String(repeating: "ä", count: 1 << 20)
        #expect(errors(campaign(body)).isEmpty)
        #expect(errors(campaign(body + "a")).map(\.pointer) == ["/html"])
    }

    @Test func `what an error quotes is short and has no control characters`() throws {
        let text =
            #"{"kind":"control","id":"k","campaign":"n","action":""# + String(repeating: "\\u0007", count: 500_000)
            + #""}"#
        let message = try #require(errors(text).first).message
        #expect(message.unicodeScalars.count < 600)
        #expect(!message.unicodeScalars.contains("\u{7}") && message.contains("U+0007"))
    }

    @Test func `every truncation of a job is refused with a place`() {
        let bytes = Array(control.utf8)
        for length in 0..<bytes.count {
            expectAnswer(Array(bytes[..<length]), mayBeGood: false)
        }
    }

    @Test func `every change of one byte of a job ends in a job or in errors with their places`() {
        let bytes = Array(control.utf8)
        for index in bytes.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = bytes
                changed[index] = byte
                expectAnswer(changed, mayBeGood: true)
            }
        }
    }

    private func expectAnswer(_ bytes: [UInt8], mayBeGood: Bool) {
        switch JobReader.read(bytes, file: "job.json", form: .single) {
        case .success: if !mayBeGood { Issue.record("accepted \(bytes)") }
        case .failure(let failure):
            let isPlaced = failure.errors.allSatisfy { ($0.line ?? 0) > 0 && ($0.column ?? 0) > 0 }
            if failure.errors.isEmpty || !isPlaced { Issue.record("no place for \(bytes)") }
        }
    }
}

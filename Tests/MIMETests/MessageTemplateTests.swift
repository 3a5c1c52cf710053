import Foundation
import Testing

@testable import MIME

private let sender = Mailbox(name: "Bibliotheek Gieten", address: "nieuws@bibliotheek.example")

private func template(
    subject: String = "Nieuws", text: String? = "Dag {{name}}.\n", html: String? = nil,
    attachments: [MIME.Attachment] = [], from: Mailbox = sender, replyTo: Mailbox? = nil, footLines: [String] = []
) throws -> MessageTemplate {
    try MessageTemplate(
        subject: subject, text: text, html: html, attachments: attachments, from: from, replyTo: replyTo,
        footLines: footLines)
}

private func headers(
    to: Mailbox = Mailbox(name: "Jan Jansen", address: "jan@example.org"), footLines: [String] = [],
    footLink: String? = nil
) -> MessageHeaders {
    MessageHeaders(
        to: to, messageID: "0a1b2c@bibliotheek.example", date: 1_795_341_600_000, footLines: footLines,
        footLink: footLink)
}

private func compose(
    _ template: MessageTemplate, _ fields: [String: String] = ["name": "Jan"], _ own: MessageHeaders = headers()
) throws -> ReadMail {
    let message = try template.compose(fields: fields, headers: own)
    expectFitForAnyRelay(message)
    return try ReadMail(message)
}

private func errors(_ make: () throws -> MessageTemplate) -> [TemplateError] {
    do {
        _ = try make()
        return []
    } catch let error as InvalidTemplate {
        return error.errors
    } catch {
        return []
    }
}

private func firstError(subject: String = "Nieuws", text: String? = "Dag", html: String? = nil) -> TemplateError? {
    errors { try template(subject: subject, text: text, html: html) }.first
}

@Suite struct `What a message is made of` {
    @Test func `a text alone is one part of type text-plain`() throws {
        let mail = try compose(template(text: "Dag {{name}}.\nTot ziens.\n"))
        #expect(mail.types == ["text/plain"])
        #expect(mail.parts[0].charset == "utf-8")
        #expect(mail.parts[0].text == "Dag Jan.\r\nTot ziens.\r\n")
    }

    @Test func `an HTML alone is one part of type text-html`() throws {
        let mail = try compose(template(text: nil, html: "<p>Dag {{name}}</p>"))
        #expect(mail.types == ["text/html"])
        #expect(mail.parts[0].text == "<p>Dag Jan</p>\r\n")
    }

    @Test func `a text and an HTML are alternatives, the text first`() throws {
        let mail = try compose(template(html: "<p>Dag {{name}}</p>"))
        #expect(mail.types == ["multipart/alternative", "text/plain", "text/html"])
    }

    @Test func `attachments stand after the body with their names and bytes`() throws {
        let bytes = [UInt8]((0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let mail = try compose(
            template(
                html: "<p>é</p>",
                attachments: [
                    MIME.Attachment(name: "folder.pdf", content: bytes),
                    MIME.Attachment(name: "Überblick \"x\"; 100% 😀.xlsx", content: []),
                ]))
        #expect(
            mail.types == [
                "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf",
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ])
        #expect(mail.parts[2].disposition == "attachment")
        #expect(mail.parts[2].fileName == "folder.pdf")
        #expect(Array(mail.parts[2].content) == bytes)
        #expect(mail.parts[3].fileName == "Überblick \"x\"; 100% 😀.xlsx")
        #expect(mail.parts[3].content.isEmpty)
    }

    @Test func `each field stands there once`() throws {
        let mail = try compose(template(replyTo: Mailbox(name: "Balie", address: "balie@bibliotheek.example")))
        let names = mail.headers.map { $0[0] }
        #expect(Set(names.map { $0.lowercased() }).count == names.count)
        for name in ["Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Auto-Submitted", "Reply-To"] {
            #expect(names.contains(name))
        }
        #expect(mail.addresses["Reply-To"] == [ReadMail.Address(name: "Balie", address: "balie@bibliotheek.example")])
        for name in ["List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Precedence", "Bcc"] {
            #expect(mail[name].isEmpty)
        }
    }

    @Test func `the same arguments give the same bytes`() throws {
        let made = try template(html: "<p>{{name}}</p>", attachments: [MIME.Attachment(name: "a.txt", content: [65])])
        let first = try made.compose(fields: ["name": "Jan"], headers: headers())
        #expect(try made.compose(fields: ["name": "Jan"], headers: headers()) == first)
    }

    @Test func `a thousand messages made at the same time are all well`() async throws {
        let made = try template(html: "<p>{{name}} é</p>")
        let expected = try made.compose(fields: ["name": "Jan"], headers: headers())
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<1000 {
                group.addTask { try made.compose(fields: ["name": "Jan"], headers: headers()) == expected }
            }
            for try await same in group { #expect(same) }
        }
    }
}

@Suite struct `What a body survives` {
    @Test(arguments: [
        ".", "..\n.\nvan\n", "From ons\nFrom u", "spatie aan het eind   \ntab\t\n", String(repeating: "x", count: 5000),
        String(repeating: "é😀", count: 2500), "שלום עולם\nمرحبا", "=C3=A9 =\n=", "a\n\n\n\nb", "-- \nnaam",
        "\ttab eerst",
        "--=_a_0a1b2c\n--=_a_0a1b2c--\n", "combinatie e\u{301} \u{200D}", "👩‍👩‍👧‍👦 &amp; <b>",
        String(repeating: "woord ", count: 900), "\u{FEFF}bom", String(repeating: "From x", count: 100),
    ]) func `text comes back as it was written`(body: String) throws {
        let mail = try compose(template(text: "\(body)|{{name}}", html: "<p>\(body)</p>|{{name}}"), ["name": "ja"])
        let expected = "\(body)|ja\n".replacingOccurrences(of: "\n", with: "\r\n")
        #expect(mail.parts[0].text == expected)
        #expect(mail.parts[1].text == "<p>\(body)</p>|ja\n".replacingOccurrences(of: "\n", with: "\r\n"))
    }

    @Test func `lone CR, lone LF and CRLF are all line breaks, in templates and in values`() throws {
        let mail = try compose(template(text: "a\rb\nc\r\nd {{name}}"), ["name": "1\r2\n3\r\n4"])
        #expect(mail.parts[0].text == "a\r\nb\r\nc\r\nd 1\r\n2\r\n3\r\n4\r\n")
    }

    @Test func `HTML with CSS braces is left alone`() throws {
        let html = "<style>@media print{p{color:red}}</style><p>{{name}}</p>"
        let mail = try compose(template(text: nil, html: html))
        #expect(mail.parts[0].text == "<style>@media print{p{color:red}}</style><p>Jan</p>\r\n")
    }
}

@Suite struct `What fields do` {
    @Test func `values are escaped in HTML and nowhere else`() throws {
        let nasty = "<b>\"Piet\" & 'Co'</b>"
        let mail = try compose(
            template(subject: "Dag {{name}}", text: "{{name}} {{{name}}}", html: "<p title=\"{{name}}\">"),
            ["name": nasty])
        #expect(mail["Subject"] == ["Dag \(nasty)"])
        #expect(mail.parts[0].text == "\(nasty) \(nasty)\r\n")
        #expect(
            mail.parts[1].text
                == "<p title=\"&lt;b&gt;&quot;Piet&quot; &amp; &#39;Co&#39;&lt;/b&gt;\">\r\n")
    }

    @Test func `a quotation mark before a combining mark is escaped too`() throws {
        let mail = try compose(template(text: nil, html: "<p title=\"{{name}}\">"), ["name": "\"\u{301} onclick=x"])
        #expect(mail.parts[0].text == "<p title=\"&quot;\u{301} onclick=x\">\r\n")
    }

    @Test func `a field that is absent, empty or blank is missing`() throws {
        let made = try template(subject: "{{title}}", text: "{{name}} {{city}}", html: "<p>{{street}}</p>")
        let fields = ["title": "", "name": " \u{A0}\u{200B}", "street": "Brink"]
        #expect(made.missing(in: fields) == ["city", "name", "title"])
        #expect(
            made.problems(in: fields) == [
                FieldProblem(name: "city", kind: .missing), FieldProblem(name: "name", kind: .empty),
                FieldProblem(name: "title", kind: .empty),
            ])
        #expect(throws: ComposeError.fields(made.problems(in: fields))) {
            try made.compose(fields: fields, headers: headers())
        }
    }

    @Test func `a variable in a section is needed only where the section is shown`() throws {
        let made = try template(text: "{{#name}}Dag {{name}}, {{city}}{{/name}}{{^name}}Dag {{role}}{{/name}}")
        #expect(made.variables == ["name", "city", "role"])
        #expect(made.missing(in: ["name": "Jan"]) == ["city"])
        #expect(made.missing(in: ["name": ""]) == ["role"])
        #expect(try compose(made, ["role": "lezer"]).parts[0].text == "Dag lezer\r\n")
        #expect(try compose(made, ["name": "Jan", "city": "Gieten"]).parts[0].text == "Dag Jan, Gieten\r\n")
    }

    @Test func `a value is never read as a template, and one with unfilled braces is refused`() throws {
        let made = try template()
        #expect(made.problems(in: ["name": "{{email}}"]) == [FieldProblem(name: "name", kind: .unfilled)])
        #expect(try compose(made, ["name": "{#name}"]).parts[0].text == "Dag {#name}.\r\n")
    }

    @Test func `a control character in a value is refused, a line break only in the subject`() throws {
        let made = try template(subject: "Dag {{name}}", text: "{{address}}")
        let wanted = [FieldProblem(name: "name", kind: .controlCharacter)]
        for value in ["Jan\r\nBcc: x@example.org", "Jan\nx", "Jan\rx", "a\u{0}b", "a\u{2028}b", "a\u{85}b", "a\tb"] {
            #expect(made.problems(in: ["name": value, "address": "Brink 1\nGieten"]) == wanted)
        }
        #expect(made.missing(in: ["name": "Jan", "address": "Brink \u{7}1"]) == ["address"])
    }

    @Test func `a blank field does not hide its default`() {
        #expect(
            MessageTemplate.merging(
                ["name": " ", "city": "Gieten"], over: ["name": "lezer", "city": "Assen", "x": "y"])
                == ["name": "lezer", "city": "Gieten", "x": "y"])
    }

    @Test func `a subject that comes out empty or too long is refused`() throws {
        let made = try template(subject: "{{#a}}Hoi{{/a}}", text: "x")
        #expect(throws: ComposeError.self) { try made.compose(fields: [:], headers: headers()) }
        let long = try template(subject: "{{a}}", text: "x")
        #expect(throws: ComposeError.self) {
            try long.compose(fields: ["a": String(repeating: "x", count: 2001)], headers: headers())
        }
    }
}

@Suite struct `What stands at the foot` {
    private let reason = "U ontvangt dit <omdat> u & ik"

    @Test func `the reason, the sentence and the link stand below the text`() throws {
        let own = headers(footLines: ["Stoppen?"], footLink: "https://example.org/u?a=1&b=2")
        let mail = try compose(template(text: "Dag\n\n", footLines: [reason]), [:], own)
        #expect(
            mail.parts[0].text == "Dag\r\n\r\n\(reason)\r\nStoppen?\r\nhttps://example.org/u?a=1&b=2\r\n")
    }

    @Test func `the reason, the sentence and the link stand in the HTML, escaped, before the body ends`() throws {
        let own = headers(footLines: ["Stoppen?"], footLink: "https://example.org/u?a=1&b=2")
        let html = "<html><body><p>Dag</p></BODY></html>"
        let mail = try compose(template(text: nil, html: html, footLines: [reason]), [:], own)
        let link = "https://example.org/u?a=1&amp;b=2"
        #expect(
            mail.parts[0].text == "<html><body><p>Dag</p>\r\n<p>U ontvangt dit &lt;omdat&gt; u &amp; ik</p>\r\n"
                + "<p>Stoppen?</p>\r\n<p><a href=\"\(link)\">\(link)</a></p>\r\n</BODY></html>\r\n")
    }

    @Test func `a foot is not a template and a link is not a script`() throws {
        #expect(errors { try template(footLines: ["Dag {{name}}"]) }.map(\.part) == [.foot])
        #expect(errors { try template(footLines: ["a\nb"]) }.map(\.part) == [.foot])
        let made = try template()
        for link in ["javascript:alert(1)", "https://example.org/\"onclick=x", "https:", "https://a b"] {
            #expect(throws: ComposeError.self) {
                try made.compose(fields: ["name": "Jan"], headers: headers(footLink: link))
            }
        }
    }
}

@Suite struct `What is refused when a campaign is checked` {
    @Test func `a message without a body or a blank part is refused`() {
        #expect(errors { try template(text: nil) }.map(\.part) == [.text])
        #expect(firstError(subject: " ")?.part == .subject)
        #expect(firstError(text: "\n")?.part == .text)
        #expect(firstError(html: "")?.part == .html)
    }

    @Test func `every error is told, with its place`() {
        let found = errors { try template(subject: "{{a", text: "x\n {{>p}}\n{{=<% %>=}}", html: "é{{{b}}}{{#c}}") }
        #expect(found.map(\.part) == [.subject, .text, .text, .html, .html])
        #expect(found.map(\.line) == [1, 2, 3, 1, 1])
        #expect(found.map(\.column) == [1, 2, 1, 2, 9])
    }

    @Test func `a line break in a subject template is refused`() {
        let error = firstError(subject: "Nieuws\r\nBcc: x@example.org")
        #expect(error?.part == .subject)
        #expect(error?.column == 7)
    }

    @Test func `senders that cannot stand in a field are refused`() {
        let bad = Mailbox(name: "x\r\nBcc: y@example.org", address: "a@example.org")
        #expect(errors { try template(from: bad) }.map(\.part) == [.from])
        #expect(errors { try template(replyTo: Mailbox(address: "a b@example.org")) }.map(\.part) == [.replyTo])
    }
}

import Foundation
import Testing

@testable import MIME

private func mail(subject: String, from: String? = nil, to: String? = nil) throws -> (ReadMail, String) {
    let template = try MessageTemplate(
        subject: "{{subject}}", text: "x", html: nil, from: Mailbox(name: from, address: "nieuws@bibliotheek.example"))
    let headers = MessageHeaders(
        to: Mailbox(name: to, address: "jan@example.org"), messageID: "0a@bibliotheek.example", date: 0)
    let message = try template.compose(fields: ["subject": subject], headers: headers)
    expectFitForAnyRelay(message)
    return (try ReadMail(message), String(decoding: message, as: UTF8.self))
}

private let nasty = [
    "Nieuws", "Jansen, Piet", "a; b: c <d@example.org>", "\"quoted\" \\back\\", "=?utf-8?q?fake?=", "a =?x?= b",
    "Grüße aus Köln an alle, die da sind und noch viel mehr Wörter lesen möchten, bis ans Ende der Zeile",
    String(repeating: "😀", count: 110), String(repeating: "x", count: 300), String(repeating: "é", count: 120),
    "שלום עולם, a, b; c (d)", "عربي اسم", "two  spaces   inside",
    "👩‍👩‍👧‍👦 e\u{301}", "a.b", "x@y.example", "(comment)",
    "very long ascii text that has many words and that has to be folded somewhere near to seventy eight characters",
    String(repeating: "a", count: 60) + " b", String(repeating: "ab ", count: 60) + "c", "_?=",
    "日本語のとても長い件名です",
    String(repeating: "日本語", count: 30), "it's", "a, " + String(repeating: "b", count: 100),
]

@Suite struct `Header text` {
    @Test(arguments: nasty) func `a subject comes back as it was`(text: String) throws {
        let (read, raw) = try mail(subject: text)
        #expect(read["Subject"] == [text])
        for word in encodedWords(in: raw) {
            #expect(word.utf8.count <= 75)
        }
    }

    @Test(arguments: nasty) func `a display name comes back as it was`(text: String) throws {
        let (read, raw) = try mail(subject: "x", from: text, to: text)
        #expect(read.addresses["From"] == [ReadMail.Address(name: text, address: "nieuws@bibliotheek.example")])
        #expect(read.addresses["To"] == [ReadMail.Address(name: text, address: "jan@example.org")])
        for word in encodedWords(in: raw) {
            #expect(word.utf8.count <= 75)
        }
    }

    @Test(arguments: nasty) func `every encoded word decodes alone`(text: String) throws {
        for word in encodedWords(in: HeaderText.encodedWords(text, startingAt: 9)) {
            let fields = word.components(separatedBy: "?")
            try #require(fields.count == 5)
            var bytes = Data()
            if fields[2] == "b" {
                bytes = try #require(Data(base64Encoded: fields[3]))
            } else {
                let percent = fields[3].replacingOccurrences(of: "_", with: " ").replacingOccurrences(
                    of: "=", with: "%")
                bytes = Data(try #require(percent.removingPercentEncoding).utf8)
            }
            #expect(String(bytes: bytes, encoding: .utf8) != nil)
        }
    }

    @Test func `spaces at the ends of a subject survive`() throws {
        let (_, raw) = try mail(subject: " a ")
        #expect(raw.contains("Subject: =?utf-8?q?_a_?=\r\n"))
    }

    @Test func `plain text stays readable`() {
        #expect(HeaderText.unstructured("Nieuwe e-books, Jan", startingAt: 9) == "Nieuwe e-books, Jan")
        #expect(HeaderText.phrase("Jan Jansen", startingAt: 4) == "Jan Jansen")
        #expect(HeaderText.phrase("Jansen, \"Jan\"", startingAt: 4) == "\"Jansen, \\\"Jan\\\"\"")
    }
}

import Foundation
import Testing

@testable import MIME

private let sender = Mailbox(address: "nieuws@bibliotheek.example")

private func headers(
    messageID: String = "0a@bibliotheek.example", date: Int64 = 1_795_341_600_000, listID: String? = nil,
    listUnsubscribe: [String] = [], oneClick: Bool = false, bulk: Bool = false
) -> MessageHeaders {
    MessageHeaders(
        to: Mailbox(address: "jan@example.org"), messageID: messageID, date: date, listID: listID,
        listUnsubscribe: listUnsubscribe, oneClick: oneClick, bulk: bulk)
}

private func block(_ headers: MessageHeaders) throws -> String {
    try headers.fields(subject: "Nieuws", from: sender, replyTo: nil)
}

@Suite struct `Message headers` {
    @Test func `the date is in UTC with a numeric zone and English names`() throws {
        #expect(try block(headers()).hasPrefix("Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"))
        #expect(try block(headers(date: 999)).hasPrefix("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"))
        for date in [Int64.min, -1, Int64.max] {
            #expect(throws: ComposeError.self) { try block(headers(date: date)) }
        }
    }

    @Test func `the Message-ID is written as it was given`() throws {
        #expect(try block(headers()).contains("\r\nMessage-ID: <0a@bibliotheek.example>\r\n"))
        for bad in ["", "a", "a@", "a@b@c", "a b@c.example", "<a@b.example>", "a@b.example\r\nBcc: x@example.org"] {
            #expect(throws: ComposeError.self) { try block(headers(messageID: bad)) }
        }
    }

    @Test func `List-Unsubscribe is neither encoded nor broken inside an address`() throws {
        let page = "https://example.org/u/" + String(repeating: "a", count: 300) + "?a=1&b=%20"
        let text = try block(
            headers(listUnsubscribe: [page, "mailto:stop@example.org?subject=stop"], oneClick: true, bulk: true))
        #expect(
            text.contains(
                "\r\nList-Unsubscribe: <\(page)>,\r\n <mailto:stop@example.org?subject=stop>\r\n"
                    + "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"))
        #expect(text.contains("\r\nPrecedence: bulk\r\n"))
    }

    @Test func `One-click needs one https address`() {
        for list in [[], ["mailto:a@example.org"], ["https://a.example/1", "https://a.example/2"]] {
            #expect(throws: ComposeError.self) { try block(headers(listUnsubscribe: list, oneClick: true)) }
        }
    }

    @Test(arguments: [
        "https://example.org/ä", "https://example.org/a b", "https://example.org/>", "ftp://example.org", "mailto:",
        "https://example.org/\r\nBcc: x@example.org", "https://" + String(repeating: "a", count: 900),
    ]) func `an unsubscribe address that would break the field is refused`(uri: String) {
        #expect(throws: ComposeError.self) { try block(headers(listUnsubscribe: [uri])) }
    }

    @Test func `List-Id has its angle brackets once`() throws {
        #expect(try block(headers(listID: "news.example")).contains("\r\nList-Id: <news.example>\r\n"))
        #expect(try block(headers(listID: "<news.example>")).contains("\r\nList-Id: <news.example>\r\n"))
        #expect(
            try block(headers(listID: "Nieuws, x <n.example>")).contains("\r\nList-Id: \"Nieuws, x\" <n.example>\r\n"))
        for bad in ["", "a b", "x <y", "x <y z>", "a\nb <n.example>", "ä.example"] {
            #expect(throws: ComposeError.self) { try block(headers(listID: bad)) }
        }
    }

    @Test func `an idempotency key stands in the header that the relay looks at, once, and only if there is one`()
        throws
    {
        #expect(try !block(headers()).contains("0a1b"))
        var own = headers(bulk: true)
        own.idempotencyKey = (header: "X-Idempotency-Key", key: "0a1b")
        #expect(try block(own).contains("\r\nX-Idempotency-Key: 0a1b\r\n"))
        #expect(try block(own).components(separatedBy: "0a1b").count == 2)
        #expect(own.idempotencyKey?.header == "X-Idempotency-Key")
        #expect(own.idempotencyKey?.key == "0a1b")
        own.idempotencyKey = nil
        #expect(own == headers(bulk: true))
    }

    @Test(arguments: [
        ("", "a"), ("X Key", "a"), ("X-Key:", "a"), ("X-Schl\u{FC}ssel", "a"), ("X-Key\r\nBcc", "a"),
        (String(repeating: "x", count: 65), "a"), ("X-Key", ""), ("X-Key", "a b"), ("X-Key", "a\r\nBcc: b@example.org"),
        ("X-Key", "\u{E4}"), ("X-Key", String(repeating: "a", count: 251)),
    ]) func `an idempotency key that would break the header is refused`(header: String, key: String) {
        var own = headers()
        own.idempotencyKey = (header, key)
        #expect(throws: ComposeError.self) { try block(own) }
    }

    @Test func `every field of a message is known by name, so that no key takes its place`() throws {
        let own = headers(
            listID: "news.example", listUnsubscribe: ["https://library.example/u"], oneClick: true, bulk: true)
        let fields = try own.fields(subject: "Nieuws", from: sender, replyTo: Mailbox(address: "desk@library.example"))
        let names = fields.components(separatedBy: "\r\n").filter { !$0.isEmpty && !$0.hasPrefix(" ") }
            .map { $0.prefix { $0 != ":" }.lowercased() }
        #expect(names.count == 12)
        #expect(Set(names).subtracting(MessageHeaders.names) == [])
    }

    @Test func `a recipient that cannot stand in a field is refused`() {
        var own = headers()
        own.to = Mailbox(name: "x\r\nBcc: y@example.org", address: "jan@example.org")
        #expect(throws: ComposeError.self) { try block(own) }
        own.to = Mailbox(address: "jan@example.org, piet@example.org")
        #expect(throws: ComposeError.self) { try block(own) }
    }
}

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

    @Test func `a recipient that cannot stand in a field is refused`() {
        var own = headers()
        own.to = Mailbox(name: "x\r\nBcc: y@example.org", address: "jan@example.org")
        #expect(throws: ComposeError.self) { try block(own) }
        own.to = Mailbox(address: "jan@example.org, piet@example.org")
        #expect(throws: ComposeError.self) { try block(own) }
    }
}

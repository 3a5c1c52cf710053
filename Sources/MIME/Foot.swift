/// The lines below every message: why the recipient gets it, and how to stop it.
struct Foot: Sendable {
    let lines: [String]
    let link: String?

    static let maximumLength = 2_000

    /// What is wrong with the lines, as a sentence, or nil.
    static func problem(with lines: [String]) -> String? {
        for line in lines {
            if TextCheck.isBlank(line) { return "A line for the foot of the message is empty." }
            if line.utf8.count > maximumLength {
                return "A line for the foot of the message is longer than \(maximumLength) bytes; shorten it."
            }
            if TextCheck.hasControl(line, allowingLineBreaks: false) {
                return "A line for the foot of the message has a line break or control character; remove it."
            }
            if line.contains("{{") {
                return "The foot of the message is not a template; write it without \"{{\"."
            }
        }
        return nil
    }

    /// The text with the foot below it.
    func appended(toText text: String) -> String {
        if lines.isEmpty && link == nil { return text }
        var body = Substring(text)
        while let last = body.last, last == "\n" { body.removeLast() }
        return body + "\n\n" + (lines + (link.map { [$0] } ?? [])).joined(separator: "\n") + "\n"
    }

    /// The HTML with the foot before its `</body>`, or before `</html>`, or at its end.
    func inserted(intoHTML html: String) -> String {
        if lines.isEmpty && link == nil { return html }
        var block = lines.map { "<p>\(TextCheck.htmlEscaped($0))</p>\n" }.joined()
        if let link {
            let address = TextCheck.htmlEscaped(link)
            block += "<p><a href=\"\(address)\">\(address)</a></p>\n"
        }
        var bytes = Array(html.utf8)
        let place = Self.lastTag("</body", in: bytes) ?? Self.lastTag("</html", in: bytes) ?? bytes.count
        let startsLine = place == 0 || bytes[place - 1] == UInt8(ascii: "\n")
        bytes.insert(contentsOf: ((startsLine ? "" : "\n") + block).utf8, at: place)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func lastTag(_ tag: String, in bytes: [UInt8]) -> Int? {
        let wanted = Array(tag.utf8)
        var start = bytes.count - wanted.count
        while start >= 0 {
            if bytes[start] == wanted[0],
                wanted.indices.allSatisfy({ bytes[start + $0] | 0x20 == wanted[$0] | 0x20 })
            {
                return start
            }
            start -= 1
        }
        return nil
    }
}

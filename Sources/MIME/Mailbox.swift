/// A person or an office as a From, To or Reply-To field names it (RFC 5322 section 3.4).
package struct Mailbox: Sendable, Equatable {
    /// The display name, any Unicode text. nil, or nothing but spaces, writes the address alone.
    package var name: String?

    /// The address in ASCII, its domain in A-labels: messages are composed so that no relay needs SMTPUTF8.
    package var address: String

    /// A display name is never longer than this many UTF-8 bytes.
    package static let maximumNameLength = 500

    package init(name: String? = nil, address: String) {
        self.name = name
        self.address = address
    }

    /// What is wrong with this mailbox, as a sentence, or nil when it can stand in a header field.
    ///
    /// Ask at expansion: `compose` refuses the same.
    package var problem: String? {
        if let problem = Self.addressProblem(address) { return problem }
        guard let name else { return nil }
        if name.utf8.count > Self.maximumNameLength {
            return "The name of <\(address)> is longer than \(Self.maximumNameLength) bytes; shorten it."
        }
        if TextCheck.hasControl(name, allowingLineBreaks: false) {
            return "The name of <\(address)> has a line break or control character; remove it."
        }
        if name.contains("{{") {
            return "The name of <\(address)> has an unfilled \"{{\"; give the name itself."
        }
        return nil
    }

    /// The field's value, folded for a first line that already holds `column` characters.
    func fieldValue(startingAt column: Int) -> String {
        let trimmed = name.map(TextCheck.trim) ?? ""
        if trimmed.isEmpty { return address }
        return HeaderText.phrase(trimmed, startingAt: column, followedBy: "<\(address)>")
    }

    private static func addressProblem(_ address: String) -> String? {
        let shown = String(address.unicodeScalars.prefix(80).map { TextCheck.isControl($0) ? "?" : Character($0) })
        guard address.utf8.count <= 254 else { return "The address \"\(shown)…\" is longer than 254 characters." }
        guard address.utf8.allSatisfy({ $0 < 0x80 }) else {
            return "The address \"\(shown)\" is not ASCII; write its domain in A-labels (xn--…)."
        }
        guard let at = address.utf8.lastIndex(of: UInt8(ascii: "@")) else {
            return "The address \"\(shown)\" has no \"@\"."
        }
        let local = address[..<at]
        let domain = address[address.utf8.index(after: at)...]
        guard TextCheck.isDotAtom(local) || isQuotedString(local), local.utf8.count <= 64 else {
            return "The part before the \"@\" of \"\(shown)\" is not valid (RFC 5321 section 4.1.2)."
        }
        guard TextCheck.isDotAtom(domain) else {
            return "The domain of \"\(shown)\" is not valid (RFC 5321 section 4.1.2)."
        }
        return nil
    }

    private static func isQuotedString(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count > 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") else { return false }
        var escaped = false
        for byte in bytes.dropFirst().dropLast() {
            guard byte >= 0x20, byte < 0x7F else { return false }
            if !escaped && byte == UInt8(ascii: "\"") { return false }
            escaped = !escaped && byte == UInt8(ascii: "\\")
        }
        return !escaped
    }
}

/// One reply of a mail server (RFC 5321 4.2): a code and its text lines.
package struct SMTPReply: Hashable, Sendable {
    /// 200 ... 599.
    package let code: Int
    /// The text of each line, without code and line end; control characters are replaced by spaces.
    package let lines: [String]

    package init(code: Int, lines: [String]) {
        self.code = code
        self.lines = lines
    }

    package enum Severity: Hashable, Sendable {
        /// 2yz: done. RFC 5321 4.2.5: any 2yz to the dot means accepted.
        case positive
        /// 3yz: go on.
        case intermediate
        /// 4yz: not now.
        case temporary
        /// 5yz: not like this.
        case permanent
    }

    package var severity: Severity {
        switch code / 100 {
        case 2: .positive
        case 3: .intermediate
        case 4: .temporary
        default: .permanent
        }
    }

    /// All lines as one, at most 500 Unicode scalars: what the ledger and the receipt keep.
    package var text: String {
        String(String.UnicodeScalarView(lines.joined(separator: " ").unicodeScalars.prefix(500)))
    }

    /// The enhanced status code (RFC 3463) at the beginning of the text, if the first digit fits the reply code.
    package var enhanced: EnhancedStatusCode? {
        lines.first.flatMap { EnhancedStatusCode(leading: $0) }.flatMap { $0.class == code / 100 ? $0 : nil }
    }

    /// The queue id that most servers name in their last word to us (`queued as 4F3…`); nil if there is none.
    package var queueID: String? {
        guard severity == .positive else { return nil }
        // By scalars: a space that carries an accent is a space.
        let words = text.unicodeScalars.split { $0 == " " || $0 == "=" || $0 == "<" || $0 == ">" }
        let marker = words.lastIndex { word in ["as", "id"].contains(String(word).lowercased()) }
        guard let marker, marker + 1 < words.count else { return nil }
        return String(String.UnicodeScalarView(words[marker + 1].prefix(100)))
    }
}

extension SMTPReply: CustomStringConvertible {
    package var description: String { text.isEmpty ? "\(code)" : "\(code) \(text)" }
}

/// `class.subject.detail` of RFC 3463.
package struct EnhancedStatusCode: Hashable, Sendable, CustomStringConvertible {
    package let `class`: Int
    package let subject: Int
    package let detail: Int

    package init(_ `class`: Int, _ subject: Int, _ detail: Int) {
        self.class = `class`
        self.subject = subject
        self.detail = detail
    }

    /// Reads the code that a text begins with.
    package init?(leading text: String) {
        guard let word = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).first else {
            return nil
        }
        let parts = word.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { $0.utf8.count <= 3 && $0.first != "+" ? UInt16($0) : nil }
        guard parts.count == 3, numbers.count == 3, [2, 4, 5].contains(numbers[0]) else { return nil }
        self.init(Int(numbers[0]), Int(numbers[1]), Int(numbers[2]))
    }

    package var description: String { "\(`class`).\(subject).\(detail)" }
}

/// Cuts replies out of the bytes of a connection.
///
/// Limits: 2,000 octets a line (RFC 5321 4.5.3.1.5 has 512), 100 lines a reply.
package struct SMTPReplyParser: Sendable {
    /// The server does not speak SMTP: the connection is of no use any more.
    package struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    private var buffer: [UInt8] = []
    private var code: Int?
    private var lines: [String] = []

    package init() {}

    /// Whether bytes or lines of a further reply have arrived already.
    package var hasLeftover: Bool { !buffer.isEmpty || code != nil }

    package mutating func append(_ bytes: some Sequence<UInt8>) {
        buffer.append(contentsOf: bytes)
    }

    /// The next whole reply, or nil until more bytes arrive.
    package mutating func next() throws(Violation) -> SMTPReply? {
        while let end = buffer.firstIndex(of: 10) {
            var line = buffer[..<end]
            if line.last == 13 { line.removeLast() }
            let finished = try take(line: line)
            buffer.removeSubrange(...end)
            guard finished, let code else { continue }
            let reply = SMTPReply(code: code, lines: lines)
            self.code = nil
            lines = []
            return reply
        }
        guard buffer.count - (buffer.last == 13 ? 1 : 0) <= 2000 else {
            throw Violation(description: "a reply line is longer than 2000 octets")
        }
        return nil
    }

    /// Takes one line and tells whether it was the last one of its reply.
    private mutating func take(line: ArraySlice<UInt8>) throws(Violation) -> Bool {
        guard line.count <= 2000 else { throw Violation(description: "a reply line is longer than 2000 octets") }
        let bytes = Array(line)
        guard bytes.count >= 3, bytes[..<3].allSatisfy({ (48...57).contains($0) }) else {
            throw Violation(description: "a reply line does not begin with a code")
        }
        let value = bytes[..<3].reduce(0) { $0 * 10 + Int($1 - 48) }
        guard (200...599).contains(value) else {
            throw Violation(description: "the reply code \(value) does not exist")
        }
        guard code == nil || code == value else {
            throw Violation(description: "the lines of one reply have different codes")
        }
        guard bytes.count == 3 || bytes[3] == 32 || bytes[3] == 45 else {
            throw Violation(description: "a reply code is not followed by a space or a hyphen")
        }
        guard lines.count < 100 else { throw Violation(description: "a reply has more than 100 lines") }
        code = value
        lines.append(SMTPReplyParser.shown(bytes.dropFirst(4)))
        return bytes.count == 3 || bytes[3] == 32
    }

    /// The text of a line without control characters, those beyond ASCII included.
    private static func shown(_ bytes: ArraySlice<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            text.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return String(text)
    }
}

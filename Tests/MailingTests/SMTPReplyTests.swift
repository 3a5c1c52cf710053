import Mailing
import TestSupport
import Testing

@Suite struct `A reply of a mail server` {
    @Test(arguments: [
        (200, SMTPReply.Severity.positive), (250, .positive), (299, .positive), (354, .intermediate),
        (400, .temporary), (421, .temporary), (499, .temporary), (500, .permanent), (554, .permanent),
        (599, .permanent),
    ]) func `is as severe as its first digit`(code: Int, severity: SMTPReply.Severity) {
        #expect(reply(code).severity == severity)
    }

    @Test(arguments: [
        (550, "5.1.1 unknown", "5.1.1"), (250, "2.0.0", "2.0.0"), (451, "4.7.1 later", "4.7.1"),
        (550, "5.7.515 bulk", "5.7.515"), (550, "4.7.1 odd", nil), (550, "no such user", nil), (550, "", nil),
        (550, "5.1 x", nil), (550, "5.1.1.1 x", nil), (550, "5..1 x", nil), (550, "5.1.1000 x", nil),
        (550, "5.+1.1 x", nil), (550, "-5.1.1 x", nil), (550, " 5.1.1 x", nil), (354, "3.0.0 x", nil),
    ]) func `has the enhanced code at its beginning, if that fits the code`(
        code: Int, text: String, expected: String?
    ) {
        #expect(reply(code, text).enhanced?.description == expected)
    }

    @Test(arguments: [
        (250, "2.0.0 Ok: queued as 4F3D21", "4F3D21"), (250, "OK id=1rXyz-0001", "1rXyz-0001"),
        (250, "2.0.0 Ok", nil), (250, "queued as", nil), (550, "5.0.0 known as 4F3", nil),
        (250, "queued as <4F3>", "4F3"),
    ]) func `that is good may name a queue id`(code: Int, text: String, expected: String?) {
        #expect(reply(code, text).queueID == expected)
    }

    @Test func `is kept as one line of at most 500 characters`() {
        #expect(SMTPReply(code: 250, lines: ["one", "two"]).text == "one two")
        #expect(reply(250, String(repeating: "x", count: 501)).text.count == 500)
        #expect(reply(250, "x" + String(repeating: "\u{301}", count: 2000)).text.unicodeScalars.count == 500)
        #expect(
            reply(250, "queued as x" + String(repeating: "\u{301}", count: 200)).queueID?.unicodeScalars.count == 100)
        #expect(reply(250).description == "250")
        #expect(reply(250, "ok").description == "250 ok")
        #expect(reply(250, "queued as 4F \u{301}rest").queueID == "4F", "a space with an accent is a space")
    }
}

@Suite struct `The parser of replies` {
    /// What a parser makes of these pieces: whole replies, then `leftover` or the violation, if there is one.
    static func read(_ pieces: [[UInt8]]) -> [String] {
        var parser = SMTPReplyParser()
        var found: [String] = []
        do throws(SMTPReplyParser.Violation) {
            for piece in pieces {
                parser.append(piece)
                while let reply = try parser.next() {
                    found.append("\(reply.code)|" + reply.lines.joined(separator: "|"))
                }
            }
            if parser.hasLeftover { found.append("leftover") }
        } catch {
            found.append("violation: \(error)")
        }
        return found
    }

    static func read(_ text: String) -> [String] { read([Array(text.utf8)]) }

    static let line2000 = "250 " + String(repeating: "x", count: 1996)

    /// Streams, and what is in them.
    static let table: [(String, [String])] = [
        ("", []), ("250 ok\r\n", ["250|ok"]), ("250\r\n", ["250|"]), ("250 \r\n", ["250|"]), ("250 ok\n", ["250|ok"]),
        ("250-one\r\n250-two\r\n250 three\r\n", ["250|one|two|three"]), ("250-\r\n250\r\n", ["250||"]),
        ("250 a\r\n354 b\r\n", ["250|a", "354|b"]), ("250 ok\r\n2", ["250|ok", "leftover"]),
        ("250-one\r\n", ["leftover"]), ("250 ok\r", ["leftover"]), ("250 a\rb\u{0}c\td\u{7F}\r\n", ["250|a b c d "]),
        ("200 \r\n599 \r\n", ["200|", "599|"]),
        ("hello\r\n", ["violation: a reply line does not begin with a code"]),
        ("\r\n", ["violation: a reply line does not begin with a code"]),
        ("25\r\n", ["violation: a reply line does not begin with a code"]),
        (" 250 ok\r\n", ["violation: a reply line does not begin with a code"]),
        ("٢٥٠ ok\r\n", ["violation: a reply line does not begin with a code"]),
        ("199 x\r\n", ["violation: the reply code 199 does not exist"]),
        ("600 x\r\n", ["violation: the reply code 600 does not exist"]),
        ("000 x\r\n", ["violation: the reply code 0 does not exist"]),
        ("2500 x\r\n", ["violation: a reply code is not followed by a space or a hyphen"]),
        ("250_x\r\n", ["violation: a reply code is not followed by a space or a hyphen"]),
        ("250-a\r\n550 b\r\n", ["violation: the lines of one reply have different codes"]),
        ("250-a\r\n354-b\r\n250 c\r\n", ["violation: the lines of one reply have different codes"]),
        ("250 a\r\nGET /\r\n", ["250|a", "violation: a reply line does not begin with a code"]),
        (line2000 + "\r\n", ["250|" + String(repeating: "x", count: 1996)]),
        (line2000 + "x\r\n", ["violation: a reply line is longer than 2000 octets"]),
        (line2000 + "xy", ["violation: a reply line is longer than 2000 octets"]),
    ]

    @Test(arguments: table) func `finds what is in a stream`(stream: String, expected: [String]) {
        #expect(Self.read(stream) == expected)
    }

    @Test(arguments: table) func `finds the same byte by byte`(stream: String, expected: [String]) {
        #expect(Self.read(stream.utf8.map { [$0] }) == expected)
    }

    @Test func `takes a hundred lines and not one more`() {
        let lines = String(repeating: "250-x\r\n", count: 99)
        #expect(Self.read(lines + "250 x\r\n").count == 1)
        #expect(Self.read(lines + "250-x\r\n250 x\r\n") == ["violation: a reply has more than 100 lines"])
    }

    @Test func `keeps text that is not UTF-8 without failing`() {
        #expect(Self.read([[50, 53, 48, 32, 0xFF, 0xE9, 13, 10]]) == ["250|\u{FFFD}\u{FFFD}"])
    }

    @Test func `keeps no control character beyond ASCII either`() {
        #expect(Self.read("250 a\u{85}b\u{9B}c\u{A0}d\r\n") == ["250|a b c\u{A0}d"])
    }

    @Test func `does not recover from what is not SMTP`() {
        var parser = SMTPReplyParser()
        parser.append("garbage\r\n250 ok\r\n".utf8)
        for _ in 0..<3 {
            #expect(throws: SMTPReplyParser.Violation.self) { _ = try parser.next() }
        }
    }

    @Test func `finds in any stream the same replies, however it is cut, and none with a code that does not exist`() {
        var random = SeededGenerator(seed: 11)
        let alphabet = Array("2345012 --\r\n\n\r\nx.".utf8)
        for _ in 0..<3000 {
            let stream = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            let whole = Self.read([stream])
            let cut = Int.random(in: 0...stream.count, using: &random)
            #expect(Self.read([Array(stream[..<cut]), Array(stream[cut...])]) == whole)
            #expect(Self.read(stream.map { [$0] }) == whole)
            for line in whole where !line.hasPrefix("v") && line != "leftover" {
                #expect("2345".contains(line.prefix(1)) && line.utf8.allSatisfy { $0 >= 32 })
            }
        }
    }
}

import Mailing
import TestSupport
import Testing

extension SMTPDialogue.Action {
    /// One line for each, so that a conversation can be read.
    fileprivate var told: String {
        func text(_ bytes: [UInt8]) -> String {
            String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").joined(separator: "\\")
        }
        switch self {
        case .write(let bytes, let phase, let seconds): return "\(text(bytes)) (\(phase), \(seconds) s)"
        case .read: return "read"
        case .writeBody(let seconds): return "body (\(seconds) s)"
        case .armed: return "armed"
        case .refused(let phase, let reply, let next, _):
            return "refused at \(phase) by \(reply.code), then \(next.map(text) ?? "nothing")"
        case .answered(let reply, let ends): return "answered \(reply.code)\(ends ? ", the end" : "")"
        case .ready: return "ready"
        case .abandon(let phase, _): return "abandon at \(phase)"
        }
    }
}

/// A dialogue with its events as text: `S: …` is what the server sends, the rest are calls.
private func converse(_ events: [String], extensions: SMTPExtensions = .init(), recipient: String = "kim@b.example")
    throws -> [String]
{
    var dialogue = SMTPDialogue(timeouts: .init(), extensions: extensions)
    let envelope = Envelope(sender: try address("news@a.example"), recipient: try address(recipient))
    return events.map { event in
        switch event {
        case "begin": dialogue.begin(envelope, size: 42).told
        case "body": dialogue.bodyWritten().told
        case "dot": dialogue.dot().told
        case "lost": dialogue.lost("it broke").told
        default: dialogue.received((event + "\r\n").utf8).told
        }
    }
}

private let upToDot = ["begin", "250 ok", "250 ok", "354 go", "body", "dot"]

@Suite struct `The dialogue with a relay` {
    @Test func `hands over one message after another, each with the timeouts of RFC 5321 (SMTP-06)`() throws {
        let once = [
            "MAIL FROM:<news@a.example> (mail, 300 s)", "RCPT TO:<kim@b.example> (recipient, 300 s)",
            "DATA (data, 120 s)", "body (180 s)", "armed", ". (dot, 600 s)", "answered 250",
        ]
        let events = upToDot + ["250 queued"]
        #expect(try converse(events + events) == once + once)
    }

    @Test(arguments: ["250", "251", "252", "299"]) func `takes any 2yz to MAIL, RCPT and the dot`(code: String) throws {
        let told = try converse(["begin", code, code, "354", "body", "dot", code])
        #expect(told.last == "answered \(code)")
    }

    @Test(arguments: [
        (["begin"], "mail"), (["begin", "250"], "recipient"), (["begin", "250", "250"], "data"),
    ]) func `clears a refused transaction with RSET and goes on (SMTP-22)`(before: [String], phase: String) throws {
        for code in ["450", "451", "499", "500", "550", "552", "554"] {
            let told = try converse(before + [code + " no", "250 cleared", "begin"])
            #expect(
                Array(told.suffix(3)) == [
                    "refused at \(phase) by \(code), then RSET", "ready", "MAIL FROM:<news@a.example> (mail, 300 s)",
                ])
        }
    }

    @Test(arguments: [
        (["begin"], "mail"), (["begin", "250"], "recipient"), (["begin", "250", "250"], "data"),
    ]) func `ends without another byte when the server says 421`(before: [String], phase: String) throws {
        let told = try converse(before + ["421 going down", "lost"])
        #expect(Array(told.suffix(2)) == ["refused at \(phase) by 421, then nothing", "abandon at idle"])
    }

    @Test(arguments: [
        (["begin", "354"], "mail"), (["begin", "250", "354"], "recipient"), (["begin", "250", "250", "250"], "data"),
        (["begin", "550", "550"], "reset"), (["begin", "550", "421"], "reset"), (["begin", "550", "354"], "reset"),
        (["250 hello again"], "idle"), (["421 too idle"], "idle"), (["begin", "who are you"], "mail"),
        (upToDot + ["354"], "dot"), (upToDot + ["nonsense"], "dot"),
    ]) func `is abandoned when an answer is not one to the question`(events: [String], phase: String) throws {
        #expect(try converse(events).last == "abandon at \(phase)")
    }

    @Test(arguments: [
        (["begin", "250 a\r\n250 b"], "mail"), (["begin", "550 a\r\n250 b"], "mail"),
        (["begin", "250", "250 a\r\n354 b"], "recipient"), (["begin", "250", "250", "354 a\r\n250 b"], "data"),
        (["begin", "250", "250", "550 a\r\n250 b"], "data"), (["begin", "550", "250 a\r\n250 b"], "reset"),
        (upToDot + ["250 a\r\n250 b"], "dot"), (upToDot + ["550 a\r\n250 b"], "dot"),
        (upToDot + ["354 a\r\n250 b"], "dot"),
    ]) func `is abandoned when the server answers more than it was asked`(events: [String], phase: String) throws {
        #expect(try converse(events).last == "abandon at \(phase)")
    }

    @Test(arguments: ["250", "451", "550"]) func `believes a reply to the dot although a 421 follows it at once`(
        code: String
    ) throws {
        #expect(try converse(upToDot + [code + " a\r\n421 bye"]).last == "answered \(code), the end")
    }

    @Test(arguments: [("250", false), ("451", false), ("554", false), ("421", true)])
    func `tells the reply to the dot, and whether the connection goes on`(code: String, ends: Bool) throws {
        #expect(try converse(upToDot + [code]).last == "answered \(code)\(ends ? ", the end" : "")")
    }

    @Test(arguments: ["2", "250", "250 queued\r\n", "x", "\n"])
    func `is abandoned without the dot at any byte between the 354 and the dot`(bytes: String) throws {
        for writesBody in [false, true] {
            var dialogue = SMTPDialogue(timeouts: .init(), extensions: .init())
            let envelope = Envelope(sender: try address("a@a.example"), recipient: try address("b@b.example"))
            _ = dialogue.begin(envelope, size: 1)
            for line in ["250\r\n", "250\r\n", "354\r\n"] { _ = dialogue.received(line.utf8) }
            if writesBody { _ = dialogue.bodyWritten() }
            let action = dialogue.received(bytes.utf8)
            #expect(action.told == "abandon at body")
            #expect(dialogue.isClosed)
        }
    }

    @Test func `begins nothing on a connection where the server has spoken already`() throws {
        var dialogue = SMTPDialogue(timeouts: .init(), extensions: .init())
        let waiting = dialogue.received("42".utf8)
        #expect(waiting == .read)
        let envelope = Envelope(sender: try address("a@a.example"), recipient: try address("b@b.example"))
        let action = dialogue.begin(envelope, size: 1)
        #expect(action.told == "abandon at idle")
        #expect(dialogue.isClosed)
    }

    @Test(arguments: [
        (["begin"], "mail"), (["begin", "250"], "recipient"), (["begin", "250", "250"], "data"),
        (["begin", "250", "250", "354"], "body"), (["begin", "250", "250", "354", "body"], "body"),
        (upToDot, "dot"), (["begin", "550"], "reset"), ([], "idle"), (upToDot + ["250"], "idle"),
    ]) func `that breaks tells where, so that doubt begins with the dot and not before`(
        before: [String], phase: String
    ) throws {
        #expect(try converse(before + ["lost"]).last == "abandon at \(phase)")
    }

    @Test func `reads a reply byte by byte and waits for all of its lines`() throws {
        let bytes = "250-first\r\n250 last\r\n".utf8
        var dialogue = SMTPDialogue(timeouts: .init(), extensions: .init())
        _ = dialogue.begin(Envelope(sender: try address("a@a.example"), recipient: try address("b@b.example")), size: 1)
        var told: [String] = []
        for byte in bytes { told.append(dialogue.received([byte]).told) }
        #expect(told.dropLast().allSatisfy { $0 == "read" })
        #expect(told.last == "RCPT TO:<b@b.example> (recipient, 300 s)")
    }

    @Test func `names size and SMTPUTF8 only to a server that offers them`() throws {
        var offered = SMTPExtensions()
        offered.size = true
        #expect(try converse(["begin"], extensions: offered) == ["MAIL FROM:<news@a.example> SIZE=42 (mail, 300 s)"])
        offered.smtpUTF8 = true
        #expect(
            try converse(["begin", "250"], extensions: offered, recipient: "jörg@b.example") == [
                "MAIL FROM:<news@a.example> SIZE=42 SMTPUTF8 (mail, 300 s)",
                "RCPT TO:<jörg@b.example> (recipient, 300 s)",
            ])
    }

    @Test func `refuses before MAIL an address that the server cannot take, and serves the next (SMTP-18)`() throws {
        var dialogue = SMTPDialogue(timeouts: .init(), extensions: .init())
        let (plain, other) = (try address("a@a.example"), try address("jörg@b.example"))
        for (sender, recipient, phase) in [(plain, other, SMTPPhase.recipient), (other, plain, .mail)] {
            let action = dialogue.begin(Envelope(sender: sender, recipient: recipient), size: 1)
            guard case .refused(phase, let reply, next: nil, _) = action else {
                Issue.record("\(action)")
                continue
            }
            #expect(reply.enhanced == EnhancedStatusCode(5, 6, 7))
            #expect(dialogue.isIdle)
        }
        let next = dialogue.begin(Envelope(sender: plain, recipient: plain), size: 1)
        #expect(next.told == "MAIL FROM:<a@a.example> (mail, 300 s)")
    }

    @Test func `never asks for a dot by itself, whatever the server sends`() throws {
        var random = SeededGenerator(seed: 5)
        let envelope = Envelope(sender: try address("a@a.example"), recipient: try address("b@b.example"))
        let said = ["250\r\n", "354\r\n", "250-x\r\n", "550 no\r\n", "421\r\n", "2", ".\r\n", "\r\n", "450\r\n250\r\n"]
        var armed = 0
        for _ in 0..<4000 {
            var dialogue = SMTPDialogue(timeouts: .init(), extensions: .init())
            var action = dialogue.begin(envelope, size: 1)
            for _ in 0..<8 where !dialogue.isClosed {
                if case .write(let bytes, let phase, _) = action {
                    #expect(phase != .dot && bytes.first != 46)
                }
                if case .refused(_, _, let next?, _) = action { #expect(next == Array("RSET\r\n".utf8)) }
                if case .armed = action { armed += 1 }
                if case .writeBody = action {
                    action = dialogue.bodyWritten()
                } else if dialogue.isIdle {
                    action = dialogue.begin(envelope, size: 1)
                } else {
                    action = dialogue.received(said[Int.random(in: 0..<said.count, using: &random)].utf8)
                }
            }
        }
        #expect(armed > 0)
    }

    @Test func `writes a dot only behind a whole body, or the program is wrong`() async throws {
        await #expect(processExitsWith: .failure) {
            var dialogue = SMTPDialogue(timeouts: .init(), extensions: .init())
            _ = dialogue.dot()
        }
        await #expect(processExitsWith: .failure) {
            var dialogue = SMTPDialogue(timeouts: .init(), extensions: .init())
            let mailbox = EmailAddress(stored: "a@a.example", key: "a@a.example")
            _ = dialogue.begin(Envelope(sender: mailbox, recipient: mailbox), size: 1)
            for line in ["250\r\n", "250\r\n", "354\r\n"] { _ = dialogue.received(line.utf8) }
            _ = dialogue.dot()
        }
        await #expect(processExitsWith: .failure) {
            var dialogue = SMTPDialogue(timeouts: .init(), extensions: .init())
            _ = dialogue.bodyWritten()
        }
    }
}

@Suite struct `What a server offers` {
    @Test(arguments: [
        ("SIZE 1000", true, false, false), ("size", true, false, false), ("SMTPUTF8", false, true, false),
        ("AUTH PLAIN LOGIN", false, false, true), ("AUTH", false, false, false), ("SIZES", false, false, false),
        ("8BITMIME", false, false, false), ("", false, false, false), ("X SIZE", false, false, false),
    ]) func `is read from the lines of its EHLO reply`(line: String, size: Bool, utf8: Bool, authentication: Bool) {
        var extensions = SMTPExtensions()
        extensions.take(line)
        #expect(extensions.size == size)
        #expect(extensions.smtpUTF8 == utf8)
        #expect(extensions.authentication == authentication)
    }
}

@Suite struct `Dot stuffing` {
    /// What a server does: RFC 5321 4.5.2, second rule.
    static func unstuffed(_ bytes: [UInt8]) -> [UInt8] {
        var (output, atLineStart) = ([UInt8](), true)
        for byte in bytes {
            if !(atLineStart && byte == 46) { output.append(byte) }
            atLineStart = byte == 10
        }
        return output
    }

    @Test(arguments: [
        ("", ""), (".", "..\r\n"), ("a", "a\r\n"), ("a\r\n", "a\r\n"), (".\r\n", "..\r\n"), ("a.\r\n", "a.\r\n"),
        ("..a\r\n.\r\nb", "...a\r\n..\r\nb\r\n"), ("\r\n.\r\n", "\r\n..\r\n"), ("\r\n\r\n", "\r\n\r\n"),
    ]) func `puts a dot before each line that begins with one, and ends the last line`(text: String, stuffed: String) {
        #expect(DotStuffing.stuffed(Array(text.utf8)) == Array(stuffed.utf8))
    }

    @Test func `is undone by the server, and no line of it is a lone dot, for any text with CRLF ends (SMTP-10)`() {
        var random = SeededGenerator(seed: 3)
        let parts = [".", "..", "a", "\r\n", "\r\n", "é", ".\r\n"].map { Array($0.utf8) }
        for _ in 0..<5000 {
            let count = Int.random(in: 0...20, using: &random)
            let text = (0..<count).flatMap { _ in parts[Int.random(in: 0..<parts.count, using: &random)] }
            let stuffed = DotStuffing.stuffed(text)
            let whole = text.isEmpty || text.suffix(2) == [13, 10] ? text : text + [13, 10]
            #expect(Self.unstuffed(stuffed) == whole)
            #expect(!stuffed.split(separator: 10).contains { $0 == [46, 13] })
        }
    }
}

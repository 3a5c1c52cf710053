/// The envelope of one message (RFC 5321 2.3.1).
package struct Envelope: Hashable, Sendable {
    /// The reverse-path; what cannot be delivered comes back here.
    package var sender: EmailAddress
    package var recipient: EmailAddress

    package init(sender: EmailAddress, recipient: EmailAddress) {
        self.sender = sender
        self.recipient = recipient
    }
}

/// Where in a session something happened.
package enum SMTPPhase: String, Hashable, Sendable, CaseIterable {
    case connect
    case greeting
    case hello
    case encryption
    case authentication
    case mail
    case recipient
    case data
    case body
    /// From the first byte of the final dot to the reply to it.
    case dot
    case reset
    case idle
}

/// One mail transaction after another on one connection: bytes in, actions out.
///
/// The connection is greeted, encrypted and authenticated already. The dialogue never asks for a dot by itself: it
/// reports `armed` when all but the dot is written, and `dot()` is the caller's decision. Any byte from the server
/// between its 354 and our dot ends the session, because it could be mistaken for the reply to the dot.
package struct SMTPDialogue: Sendable {
    /// Seconds to wait in each phase; the defaults are those of RFC 5321 4.5.3.2.
    package struct Timeouts: Hashable, Sendable {
        package var mail = 300
        package var recipient = 300
        package var data = 120
        package var body = 180
        package var dot = 600
        /// The refusal before it is known already, so nothing is lost by ending the connection instead.
        package var reset = 20

        package init() {}
    }

    private enum State: Hashable, Sendable {
        /// Between transactions. Can become: mail, closed.
        case idle
        /// MAIL is written. Can become: recipient, resetting, closed.
        case mail
        /// RCPT is written. Can become: data, resetting, closed.
        case recipient
        /// DATA is written. Can become: body, resetting, closed.
        case data
        /// The server said 354. Can become: armed, closed.
        case body
        /// All but the dot is written. Can become: dot, closed.
        case armed
        /// The dot is written, or at least begun. Can become: idle, closed.
        case dot
        /// RSET is written. Can become: idle, closed.
        case resetting
        case closed
    }

    /// What the caller is to do next.
    package enum Action: Hashable, Sendable {
        /// Write these bytes, then read within so many seconds.
        case write([UInt8], phase: SMTPPhase, seconds: Int)
        /// Read on: no whole reply has arrived yet.
        case read
        /// Write the body (dot-stuffed, ending in CRLF, without the dot), then call `bodyWritten`.
        case writeBody(seconds: Int)
        /// All but the dot is written.
        case armed
        /// This message is refused. The connection goes on with these bytes, if there are any; without them it serves
        /// the next message if `isIdle`, and must be closed if not.
        case refused(SMTPPhase, SMTPReply, next: [UInt8]?, seconds: Int)
        /// The reply to the dot.
        case answered(SMTPReply, connectionEnds: Bool)
        /// Ready for the next message.
        case ready
        /// Close the connection without another byte. In the phase `dot` the outcome is unknown.
        case abandon(SMTPPhase, String)
    }

    private var state = State.idle
    private var parser = SMTPReplyParser()
    private var envelope: Envelope?
    private let timeouts: Timeouts
    private let extensions: SMTPExtensions

    package init(timeouts: Timeouts, extensions: SMTPExtensions) {
        self.timeouts = timeouts
        self.extensions = extensions
    }

    package var isIdle: Bool { state == .idle }
    package var isClosed: Bool { state == .closed }

    /// Begins a transaction. To be called only when idle.
    package mutating func begin(_ envelope: Envelope, size: Int) -> Action {
        precondition(state == .idle, "a transaction begins on an idle connection")
        guard !parser.hasLeftover else { return abandon(.idle, "the server spoke without being asked") }
        let needsSMTPUTF8 = envelope.sender.needsSMTPUTF8 || envelope.recipient.needsSMTPUTF8
        guard !needsSMTPUTF8 || extensions.smtpUTF8 else {
            let text = "5.6.7 the address needs SMTPUTF8, which the relay does not offer"
            let reply = SMTPReply(code: 553, lines: [text])
            return .refused(envelope.sender.needsSMTPUTF8 ? .mail : .recipient, reply, next: nil, seconds: 0)
        }
        self.envelope = envelope
        state = .mail
        var command = "MAIL FROM:<\(envelope.sender)>"
        if extensions.size { command += " SIZE=\(size)" }
        if needsSMTPUTF8 { command += " SMTPUTF8" }
        return .write(line(command), phase: .mail, seconds: timeouts.mail)
    }

    /// Takes what the server sent.
    package mutating func received(_ bytes: some Sequence<UInt8>) -> Action {
        parser.append(bytes)
        if state == .body || state == .armed {
            return parser.hasLeftover ? abandon(.body, "the server spoke before the final dot") : .read
        }
        do throws(SMTPReplyParser.Violation) {
            guard let reply = try parser.next() else { return .read }
            guard parser.hasLeftover else { return take(reply) }
            guard state == .dot, reply.severity != .intermediate, try parser.next()?.code ?? 421 == 421 else {
                return abandon(phase, "the server sent more than one reply")
            }
            // RFC 5321 3.8: a 421 comes unasked, so the reply before it is the one to the dot.
            state = .closed
            return .answered(reply, connectionEnds: true)
        } catch {
            return abandon(phase, error.description)
        }
    }

    /// The body has been written without its dot.
    package mutating func bodyWritten() -> Action {
        precondition(state == .body, "a body follows a 354")
        state = .armed
        return .armed
    }

    /// The intent is recorded: the dot may go.
    package mutating func dot() -> Action {
        precondition(state == .armed, "a dot follows a whole body")
        state = .dot
        return .write([46, 13, 10], phase: .dot, seconds: timeouts.dot)
    }

    /// The connection broke or a timeout ran out.
    package mutating func lost(_ reason: String) -> Action {
        abandon(phase, reason)
    }

    private var phase: SMTPPhase {
        switch state {
        case .idle, .closed: .idle
        case .mail: .mail
        case .recipient: .recipient
        case .data: .data
        case .body, .armed: .body
        case .dot: .dot
        case .resetting: .reset
        }
    }

    private mutating func take(_ reply: SMTPReply) -> Action {
        switch (state, reply.severity) {
        case (.mail, .positive):
            guard let envelope else { return abandon(.mail, "there is no envelope") }
            state = .recipient
            return .write(line("RCPT TO:<\(envelope.recipient)>"), phase: .recipient, seconds: timeouts.recipient)
        case (.recipient, .positive):
            state = .data
            return .write(line("DATA"), phase: .data, seconds: timeouts.data)
        case (.data, .intermediate):
            state = .body
            return .writeBody(seconds: timeouts.body)
        case (.mail, .temporary), (.mail, .permanent), (.recipient, .temporary), (.recipient, .permanent),
            (.data, .temporary), (.data, .permanent):
            return refuse(reply)
        case (.dot, .positive), (.dot, .temporary), (.dot, .permanent):
            state = reply.code == 421 ? .closed : .idle
            return .answered(reply, connectionEnds: reply.code == 421)
        case (.resetting, .positive):
            state = .idle
            return .ready
        default:
            return abandon(phase, "the server answered \(reply.code) at the wrong place")
        }
    }

    /// RFC 5321 4.1.1.5: RSET clears the transaction, and the connection serves the next message.
    private mutating func refuse(_ reply: SMTPReply) -> Action {
        let refusedPhase = phase
        guard reply.code != 421 else {
            state = .closed
            return .refused(refusedPhase, reply, next: nil, seconds: 0)
        }
        state = .resetting
        return .refused(refusedPhase, reply, next: line("RSET"), seconds: timeouts.reset)
    }

    private mutating func abandon(_ phase: SMTPPhase, _ reason: String) -> Action {
        state = .closed
        return .abandon(phase, reason)
    }

    private func line(_ command: String) -> [UInt8] { Array(command.utf8) + [13, 10] }
}

/// What the server offered in its reply to EHLO (RFC 5321 4.1.1.1), as far as it matters to us.
package struct SMTPExtensions: Hashable, Sendable {
    package var size = false
    package var smtpUTF8 = false
    package var authentication = false

    package init() {}

    /// Reads one line of the reply, without code.
    package mutating func take(_ line: String) {
        let words = line.uppercased().split(separator: " ")
        switch words.first {
        case "SIZE": size = true
        case "SMTPUTF8": smtpUTF8 = true
        case "AUTH": authentication = words.count > 1
        default: break
        }
    }
}

/// Transparency of RFC 5321 4.5.2.
package enum DotStuffing {
    /// The body with a dot put before each line that begins with one, and a CRLF at its end; without the final dot.
    ///
    /// The message must have CRLF line ends only; the composer sees to that.
    package static func stuffed(_ message: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(message.count + 64)
        var atLineStart = true
        for byte in message {
            if atLineStart, byte == 46 { output.append(46) }
            output.append(byte)
            atLineStart = byte == 10
        }
        if !message.isEmpty, !atLineStart { output.append(contentsOf: [13, 10]) }
        return output
    }
}

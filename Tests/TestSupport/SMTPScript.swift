/// What a `CountingSMTPServer` does at each turn of the dialogue. Without rules everything succeeds.
///
/// A script is a table: of the rules that fit an event and are not used up, the first one written wins.
/// A closure, if given, is asked about what no rule answered.
package struct SMTPScript: Sendable {
    /// The turns at which the server asks its script.
    package enum Phase: Sendable, Hashable, CaseIterable {
        /// The connection was accepted; nothing has been sent. Default: go on to the greeting.
        case connect
        /// The server is about to greet.
        case greeting
        /// EHLO or HELO was read.
        case ehlo
        /// STARTTLS was read; a reply of 2yz begins the handshake.
        case starttls
        /// The client's first bytes of TLS have come, and none of ours have gone.
        case handshake
        /// Credentials were read; the default answers by whether they are right.
        case auth
        case mail
        case rcpt
        /// DATA was read; a reply of 3yz opens the body.
        case data
        /// The reply 354 has been sent. What is sent here stands between the 354 and the dot.
        case body
        /// Some bytes of the body came, not yet the dot. Asked once for each `recv`.
        case bodyProgress
        /// The final dot was read. A reply of 2yz accepts the message.
        case dot
        case rset
        case noop
        case quit
        /// A reply to EHLO, to AUTH or to RSET was good or a message has had its answer, and the server waits for the
        /// next command.
        case idle
    }

    /// A turn of the dialogue, with what is known at that moment.
    package struct Event: Sendable {
        /// Which turn it is.
        package let phase: Phase
        /// Connections are counted from 1.
        package let connection: Int
        /// How many times this phase has come on this server with this script, from 1.
        package internal(set) var occurrence: Int
        /// The sender of the open transaction (in `.mail`: the one that was just named).
        package let mailFrom: String?
        /// In `.rcpt` the recipient that was just named; otherwise nil.
        package let recipient: String?
        /// The recipients that were accepted in the open transaction.
        package let recipients: [String]
        /// Bytes of the body received so far.
        package let bodyBytes: Int
    }

    /// What to do at a turn.
    package indirect enum Action: Sendable {
        /// The ordinary, successful answer.
        case proceed
        /// This reply instead (lines parted by "\n"; CRLF is added). After a 421 the server closes, as the RFC says.
        case reply(String)
        /// This reply, then FIN.
        case replyThenClose(String)
        /// Later. At `.idle` a command that comes before is served as if nothing had been planned.
        case delay(Duration, then: Action)
        /// As soon as the condition holds, which is asked every 2 ms on the thread of the connection.
        case when(@Sendable () -> Bool, then: Action)
        /// FIN without a reply. After the dot: the message does not count as accepted.
        case closeConnection
        /// RST without a reply.
        case reset
        /// Neither a reply nor a close, until the client closes or the server stops.
        case stall
        /// The reply in single bytes, `interval` apart.
        case byteByByte(String, interval: Duration)
        /// These bytes as they are, in one `send`; their first three digits, if any, count as the code.
        case raw([UInt8])
        /// Neither a word nor a close nor a `recv`, until the server stops.
        case deaf
        /// One after another. The code of the first one counts.
        case sequence([Action])
        /// In TLS: the word that nothing more will be sent (close_notify), without a FIN.
        case endTLS
        /// In TLS: these bytes in clear, outside of it.
        case pastTLS([UInt8])
        /// At `.handshake`: this certificate instead of the server's own.
        case presenting(ServerCertificate)
        /// At `.dot`: the message counts as accepted, whatever the client gets to see of it.
        case taking(Action)
    }

    private struct Rule: Sendable {
        let phase: Phase
        let connection: Int?
        let occurrence: Int?
        let mailFrom: String?
        let recipient: String?
        let action: Action
        var usesLeft: Int?

        func fits(_ event: Event) -> Bool {
            guard phase == event.phase, usesLeft != 0 else { return false }
            if let connection, connection != event.connection { return false }
            if let occurrence, occurrence != event.occurrence { return false }
            if let mailFrom, mailFrom != event.mailFrom { return false }
            if let recipient, event.recipient != recipient, !event.recipients.contains(recipient) { return false }
            return true
        }
    }

    private var rules: [Rule] = []
    private var occurrences: [Phase: Int] = [:]
    let otherwise: @Sendable (Event) -> Action?

    /// Everything succeeds.
    package static let success = SMTPScript()

    /// - Parameter otherwise: asked about every event that no rule answers; nil means the ordinary answer.
    ///   It is called on the thread of the connection, several at a time.
    package init(otherwise: @escaping @Sendable (Event) -> Action? = { _ in nil }) {
        self.otherwise = otherwise
    }

    /// A copy with one more rule.
    ///
    /// - Parameters:
    ///   - connection: only on this connection (from 1).
    ///   - occurrence: only the n-th time that the phase comes (from 1), counted over all connections.
    ///   - mailFrom: only in transactions of this envelope sender.
    ///   - recipient: in `.rcpt` only for this recipient, later only if the transaction has it.
    ///   - times: the rule is used up after so many uses.
    package func on(
        _ phase: Phase, connection: Int? = nil, occurrence: Int? = nil, mailFrom: String? = nil,
        recipient: String? = nil, times: Int? = nil, _ action: Action
    ) -> SMTPScript {
        var copy = self
        copy.rules.append(
            Rule(
                phase: phase, connection: connection, occurrence: occurrence, mailFrom: mailFrom,
                recipient: recipient, action: action, usesLeft: times))
        return copy
    }

    /// Counts the event and uses up the rule that answers it, if there is one.
    mutating func next(_ event: inout Event) -> Action? {
        occurrences[event.phase, default: 0] += 1
        event.occurrence = occurrences[event.phase] ?? 1
        guard let index = rules.firstIndex(where: { [event] in $0.fits(event) }) else { return nil }
        rules[index].usesLeft = rules[index].usesLeft.map { $0 - 1 }
        return rules[index].action
    }
}

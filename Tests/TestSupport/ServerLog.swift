import Synchronization

/// A message whose final dot the server has read, accepted or not.
package struct ReceivedMessage: Sendable {
    /// 1 for the first dot that this server read, and so on.
    package let sequence: Int
    /// The connection, counted from 1.
    package let connection: Int
    /// Without brackets; empty for the null sender.
    package let mailFrom: String
    /// The recipients that were accepted, without brackets.
    package let recipients: [String]
    /// What MAIL said after the address, names in capitals.
    package let mailParameters: [String: String]
    /// The message without dot stuffing, the dot itself left out.
    package let data: [UInt8]
    /// When the `recv` that brought the end of the dot returned: `CLOCK_MONOTONIC`, nanoseconds.
    package let dotAt: UInt64
    /// When the reply had been handed to the kernel; nil as long as there is none.
    package internal(set) var repliedAt: UInt64?
    /// The reply without its last CRLF; empty as long as there is none.
    package internal(set) var reply: String = ""
    /// Whether the server took the message: it answered 2yz, or was about to when the client left, or its script says
    /// so.
    package internal(set) var wasAccepted = false

    /// The code of the reply; nil if there is no reply or none that begins with three digits.
    package var replyCode: Int? { ServerReply.code(of: reply) }

    /// Whether the client has to expect that the message was taken: anything but a 4yz or 5yz reply.
    package var mayHaveBeenTaken: Bool { wasAccepted || !(400...599).contains(replyCode ?? 0) }

    /// The message as text; bytes that are not UTF-8 become U+FFFD.
    package var text: String { String(decoding: data, as: UTF8.self) }

    /// The unfolded values of a header field, by its name in any case.
    package func header(_ name: String) -> [String] {
        var values: [String] = []
        var isWanted = false
        for line in text.split(separator: "\r\n", omittingEmptySubsequences: false) {
            if line.isEmpty { break }
            if line.hasPrefix(" ") || line.hasPrefix("\t") {
                if isWanted, let last = values.indices.last { values[last] += line }
                continue
            }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            isWanted = parts.count == 2 && parts[0].lowercased() == name.lowercased()
            if isWanted { values.append(String(parts[1].drop { $0 == " " })) }
        }
        return values
    }

    /// The value of `Message-ID`, brackets included.
    package var messageID: String? { header("Message-ID").first }
}

/// A body that ended without its dot because the connection did.
package struct AbortedTransaction: Sendable {
    /// The connection, counted from 1.
    package let connection: Int
    /// Without brackets.
    package let mailFrom: String
    /// Those that were accepted.
    package let recipients: [String]
    /// What had come of the body, as sent.
    package let received: [UInt8]
    /// Whether the client closed; else the script or `stop()` did.
    package let closedByClient: Bool
}

/// All that a server has seen so far.
package struct ServerSnapshot: Sendable {
    /// Every message whose dot was read, in the order of the dots.
    package internal(set) var messages: [ReceivedMessage] = []
    /// Bodies whose dot never came.
    package internal(set) var aborted: [AbortedTransaction] = []
    /// What the client did that the standards forbid, each with its connection.
    package internal(set) var violations: [String] = []
    /// Accepted TCP connections.
    package internal(set) var connectionsOpened = 0
    /// Those of them that are over.
    package internal(set) var connectionsClosed = 0
    /// How often the script asked for something else than the ordinary answer and that was done. A stall counts when it
    /// begins; what closes the connection counts there alone.
    package internal(set) var scripted = 0
    /// TLS handshakes that were finished.
    package internal(set) var handshakes = 0
    /// Why the others were not: OpenSSL's words, or what the client did.
    package internal(set) var failedHandshakes: [String] = []
    /// QUIT commands.
    package internal(set) var quits = 0
    /// MAIL commands that were accepted.
    package internal(set) var transactions = 0
    /// Bodies of which some bytes were read.
    package internal(set) var bodies = 0
    /// User names that were let in, one for each AUTH.
    package internal(set) var authentications: [String] = []
    /// AUTH exchanges that did not let the client in.
    package internal(set) var failedAuthentications = 0
    /// Every command as "CONNECTION COMMAND", without credentials; the first 100,000.
    package internal(set) var commands: [String] = []

    /// Nothing seen yet.
    package init() {}

    /// The messages that the server took.
    package var accepted: [ReceivedMessage] { messages.filter(\.wasAccepted) }

    /// When each dot was read, accepted or not: `CLOCK_MONOTONIC`, nanoseconds.
    package var dotTimes: [UInt64] { messages.map(\.dotAt) }

    /// Recipients to whom a message was handed over again although an earlier dot was accepted or never answered, as
    /// "MESSAGE-ID to RECIPIENT". A message without Message-ID is known by its sender and content.
    package var handedOverTwice: [String] {
        var taken: Set<String> = []
        var twice: [String] = []
        for message in messages {
            let identity = message.messageID ?? "\(message.mailFrom) \(message.text.hashValue)"
            for recipient in message.recipients {
                let key = "\(identity) to \(recipient)"
                if taken.contains(key) { twice.append(key) }
                if message.mayHaveBeenTaken { taken.insert(key) }
            }
        }
        return twice
    }

    /// How many accepted messages each recipient got.
    package var acceptedPerRecipient: [String: Int] {
        var counts: [String: Int] = [:]
        for recipient in accepted.flatMap(\.recipients) { counts[recipient, default: 0] += 1 }
        return counts
    }
}

/// What the threads of a server share.
final class ServerLog: Sendable {
    private struct State {
        var snapshot = ServerSnapshot()
        var script: SMTPScript
    }
    private let state: Mutex<State>

    init(script: SMTPScript) {
        state = Mutex(State(script: script))
    }

    var snapshot: ServerSnapshot { state.withLock { $0.snapshot } }

    func use(_ script: SMTPScript) {
        state.withLock { $0.script = script }
    }

    func note(_ change: @Sendable (inout ServerSnapshot) -> Void) {
        state.withLock { change(&$0.snapshot) }
    }

    /// Asks the script. The closure of a script is called without the lock: it may ask for a snapshot.
    func decide(_ event: SMTPScript.Event) -> SMTPScript.Action {
        let (action, counted, otherwise) = state.withLock { state in
            var counted = event
            let action = state.script.next(&counted)
            return (action, counted, state.script.otherwise)
        }
        return action ?? otherwise(counted) ?? .proceed
    }

    /// Returns the number of the new connection.
    func opened() -> Int {
        state.withLock { state in
            state.snapshot.connectionsOpened += 1
            return state.snapshot.connectionsOpened
        }
    }

    func violation(_ text: String, connection: Int) {
        note { if $0.violations.count < 1000 { $0.violations.append("connection \(connection): \(text)") } }
    }

    func command(_ text: String, connection: Int) {
        note { if $0.commands.count < 100_000 { $0.commands.append("\(connection) \(text)") } }
    }

    /// Records a dot and returns its sequence number. `message` makes the record for that number.
    func dot(_ message: @Sendable (Int) -> ReceivedMessage) -> Int {
        state.withLock { state in
            let sequence = state.snapshot.messages.count + 1
            state.snapshot.messages.append(message(sequence))
            return sequence
        }
    }

    func settle(_ sequence: Int, _ change: @Sendable (inout ReceivedMessage) -> Void) {
        note { snapshot in
            guard snapshot.messages.indices.contains(sequence - 1) else { return }
            change(&snapshot.messages[sequence - 1])
        }
    }
}

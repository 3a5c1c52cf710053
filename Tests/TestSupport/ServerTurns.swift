import Glibc

/// Replies as text.
enum ServerReply {
    /// The first three characters as a number, if they are digits and no more digits follow.
    static func code(of reply: String) -> Int? {
        let digits = reply.utf8.prefix { (48...57).contains($0) }
        return digits.count == 3 ? Int(String(decoding: Array(digits), as: UTF8.self)) : nil
    }

    /// Lines parted by "\n" as bytes with CRLF, the last one too.
    static func bytes(_ reply: String) -> [UInt8] {
        let lines = reply.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.flatMap { Array($0.utf8).filter { $0 != 13 } + [13, 10] }
    }
}

extension SMTPScript.Action {
    /// The code that will be sent in the end when the ordinary reply is `standard`; nil if none.
    func finalCode(standard: String) -> Int? {
        switch self {
        case .proceed: ServerReply.code(of: standard)
        case .reply(let text), .replyThenClose(let text), .byteByByte(let text, _): ServerReply.code(of: text)
        case .raw(let bytes): ServerReply.code(of: String(decoding: bytes, as: UTF8.self))
        case .delay(_, let then), .when(_, let then), .taking(let then): then.finalCode(standard: standard)
        case .sequence(let actions): actions.first?.finalCode(standard: standard)
        case .closeConnection, .reset, .stall, .deaf, .endTLS, .pastTLS, .presenting: nil
        }
    }
}

/// Carries out what the script says at each turn of one connection.
struct ServerTurns {
    /// What follows a reply within one turn.
    private static let afterwards = "afterwards"
    /// Turns at which the client's bytes are no breach. With TLS from the first byte on, the client speaks first.
    private static let clientMaySpeak: Set<String> = ["connecting", "handshake", "body", afterwards]

    let number: Int
    let connection: ServerConnection
    let log: ServerLog
    /// The message whose dot is being answered.
    var openMessage: Int?

    init(number: Int, connection: ServerConnection, log: ServerLog) {
        self.number = number
        self.connection = connection
        self.log = log
    }

    func violation(_ text: String) {
        log.violation(text, connection: number)
    }

    /// Carries out `action`; `standard` is the ordinary reply ("" for none), `turn` names the turn in violations.
    /// Returns the code of the reply that was sent.
    @discardableResult
    func perform(_ action: SMTPScript.Action, standard: String, turn: String) throws(ConnectionEnding) -> Int? {
        if case .proceed = action { return try reply(standard, turn) }
        let code = try carryOut(action, standard: standard, turn: turn)
        log.note { $0.scripted += 1 }
        return code
    }

    private func carryOut(
        _ action: SMTPScript.Action, standard: String, turn: String
    ) throws(ConnectionEnding) -> Int? {
        switch action {
        case .proceed, .presenting:
            return try reply(standard, turn)
        case .reply(let text):
            let code = try reply(text, turn)
            guard code == 421 else { return code }
            connection.sayFarewell()
            throw .scripted
        case .replyThenClose(let text):
            try reply(text, turn)
            connection.sayFarewell()
            throw .scripted
        case .delay(let duration, let then):
            try wait(for: duration, before: then, standard: standard)
            return try carryOut(then, standard: standard, turn: turn)
        case .when(let holds, let then):
            while !holds() { try connection.pause(until: MonotonicClock.now() + 2_000_000) }
            return try carryOut(then, standard: standard, turn: turn)
        case .closeConnection:
            reportEarlyBytes(turn)
            throw .scripted
        case .reset:
            connection.close(reset: true)
            throw .scripted
        case .stall:
            log.note { $0.scripted += 1 }
            defer { reportEarlyBytes(turn) }
            try connection.pause(until: nil)
            return nil
        case .deaf:
            log.note { $0.scripted += 1 }
            try connection.turnDeaf()
            return nil
        case .endTLS:
            connection.sayFarewell()
            return nil
        case .pastTLS(let bytes):
            try connection.writeInClear(bytes)
            return nil
        case .sequence(let actions):
            guard let first = actions.first else { return nil }
            let code = try carryOut(first, standard: standard, turn: turn)
            for action in actions.dropFirst() {
                _ = try carryOut(action, standard: standard, turn: Self.afterwards)
            }
            return code
        case .byteByByte(let text, let interval):
            return try replySlowly(text, interval, turn)
        case .raw(let bytes):
            return try send(bytes, text: String(decoding: bytes, as: UTF8.self), turn)
        case .taking(let then):
            markAccepted()
            return try carryOut(then, standard: standard, turn: turn)
        }
    }

    private func wait(
        for duration: Duration, before then: SMTPScript.Action, standard: String
    ) throws(ConnectionEnding) {
        do {
            try connection.pause(until: MonotonicClock.now() + duration.nanoseconds)
        } catch {
            // A real server accepts what it was about to accept, also when the client is gone by then.
            if then.finalCode(standard: standard).map({ $0 / 100 == 2 }) ?? false { markAccepted() }
            throw error
        }
    }

    private func markAccepted() {
        if let openMessage { log.settle(openMessage) { $0.wasAccepted = true } }
    }

    @discardableResult
    private func reply(_ text: String, _ turn: String) throws(ConnectionEnding) -> Int? {
        if text.isEmpty { return nil }
        return try send(ServerReply.bytes(text), text: text, turn)
    }

    private func send(_ bytes: [UInt8], text: String, _ turn: String) throws(ConnectionEnding) -> Int? {
        reportEarlyBytes(turn)
        let code = ServerReply.code(of: text)
        if code.map({ $0 / 100 == 2 }) ?? false { markAccepted() }
        settle(text, at: try connection.write(bytes))
        return code
    }

    private func replySlowly(_ text: String, _ interval: Duration, _ turn: String) throws(ConnectionEnding) -> Int? {
        reportEarlyBytes(turn)
        let code = ServerReply.code(of: text)
        if code.map({ $0 / 100 == 2 }) ?? false { markAccepted() }
        var sentAt = MonotonicClock.now()
        for (index, byte) in ServerReply.bytes(text).enumerated() {
            if index > 0 { try connection.pause(until: sentAt + interval.nanoseconds) }
            sentAt = try connection.write([byte])
        }
        settle(text, at: sentAt)
        return code
    }

    private func settle(_ text: String, at moment: UInt64) {
        guard let openMessage else { return }
        log.settle(openMessage) { message in
            message.reply = text
            message.repliedAt = moment
        }
    }

    /// A client that does not pipeline sends nothing while it waits for a reply. QUIT after a timeout is allowed.
    private func reportEarlyBytes(_ turn: String) {
        let early = connection.waitingBytes()
        guard !early.isEmpty, !Self.clientMaySpeak.contains(turn) else { return }
        let text = String(decoding: early.prefix(60), as: UTF8.self)
        guard text.uppercased() != "QUIT\r\n" else { return }
        violation("\(early.count) bytes before the reply to \(turn): \(SMTPCommandLine.shown(text))")
    }
}

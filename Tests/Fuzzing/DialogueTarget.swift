import Mailing

/// A conversation of a caller that keeps to the rules with a server that need not.
///
/// The first byte says what the server offers. Of the others, U+0001 to U+0007 are what the caller does, and all the
/// rest is what the server says.
enum DialogueTarget {
    static func check(_ input: [UInt8]) {
        checkStuffing(input)
        guard let first = input.first else { return }
        var model = DialogueModel(offer: first)
        var said: [UInt8] = []
        for byte in input.dropFirst() {
            if byte > 7 {
                said.append(byte)
                continue
            }
            if !said.isEmpty { model.received(said) }
            said = []
            model.act(byte)
        }
        if !said.isEmpty { model.received(said) }
    }

    /// No body ends before its end (RFC 5321 4.5.2), and the server takes the dots away again.
    private static func checkStuffing(_ message: [UInt8]) {
        let stuffed = DotStuffing.stuffed(message)
        let lines = stuffed.split(separator: 10, omittingEmptySubsequences: false)
        require(lines.last?.isEmpty ?? true, "a body ends with its last line")
        require(!lines.contains { $0 == [46] || $0 == [46, 13] }, "no line is a dot alone")
        let bare = Array(lines.map { $0.first == 46 ? $0.dropFirst() : $0 }.joined(separator: [10]))
        let isWhole = message.isEmpty || message.last == 10
        require(bare == (isWhole ? message : message + [13, 10]), "without the dots it is the message")
    }
}

/// The dialogue, and beside it what a second reading of RFC 5321 expects of it.
struct DialogueModel {
    private enum Place: Equatable {
        case idle
        /// A reply is awaited.
        case waiting(SMTPPhase)
        case body
        case armed
        case closed
    }

    private var dialogue: SMTPDialogue
    private let extensions: SMTPExtensions
    private var place = Place.idle
    /// What the server said since the caller last wrote.
    private var heard: [UInt8] = []
    private var recipient: EmailAddress?
    private var dots = 0
    private var answers = 0

    private static let ascii = EmailAddress(stored: "kim@b.example", key: "kim@b.example")
    private static let unicode = EmailAddress(stored: "j\u{F6}rg@b.example", key: "j\u{F6}rg@b.example")

    init(offer: UInt8) {
        var extensions = SMTPExtensions()
        if offer & 1 != 0 { extensions.take("SIZE 1000000") }
        if offer & 2 != 0 { extensions.take("SMTPUTF8") }
        self.extensions = extensions
        dialogue = SMTPDialogue(timeouts: .init(), extensions: extensions)
    }

    /// The caller does only what the last action allows.
    mutating func act(_ event: UInt8) {
        switch event {
        case 1 where place == .idle: begin(Envelope(sender: Self.ascii, recipient: Self.ascii))
        case 2 where place == .idle: begin(Envelope(sender: Self.ascii, recipient: Self.unicode))
        case 3 where place == .idle: begin(Envelope(sender: Self.unicode, recipient: Self.ascii))
        case 4 where place == .body:
            require(dialogue.bodyWritten() == .armed, "behind a whole body only the dot is missing")
            place = .armed
        case 5 where place == .armed:
            guard case .write(let bytes, .dot, _) = dialogue.dot() else { fatalError("a dot is written as a dot") }
            require(bytes == Array(".\r\n".utf8), "a dot is a dot on its line")
            dots += 1
            wait(.dot)
        case 6: abandoned(dialogue.lost("lost"), phase: phase)
        default: break
        }
        checkPlace()
    }

    private var phase: SMTPPhase {
        switch place {
        case .idle, .closed: .idle
        case .waiting(let phase): phase
        case .body, .armed: .body
        }
    }

    private mutating func wait(_ phase: SMTPPhase) {
        place = .waiting(phase)
        heard = []
    }

    private mutating func begin(_ envelope: Envelope) {
        let action = dialogue.begin(envelope, size: 42)
        recipient = envelope.recipient
        let needsUnicode = envelope.sender == Self.unicode || envelope.recipient == Self.unicode
        if !heard.isEmpty {
            abandoned(action, phase: .idle)
        } else if needsUnicode, !extensions.smtpUTF8 {
            guard case .refused(let phase, let reply, nil, _) = action else { fatalError("it is refused: \(action)") }
            require(phase == (envelope.sender == Self.unicode ? .mail : .recipient), "it says who is to blame")
            require(reply.severity == .permanent, "what cannot be sent here is refused for good")
        } else {
            let size = extensions.size ? " SIZE=42" : ""
            let unicode = needsUnicode ? " SMTPUTF8" : ""
            written(action, "MAIL FROM:<\(envelope.sender.text)>\(size)\(unicode)", .mail)
        }
        checkPlace()
    }

    mutating func received(_ bytes: [UInt8]) {
        let before = dialogue
        let action = dialogue.received(bytes)
        heard += bytes
        switch place {
        case .closed:
            if action != .read { abandoned(action, phase: .idle) }
        case .idle:
            if action != .read { abandoned(action, phase: .idle) }
        case .body, .armed: abandoned(action, phase: .body)
        case .waiting(let phase):
            compareByteByByte(before, bytes, action)
            judge(action, in: phase, ReplyModel(heard))
        }
        checkPlace()
    }

    /// A chunk that decides something decides the same when its bytes come one by one.
    private func compareByteByByte(_ before: SMTPDialogue, _ bytes: [UInt8], _ action: SMTPDialogue.Action) {
        if case .abandon = action { return }
        var copy = before
        var first = SMTPDialogue.Action.read
        for byte in bytes where first == .read { first = copy.received([byte]) }
        if case .answered(let reply, _) = action, case .answered(let other, _) = first {
            require(reply == other, "the answer to the dot is the first reply")
        } else {
            require(first == action, "\(action) is \(first) when the bytes come one by one")
        }
    }

    private mutating func judge(_ action: SMTPDialogue.Action, in phase: SMTPPhase, _ model: ReplyModel) {
        guard let reply = model.replies.first else {
            if model.isViolated { return abandoned(action, phase: phase) }
            return require(action == .read, "without a whole reply there is nothing to do but to read on")
        }
        let isAlone = model.replies.count == 1 && !model.isViolated && !model.hasLeftover
        if phase == .dot { return judgeDot(action, reply, model, isAlone: isAlone) }
        guard isAlone else { return abandoned(action, phase: phase) }
        switch (phase, reply.code / 100) {
        case (.mail, 2): written(action, "RCPT TO:<\(recipient?.text ?? "")>", .recipient)
        case (.recipient, 2): written(action, "DATA", .data)
        case (.data, 3):
            guard case .writeBody = action else { fatalError("a body follows 354, not \(action)") }
            (place, heard) = (.body, [])
        case (.mail, 4...5), (.recipient, 4...5), (.data, 4...5): refused(action, phase, reply)
        case (.reset, 2):
            require(action == .ready, "behind RSET comes the next message")
            (place, heard) = (.idle, [])
        default: abandoned(action, phase: phase)
        }
    }

    /// The reply to the dot may only be followed by 421, and whoever is not sure says so.
    private mutating func judgeDot(
        _ action: SMTPDialogue.Action, _ reply: SMTPReply, _ model: ReplyModel, isAlone: Bool
    ) {
        let second = model.replies.dropFirst().first
        let goesOn = second.map { $0.code == 421 } ?? !model.isViolated
        guard reply.code / 100 != 3, isAlone || goesOn else { return abandoned(action, phase: .dot) }
        guard case .answered(let answer, let ends) = action else { fatalError("the dot is answered, not \(action)") }
        require(answer == reply, "the answer to the dot is what the server said")
        require(ends == (reply.code == 421 || !isAlone), "a connection ends with 421 and with nothing else")
        answers += 1
        require(answers <= dots, "one dot has one answer")
        (place, heard) = (ends ? .closed : .idle, [])
    }

    private mutating func refused(_ action: SMTPDialogue.Action, _ phase: SMTPPhase, _ reply: SMTPReply) {
        guard case .refused(phase, reply, let next, _) = action else { fatalError("\(reply) refuses, not \(action)") }
        require((next == nil) == (reply.code == 421), "a server that leaves is not spoken to")
        guard let next else {
            place = .closed
            return
        }
        require(next == Array("RSET\r\n".utf8), "a refused message is followed by RSET")
        wait(.reset)
    }

    private mutating func written(_ action: SMTPDialogue.Action, _ command: String, _ phase: SMTPPhase) {
        guard case .write(let bytes, phase, let seconds) = action else {
            fatalError("\(command) is written, not \(action)")
        }
        require(bytes == Array((command + "\r\n").utf8), "\(command) is written, and nothing else")
        require(seconds > 0, "no reply is awaited for ever")
        wait(phase)
    }

    /// The phase says whether the message may have been taken: only `dot` leaves that open.
    private mutating func abandoned(_ action: SMTPDialogue.Action, phase: SMTPPhase) {
        guard case .abandon(let found, _) = action else { fatalError("the connection is given up, not \(action)") }
        require(found == phase, "it is given up in \(phase), not in \(found)")
        (place, heard) = (.closed, [])
    }

    private func checkPlace() {
        require(dialogue.isIdle == (place == .idle), "idle when it is")
        require(dialogue.isClosed == (place == .closed), "closed when it is")
    }
}

package import Mailing

/// A connection to a mail server through libcurl.
///
/// It has a thread of its own while it works, because libcurl and poll(2) block. Calls are served one after another;
/// what is under way before the final dot can be ended by `interrupt`. An interrupted connection is closed, and the
/// next `open` begins a new one.
package final actor SMTPConnection: RelayConnection {
    /// Bytes written at once; the time limit of the body holds for each such block (RFC 5321 4.5.3.2.5).
    private static let blockSize = 16_384
    /// Seconds that a farewell may take.
    private static let farewellSeconds = 5

    private let settings: SMTPRelaySettings
    private let executor: QueueExecutor
    private let interruption = Interruption()
    private var session: CurlSession?
    private var dialogue: SMTPDialogue
    private var isArmed = false

    /// `host:port [address] TLS version` of the open or the latest connection; nil before the first.
    package private(set) var peer: String?
    /// What the server offered when the open or the latest connection was made.
    package private(set) var extensions = SMTPExtensions()

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package init(settings: SMTPRelaySettings) {
        self.settings = settings
        executor = QueueExecutor(label: "relay \(settings.address)")
        dialogue = SMTPDialogue(timeouts: settings.timeouts, extensions: SMTPExtensions())
    }

    /// Connects, unless a connection stands on which nothing is under way and which the server has not ended.
    package func open() -> RelayOpening {
        if let problem = settings.problem { return .failed(.connect, problem) }
        if let session, dialogue.isIdle, case .wouldBlock = session.receive() { return .ready(fresh: false) }
        drop()
        guard let session = CurlSession(settings: settings, interruption: interruption) else {
            return .failed(.connect, "libcurl could not be initialised: memory is lacking")
        }
        interruption.begin()
        defer { interruption.end() }
        if let failure = session.connect() { return failure }
        self.session = session
        peer = session.peer
        extensions = session.extensions
        dialogue = SMTPDialogue(timeouts: settings.timeouts, extensions: extensions)
        return .ready(fresh: true)
    }

    package func localPort() -> Int? { session?.localPort }

    package func offer(_ envelope: Envelope, message: [UInt8]) -> RelayOffer {
        guard let session, dialogue.isIdle else {
            return .lost(.idle, "there is no open connection to \(settings.address) that is free")
        }
        if let reason = unaskedEnd(of: session) {
            drop()
            return .lost(.mail, reason)
        }
        interruption.begin()
        defer { interruption.end() }
        // Before MAIL, so that the server does not wait for it.
        let body = DotStuffing.stuffed(message)
        var action = dialogue.begin(envelope, size: message.count)
        var deadline = BootClock.now
        while true {
            switch action {
            case .write(let bytes, _, let seconds):
                deadline = BootClock.now(plusSeconds: seconds)
                action = write(bytes, on: session, until: deadline)
            case .read:
                action = read(from: session, until: deadline)
            case .writeBody(let seconds):
                action = write(body: body, on: session, secondsPerBlock: seconds)
            case .armed:
                isArmed = true
                return .armed
            case .refused(let phase, let reply, let next, let seconds):
                if let next { reset(next, on: session, seconds: seconds) }
                if !dialogue.isIdle { drop() }
                return .refused(phase, reply)
            case .abandon(let phase, let reason):
                drop()
                return .lost(phase, interruption.isTripped ? "handing over was interrupted" : reason)
            case .ready, .answered:
                drop()
                return .lost(.idle, "\(settings.address) answered what was not asked")
            }
        }
    }

    package func handOver(written: @Sendable (BootInstant?) -> Void = { _ in }) -> RelayHandOver {
        switch writeDot() {
        case .failure(let ended):
            written(ended.writtenAt)
            return ended
        case .success(let dot):
            written(dot.writtenAt)
            return awaitReply(to: dot)
        }
    }

    /// A dot on its way, and how long its reply may take.
    private struct WrittenDot {
        let session: CurlSession
        let writtenAt: BootInstant
        let deadline: BootInstant
    }

    private func writeDot() -> DotOutcome {
        guard isArmed, let session else { return .failure(notWritten("no message is ready to be handed over")) }
        isArmed = false
        let deadline = BootClock.now(plusSeconds: settings.timeouts.body)
        if let reason = lastLook(at: session, until: deadline) {
            drop()
            return .failure(notWritten(reason))
        }
        guard case .write(let dot, _, let seconds) = dialogue.dot() else {
            drop()
            return .failure(notWritten("the dialogue gave no dot to write"))
        }
        let written = write(dot: dot, on: session, until: deadline)
        guard written.failure == nil, let writtenAt = written.at else {
            drop()
            let reason = written.failure ?? "the dot was not written"
            let ending = written.at == nil ? RelayHandOver.Ending.notWritten(reason) : .silent(reason)
            return .failure(RelayHandOver(ending: ending, writtenAt: written.at))
        }
        let replyDeadline = writtenAt.adding(nanoseconds: Int64(seconds) * 1_000_000_000)
        return .success(WrittenDot(session: session, writtenAt: writtenAt, deadline: replyDeadline))
    }

    private enum DotOutcome {
        case success(WrittenDot)
        case failure(RelayHandOver)
    }

    private func notWritten(_ reason: String) -> RelayHandOver {
        RelayHandOver(ending: .notWritten(reason), writtenAt: nil)
    }

    private func awaitReply(to dot: WrittenDot) -> RelayHandOver {
        var action = SMTPDialogue.Action.read
        while true {
            switch action {
            case .read: action = read(from: dot.session, until: dot.deadline)
            case .answered(let reply, let connectionEnds):
                if connectionEnds { drop() }
                return RelayHandOver(ending: .answered(reply), writtenAt: dot.writtenAt)
            case .abandon(_, let reason):
                drop()
                return RelayHandOver(ending: .silent(reason), writtenAt: dot.writtenAt)
            default:
                drop()
                let reason = "\(settings.address) answered what was not asked"
                return RelayHandOver(ending: .silent(reason), writtenAt: dot.writtenAt)
            }
        }
    }

    /// Says QUIT and waits a few seconds for the answer if no message is under way; else closes at once.
    package func close() {
        defer { drop() }
        guard let session, dialogue.isIdle, case .wouldBlock = session.receive() else { return }
        interruption.begin()
        defer { interruption.end() }
        let deadline = BootClock.now(plusSeconds: SMTPConnection.farewellSeconds)
        guard case .read = write(Array("QUIT\r\n".utf8), on: session, until: deadline) else { return }
        // Whatever comes, even nothing, the session is over.
        _ = read(from: session, until: deadline)
    }

    /// Ends the `open`, the `offer` or the farewell that is under way; when none is, and from `handOver` on, it does
    /// nothing. A call that has not begun to run yet is not under way: repeat until the call has returned.
    package nonisolated func interrupt() {
        interruption.trip()
    }

    private func drop() {
        isArmed = false
        guard session != nil else { return }
        interruption.shutDown()
        session = nil
    }

    /// Why the connection is of no use before MAIL, or nil. What comes unasked, such as the farewell of a server that
    /// has waited for too long, would be taken for the answer to MAIL.
    private func unaskedEnd(of session: CurlSession) -> String? {
        switch session.receive() {
        case .wouldBlock: nil
        case .closed(let reason): reason
        case .bytes: "\(settings.address) spoke before it was asked anything"
        }
    }

    /// `.read` when all is written.
    private func write(_ bytes: [UInt8], on session: CurlSession, until deadline: BootInstant) -> SMTPDialogue.Action {
        var left = bytes[...]
        while !left.isEmpty {
            switch session.send(left) {
            case .taken(let count): left = left.dropFirst(count)
            case .wouldBlock:
                guard session.wait(reading: false, writing: true, until: deadline) else {
                    return dialogue.lost("\(settings.address) took no command in time")
                }
            case .failed(let reason): return dialogue.lost(reason)
            }
        }
        return .read
    }

    private func read(from session: CurlSession, until deadline: BootInstant) -> SMTPDialogue.Action {
        while true {
            switch session.receive() {
            case .bytes(let bytes): return dialogue.received(bytes)
            case .closed(let reason): return dialogue.lost(reason)
            case .wouldBlock:
                guard session.wait(reading: true, writing: false, until: deadline) else {
                    return dialogue.lost("\(settings.address) did not answer in time")
                }
            }
        }
    }

    /// Writes the body in blocks and listens all the while: a server that speaks now is not to be given the dot.
    private func write(
        body: [UInt8], on session: CurlSession, secondsPerBlock: Int
    ) -> SMTPDialogue.Action {
        var position = 0
        var deadline = BootClock.now(plusSeconds: secondsPerBlock)
        while position < body.count {
            switch session.receive() {
            case .bytes(let bytes): return dialogue.received(bytes)
            case .closed(let reason): return dialogue.lost(reason)
            case .wouldBlock: break
            }
            switch session.send(body[position..<min(position + SMTPConnection.blockSize, body.count)]) {
            case .taken(let count):
                position += count
                deadline = BootClock.now(plusSeconds: secondsPerBlock)
            case .wouldBlock:
                guard session.wait(reading: true, writing: true, until: deadline) else {
                    return dialogue.lost("\(settings.address) took nothing of the message for \(secondsPerBlock) s")
                }
            case .failed(let reason): return dialogue.lost(reason)
            }
        }
        return dialogue.bodyWritten()
    }

    /// Clears the refused transaction; a connection on which that fails is left closed by the dialogue.
    private func reset(_ command: [UInt8], on session: CurlSession, seconds: Int) {
        let deadline = BootClock.now(plusSeconds: seconds)
        var action = write(command, on: session, until: deadline)
        while case .read = action { action = read(from: session, until: deadline) }
    }

    /// Waits until the dot can be written at once. Why it must not be written, or nil.
    private func lastLook(at session: CurlSession, until deadline: BootInstant) -> String? {
        while true {
            switch session.receive() {
            case .bytes(let bytes):
                guard case .abandon(_, let reason) = dialogue.received(bytes) else {
                    return "\(settings.address) spoke before the final dot"
                }
                return reason
            case .closed(let reason): return reason
            case .wouldBlock: break
            }
            if session.isWritable { return nil }
            guard session.wait(reading: true, writing: true, until: deadline) else {
                return "\(settings.address) did not take the end of the message in time"
            }
        }
    }

    /// Writes the dot. `at` is when its first byte may have left; with a `failure` and no `at`, provably none has.
    private func write(
        dot: [UInt8], on session: CurlSession, until deadline: BootInstant
    ) -> (at: BootInstant?, failure: String?) {
        var left = dot[...]
        var writtenAt: BootInstant?
        while !left.isEmpty {
            let outcome = session.send(left)
            // A TLS record may have left in part whatever is reported; on plain TCP only what was taken has.
            if writtenAt == nil, session.isEncrypted { writtenAt = BootClock.now }
            switch outcome {
            case .taken(let count):
                if writtenAt == nil { writtenAt = BootClock.now }
                left = left.dropFirst(count)
            case .failed(let reason): return (writtenAt, reason)
            case .wouldBlock where writtenAt == nil:
                if let reason = lastLook(at: session, until: deadline) { return (nil, reason) }
            case .wouldBlock:
                guard session.wait(reading: false, writing: true, until: deadline) else {
                    return (writtenAt, "\(settings.address) did not take the whole dot in time")
                }
            }
        }
        return (writtenAt, nil)
    }
}

import Mailing
import Relay
import Synchronization
import TestSupport

/// What became of one message when it was tried once.
struct MatrixAttempt: Sendable {
    var outcome: Outcome
    /// Whether a new connection was begun for it; nil if none came about.
    var isFresh: Bool?
    /// The reply that was taken for the answer to the dot.
    var answer: SMTPReply?
    /// Whether the connection says that it wrote the dot.
    var hasDot = false
    /// Moments of the dot as they were reported while it was handed over.
    var reports: [BootInstant?] = []
    var writtenAt: BootInstant?
    var why = ""

    /// Whether the queue offers the message again.
    var isQueuedAgain: Bool {
        switch outcome {
        case .sent, .bounced, .uncertain: false
        case .deferred, .policyRefusal, .routeTrouble, .senderTrouble: true
        }
    }
}

/// What was seen in one cell, on both sides.
struct MatrixObservation: Sendable {
    static let firstID = "<first@bibliotheek.example>"
    static let secondID = "<second@bibliotheek.example>"

    /// The message that meets the fault.
    var first: MatrixAttempt
    /// The message after it.
    var second: MatrixAttempt
    /// The first message once more, if it was queued again.
    var again: MatrixAttempt?
    var server: ServerSnapshot
}

/// Drives one connection through one cell as a lane of the daemon does.
struct MatrixTrial {
    let cell: SMTPFaultMatrix.Cell
    /// nil will do for a connection in clear.
    let certificates: MatrixCertificates?
    /// Whether a message with this fate is offered again.
    private let isTriedAgain: @Sendable (MatrixAttempt) -> Bool
    private let progress = MatrixProgress()

    init(
        cell: SMTPFaultMatrix.Cell, certificates: MatrixCertificates?,
        isTriedAgain: @escaping @Sendable (MatrixAttempt) -> Bool = \.isQueuedAgain
    ) {
        self.cell = cell
        self.certificates = certificates
        self.isTriedAgain = isTriedAgain
    }

    private static let patience = Duration.seconds(30)

    func run() async throws -> MatrixObservation {
        let isFull = cell.phase == .connect && cell.fault == .stall
        var backlog = isFull ? try FullBacklog() : nil
        var server = isFull ? nil : try CountingSMTPServer(script: script, options: options)
        guard let port = backlog?.port ?? server?.port else { throw TestSupportError("no port") }
        let connection = SMTPConnection(settings: settings(port: port))
        if cell.fault == .refused { server?.stop() }
        let first = try await attempt(MatrixObservation.firstID, connection, large: cell.fault == .deaf) { step in
            progress.isOpen = true
            guard let server, step == .offer ? cell.phase == .ready : cell.phase.isBeforeDot else { return }
            try await wait(for: server)
        }
        progress.hasEnded = true
        if cell.fault == .refused { try server?.start() }
        if backlog != nil {
            backlog = nil
            server = try CountingSMTPServer(script: script, options: options, port: port)
        } else if let server, cell.fault != .refused {
            try await wait(for: server, isOver: true)
        }
        let second = try await attempt(MatrixObservation.secondID, connection) { _ in }
        var again: MatrixAttempt?
        if isTriedAgain(first) { again = try await attempt(MatrixObservation.firstID, connection) { _ in } }
        await connection.close()
        guard let server else { throw TestSupportError("no server") }
        if cell.fault != .deaf { try await isQuiet(server) }
        server.stop()
        return MatrixObservation(first: first, second: second, again: again, server: server.snapshot)
    }

    private var options: CountingSMTPServer.Options { cell.options(certificates) }
    private var script: SMTPScript { cell.script(certificates, progress) }

    private func settings(port: UInt16) -> SMTPRelaySettings {
        var settings = SMTPRelaySettings(host: "127.0.0.1", port: Int(port), helloName: "campaignd.example")
        settings.requireTLS = cell.link != .plain
        settings.implicitTLS = cell.link == .implicitTLS
        settings.caFile = cell.link == .plain ? nil : certificates?.own.authority.file
        settings.username = "campaign"
        settings.password = "secret"
        settings.connectSeconds = 20
        settings.greetingSeconds = 20
        settings.timeouts.mail = 20
        settings.timeouts.recipient = 20
        settings.timeouts.data = 20
        settings.timeouts.body = 20
        settings.timeouts.dot = 20
        settings.timeouts.reset = 20
        guard cell.fault.wearsPatienceOut else { return settings }
        switch cell.phase {
        case .connect: settings.connectSeconds = 1
        case .handshake:
            settings.connectSeconds = 1
            settings.greetingSeconds = 2
        case .greeting, .hello, .encryption, .secondHello, .authentication: settings.greetingSeconds = 2
        case .mail: settings.timeouts.mail = 1
        case .recipient: settings.timeouts.recipient = 1
        case .data: settings.timeouts.data = 1
        case .body:
            settings.timeouts.body = 1
            settings.timeouts.dot = 1
        case .dot: settings.timeouts.dot = 1
        case .reset: settings.timeouts.reset = 1
        case .ready, .idle: break
        }
        return settings
    }

    private enum Step {
        case offer, handOver
    }

    /// Once: open, offer, hand over. What the answers mean is told apart as the daemon's lane does it.
    private func attempt(
        _ messageID: String, _ connection: SMTPConnection, large: Bool = false,
        before: (Step) async throws -> Void
    ) async throws -> MatrixAttempt {
        let isFresh: Bool
        switch await connection.open() {
        case .ready(let fresh): isFresh = fresh
        case .refused(let phase, let reply):
            return MatrixAttempt(outcome: Outcome(phase: phase, reply: reply), why: "\(phase): \(reply)")
        case .failed(let phase, let why):
            return MatrixAttempt(outcome: .routeTrouble, why: "\(phase): \(why)")
        }
        try await before(.offer)
        let name = messageID == MatrixObservation.firstID ? "first@example.org" : "second@example.org"
        switch await connection.offer(try envelope(to: name), message: body(messageID, large: large)) {
        case .armed: break
        case .refused(let phase, let reply):
            return MatrixAttempt(
                outcome: Outcome(phase: phase, reply: reply), isFresh: isFresh, why: "\(phase): \(reply)")
        case .lost(let phase, let why):
            return MatrixAttempt(outcome: .routeTrouble, isFresh: isFresh, why: "\(phase): \(why)")
        }
        try await before(.handOver)
        let reports = Mutex<[BootInstant?]>([])
        let ended = await connection.handOver(written: { moment in
            reports.withLock { $0.append(moment) }
        })
        var attempt = MatrixAttempt(outcome: .uncertain, isFresh: isFresh)
        attempt.reports = reports.withLock { $0 }
        attempt.writtenAt = ended.writtenAt
        switch ended.ending {
        case .answered(let reply):
            attempt.outcome = Outcome(phase: .dot, reply: reply)
            attempt.answer = reply
            attempt.hasDot = true
            attempt.why = "dot: \(reply)"
        case .silent(let why):
            attempt.hasDot = true
            attempt.why = "dot, silent: \(why)"
        case .notWritten(let why):
            attempt.outcome = .routeTrouble
            attempt.why = "no dot: \(why)"
        }
        return attempt
    }

    /// - Parameter large: more than the socket's buffers hold.
    private func body(_ messageID: String, large: Bool) -> [UInt8] {
        let head = Array(
            "From: nieuws@bibliotheek.example\r\nMessage-ID: \(messageID)\r\n\r\nHallo\r\n".utf8)
        guard large else { return head }
        let line = [UInt8](repeating: 120, count: 900) + [13, 10]
        return head + (0..<9000).flatMap { _ in line }
    }

    /// Until the server has done its fault; with `isOver` also until it has closed, where it does that.
    private func wait(for server: CountingSMTPServer, isOver: Bool = false) async throws {
        let isDone = await server.waitUntil(timeout: Self.patience) { snapshot in
            if snapshot.connectionsClosed > 0 { return true }
            if cell.fault.endsConnection || cell.fault == .tooLate { return false }
            guard cell.fault != .unaskedGoAhead || isOver else {
                // Its own 354 as well.
                return snapshot.transactions > 0 && snapshot.bodies > 0
            }
            // Before RSET comes a refusal, by the script too.
            return snapshot.scripted > (cell.phase == .reset ? 1 : 0)
        }
        guard isDone else {
            throw TestSupportError("the server has not done what it should within \(Self.patience)")
        }
    }

    private func isQuiet(_ server: CountingSMTPServer) async throws {
        let isOver = await server.waitUntil(timeout: Self.patience) {
            $0.connectionsClosed == $0.connectionsOpened
        }
        guard isOver else { throw TestSupportError("a connection is still open at the end") }
    }
}

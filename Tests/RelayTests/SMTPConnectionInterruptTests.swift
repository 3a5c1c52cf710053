import Dispatch
import Mailing
import Relay
import TestSupport
import Testing

/// Runs a task on a thread of its own.
private final class OwnThread: TaskExecutor {
    private let queue = DispatchQueue(label: "test")

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        queue.async { unowned.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

@Suite(.serialized) struct SMTPConnectionInterruptTests {
    /// Far below every time limit, and below the second after which libcurl looks around by itself.
    private static let soon = Duration.milliseconds(500)

    /// On a busy machine the test itself may be late; only the interruption shall end the wait.
    private static func patient(_ settings: inout SMTPRelaySettings) {
        settings.greetingSeconds = 300
        settings.timeouts.mail = 300
        settings.timeouts.recipient = 300
        settings.timeouts.data = 300
        settings.timeouts.body = 300
    }

    /// Begins a call whose end is timed off the shared threads, which other tests keep busy.
    private func begin<Result: Sendable>(
        _ call: @escaping @Sendable () async -> Result
    ) -> Task<(Result, ContinuousClock.Instant), Never> {
        Task(executorPreference: OwnThread()) {
            let result = await call()
            return (result, ContinuousClock().now)
        }
    }

    /// Interrupts and returns how long the call took to come back from then.
    private func interrupted<Result: Sendable>(
        _ connection: SMTPConnection, _ call: Task<(Result, ContinuousClock.Instant), Never>
    ) async -> (Result, Duration) {
        let start = ContinuousClock().now
        connection.interrupt()
        let (result, end) = await call.value
        return (result, end - start)
    }

    @Test(arguments: [
        (SMTPScript.Phase.mail, "1 MAIL", SMTPPhase.mail), (.rcpt, "1 RCPT", .recipient), (.data, "1 DATA", .data),
    ])
    func `a command that is waiting returns soon and nothing is handed over`(
        turn: SMTPScript.Phase, command: String, phase: SMTPPhase
    ) async throws {
        let pair = try Pair(SMTPScript().on(turn, times: 1, .stall), adjust: Self.patient)
        #expect(await pair.connection.open() == .ready(fresh: true))
        let envelope = try envelope()
        let call = begin { await pair.connection.offer(envelope, message: message("x")) }
        #expect(
            await pair.server.waitUntil(timeout: .seconds(5)) { snapshot in
                snapshot.commands.contains { $0.hasPrefix(command) }
            })
        let (result, delay) = await interrupted(pair.connection, call)
        #expect(result == .lost(phase, "handing over was interrupted"))
        #expect(delay < Self.soon)
        #expect(await pair.connection.handOver().isNotWritten)
        #expect(try await pair.deliver()?.replyCode == 250)
        #expect(pair.server.messages.count == 1)
    }

    @Test func `waiting for the greeting returns soon`() async throws {
        let pair = try Pair(SMTPScript().on(.greeting, times: 1, .stall), adjust: Self.patient)
        let call = begin { await pair.connection.open() }
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.connectionsOpened == 1 })
        let (result, delay) = await interrupted(pair.connection, call)
        #expect(result.failure?.sentence == "connecting was interrupted")
        #expect(delay < Self.soon)
        #expect(await pair.connection.open() == .ready(fresh: true))
    }

    @Test func `connecting to a server that does not accept returns soon`() async throws {
        let backlog = try FullBacklog()
        let connection = SMTPConnection(settings: settings(port: backlog.port))
        let call = Task { await connection.open() }
        let clock = ContinuousClock()
        let start = clock.now
        let again = Task {
            while !Task.isCancelled {
                connection.interrupt()
                await Task.yield()
            }
        }
        let result = await call.value
        again.cancel()
        #expect(result.failure?.sentence == "connecting was interrupted")
        #expect(clock.now - start < .seconds(1))
    }

    @Test func `a body that the server does not read returns soon and has no dot`() async throws {
        let pair = try Pair(SMTPScript().on(.body, .deaf), adjust: Self.patient)
        #expect(await pair.connection.open() == .ready(fresh: true))
        let envelope = try envelope()
        let body = Array(String(repeating: String(repeating: "x", count: 70) + "\r\n", count: 300_000).utf8)
        let call = begin { await pair.connection.offer(envelope, message: body) }
        #expect(await pair.server.waitUntil(timeout: .seconds(20)) { $0.scripted == 1 })
        let (result, delay) = await interrupted(pair.connection, call)
        #expect(result == .lost(.body, "handing over was interrupted"))
        #expect(delay < Self.soon)
    }

    @Test func `an interruption while idle or armed does nothing`() async throws {
        let pair = try Pair()
        pair.connection.interrupt()
        #expect(await pair.connection.open() == .ready(fresh: true))
        pair.connection.interrupt()
        #expect(await pair.connection.offer(try envelope(), message: message("x")) == .armed)
        pair.connection.interrupt()
        #expect(await pair.connection.handOver().replyCode == 250)
        #expect(pair.server.snapshot.connectionsOpened == 1)
    }

    @Test func `an interruption after the dot does nothing`() async throws {
        let pair = try Pair(SMTPScript().on(.dot, .delay(.milliseconds(300), then: .proceed)))
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: message("x")) == .armed)
        let call = begin { await pair.connection.handOver() }
        #expect(await pair.server.waitUntil(dots: 1, timeout: .seconds(5)))
        let (result, _) = await interrupted(pair.connection, call)
        #expect(result.replyCode == 250)
    }

    @Test func `forty relays that are silent do not hold up another one`() async throws {
        let server = try CountingSMTPServer(
            script: SMTPScript { event in
                event.phase == .mail && event.mailFrom == "nieuws@bibliotheek.example" && event.connection <= 40
                    ? .stall : nil
            })
        let envelope = try envelope()
        let silent = (1...40).map { _ in SMTPConnection(settings: settings(port: server.port)) }
        for connection in silent { #expect(await connection.open() == .ready(fresh: true)) }
        let calls = silent.map { connection in Task { await connection.offer(envelope, message: message("x")) } }
        #expect(
            await server.waitUntil(timeout: .seconds(5)) { snapshot in
                snapshot.commands.filter { $0.contains("MAIL") }.count == 40
            })
        let another = SMTPConnection(settings: settings(port: server.port))
        #expect(await another.open() == .ready(fresh: true))
        #expect(await another.offer(envelope, message: message("x")) == .armed)
        #expect(await another.handOver().replyCode == 250)
        for connection in silent { connection.interrupt() }
        for call in calls { #expect(await call.value == .lost(.mail, "handing over was interrupted")) }
    }
}

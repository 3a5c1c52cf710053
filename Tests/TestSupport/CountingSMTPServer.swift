import Dispatch
import Foundation
import Glibc
import Synchronization

/// A relay on 127.0.0.1 that counts: it records every message with the moment of its dot, reports what a client does
/// wrong, and misbehaves by its `SMTPScript`.
///
/// It speaks ESMTP (RFC 5321) without PIPELINING, in clear, with STARTTLS (RFC 3207) or with TLS from the first byte
/// (RFC 8314), on one thread a connection. Connections are served from `init` until `stop()` or the last reference
/// goes. Moments are `CLOCK_MONOTONIC` in nanoseconds.
package final class CountingSMTPServer: Sendable {
    /// A user name and its password, offered as AUTH PLAIN and AUTH LOGIN.
    package struct Credentials: Sendable, Equatable {
        /// As it comes in AUTH, UTF-8.
        package let username: String
        /// As it comes in AUTH, UTF-8.
        package let password: String

        /// Both may be any text without NUL.
        package init(username: String, password: String) {
            self.username = username
            self.password = password
        }
    }

    /// How connections are encrypted.
    package enum Encryption: Sendable {
        /// STARTTLS is offered, and nothing but EHLO and QUIT is served before it.
        case startTLS(ServerCertificate)
        /// From the first byte.
        case implicit(ServerCertificate)

        var certificate: ServerCertificate {
            switch self {
            case .startTLS(let certificate), .implicit(let certificate): certificate
            }
        }

        var isImplicit: Bool {
            if case .implicit = self { true } else { false }
        }
    }

    /// What the server says of itself.
    package struct Options: Sendable {
        /// In the greeting and the first line of the EHLO reply.
        package var hostname = "relay.example"
        /// The lines of the EHLO reply after the first one, AUTH and STARTTLS excepted.
        package var extensions = ["8BITMIME", "SIZE 52428800", "ENHANCEDSTATUSCODES"]
        /// If given, AUTH is offered, and MAIL needs it.
        package var credentials: Credentials?
        /// nil: everything in clear.
        package var encryption: Encryption?

        /// The usual extensions; AUTH if there are credentials.
        package init(credentials: Credentials? = nil, encryption: Encryption? = nil) {
            self.credentials = credentials
            self.encryption = encryption
        }

        /// The ordinary reply to EHLO, lines parted by "\n".
        package func helloReply(isEncrypted: Bool) -> String {
            var lines = [hostname] + extensions
            if let encryption, !isEncrypted, !encryption.isImplicit { lines.append("STARTTLS") }
            if credentials != nil, isEncrypted || encryption == nil { lines.append("AUTH PLAIN LOGIN") }
            let last = lines.count - 1
            return lines.enumerated().map { $0 == last ? "250 \($1)" : "250-\($1)" }.joined(separator: "\n")
        }

        private func offers(_ keyword: String) -> Bool {
            extensions.contains { $0.uppercased() == keyword || $0.uppercased().hasPrefix(keyword + " ") }
        }

        var mailParameters: Set<String> {
            var names: Set<String> = []
            if offers("8BITMIME") { names.insert("BODY") }
            if offers("SIZE") { names.insert("SIZE") }
            if offers("SMTPUTF8") { names.insert("SMTPUTF8") }
            if offers("DSN") { names.formUnion(["RET", "ENVID"]) }
            if credentials != nil { names.insert("AUTH") }
            return names
        }

        var recipientParameters: Set<String> { offers("DSN") ? ["NOTIFY", "ORCPT"] : [] }
    }

    private struct Listening {
        let wake: WakeSignal
        let threads: DispatchGroup
    }

    /// The port on 127.0.0.1; it stays the same over `stop()` and `start()`.
    package let port: UInt16
    private let options: Options
    private let log: ServerLog
    private let listening: Mutex<Listening?>

    /// Listens at once. Throws only if the machine has no port left.
    ///
    /// - Parameter port: 0 for a free one.
    package init(script: SMTPScript = .success, options: Options = Options(), port: UInt16 = 0) throws {
        let listener = try LoopbackListener(port: port)
        self.port = listener.port
        self.options = options
        log = ServerLog(script: script)
        listening = Mutex(try Self.serve(listener, options: options, log: log))
    }

    deinit {
        stop()
    }

    /// Cuts all connections and listens no more: the next client is refused. The records stay. Returns when all
    /// threads have ended, so the closure of a script must not call it.
    package func stop() {
        let ended = listening.withLock { current in
            defer { current = nil }
            return current
        }
        guard let ended else { return }
        ended.wake.fire()
        ended.threads.wait()
    }

    /// Listens again on the same port after `stop()`. Does nothing if it listens already.
    package func start() throws {
        try listening.withLock { current in
            if current == nil {
                current = try Self.serve(LoopbackListener(port: port), options: options, log: log)
            }
        }
    }

    private static func serve(_ listener: LoopbackListener, options: Options, log: ServerLog) throws -> Listening {
        let wake: WakeSignal
        do {
            wake = try WakeSignal()
        } catch {
            close(listener.descriptor)
            throw error
        }
        let threads = DispatchGroup()
        threads.enter()
        Thread.detachNewThread {
            while let descriptor = listener.nextConnection(wake: wake) {
                threads.enter()
                Thread.detachNewThread {
                    let connection = ServerConnection(descriptor: descriptor, wake: wake)
                    var session = SMTPSession(options: options, connection: connection, log: log)
                    session.run()
                    threads.leave()
                }
            }
            close(listener.descriptor)
            threads.leave()
        }
        return Listening(wake: wake, threads: threads)
    }

    /// Uses another script from the next turn on; its counts start anew.
    package func use(_ script: SMTPScript) {
        log.use(script)
    }

    /// All records, consistent with each other.
    package var snapshot: ServerSnapshot { log.snapshot }
    /// Every message whose dot was read, in the order of the dots.
    package var messages: [ReceivedMessage] { snapshot.messages }
    /// The messages that the server took.
    package var accepted: [ReceivedMessage] { snapshot.accepted }
    /// Breaches of the standards by the client.
    package var violations: [String] { snapshot.violations }

    /// Waits until at least `count` messages were accepted. Returns false if `timeout` passed before.
    package func waitUntil(count: Int, timeout: Duration) async -> Bool {
        await waitUntil(timeout: timeout) { $0.accepted.count >= count }
    }

    /// Waits until at least `dots` dots were read, accepted or not.
    package func waitUntil(dots: Int, timeout: Duration) async -> Bool {
        await waitUntil(timeout: timeout) { $0.messages.count >= dots }
    }

    /// Waits until the records satisfy `condition`. Returns false if `timeout` passed before.
    package func waitUntil(timeout: Duration, _ condition: (ServerSnapshot) -> Bool) async -> Bool {
        await eventually(timeout: timeout) { condition(snapshot) }
    }
}

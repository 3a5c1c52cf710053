import Foundation
import Glibc
import TestSupport

/// A Postfix of its own on 127.0.0.1, in one temporary directory: takes mail by STARTTLS and AUTH and hands it on to
/// Postfix's own `smtp-sink`, which keeps each message in a file.
///
/// When the last reference goes, both are killed and the directory is removed.
final class PostfixRelay: Sendable {
    /// The one who may send.
    static let username = "library"
    /// Goes into no log: the tests look for it.
    static let password = "correct-horse-4711"
    /// Not the password.
    static let wrongPassword = "wrong-battery-0815"
    /// At the recipient that Postfix refuses.
    static let unknownReader = "gone@readers.example"

    /// One message as it reached the sink.
    struct Delivered {
        let recipients: [String]
        /// Without its brackets.
        let messageID: String?
        /// What the first Postfix called it, from its Received field.
        let queueID: String?
        /// Whether it came into Postfix by TLS and AUTH (RFC 3848).
        let wasAuthenticatedOverTLS: Bool
        let body: Substring
    }

    /// Where Postfix listens.
    let port: Int
    private let directory: TemporaryDirectory
    private let sink: OwnedProcess
    private let master: OwnedProcess

    /// What this machine lacks to run a Postfix, in a sentence; nil if nothing.
    static let obstacle: String? = {
        // In continuous integration nothing may be skipped: there the tests run, and fail where they cannot.
        if ProcessInfo.processInfo.environment["CI"] == "true" { return nil }
        guard geteuid() == 0 else { return "a real Postfix can be started by root only" }
        let programs = ["/usr/sbin/postfix", "/usr/sbin/smtp-sink", "/usr/sbin/saslpasswd2", "/usr/bin/openssl"]
        let missing = programs.filter { access($0, X_OK) != 0 }
        guard missing.isEmpty else {
            return "\(missing.joined(separator: ", ")) missing: install postfix, sasl2-bin, libsasl2-modules, openssl"
        }
        return nil
    }()

    private init(port: Int, directory: TemporaryDirectory, sink: OwnedProcess, master: OwnedProcess) {
        self.port = port
        self.directory = directory
        self.sink = sink
        self.master = master
    }

    /// Starts both and returns when both listen.
    ///
    /// - Parameter certificateNames: for whom the server's certificate is made out, as in a subjectAltName.
    static func start(certificateNames: String = "DNS:localhost,IP:127.0.0.1") async throws -> PostfixRelay {
        let directory = try TemporaryDirectory()
        // Postfix's processes are another user.
        try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: directory.path)
        for name in ["config/sasl", "queue", "data", "sink"] { try directory.makeDirectory(name) }
        let ports = try await freePorts(2)
        try await makeCertificates(in: directory, names: certificateNames)
        try await makeUser(in: directory)
        try directory.write(mainConfiguration(directory.path, sink: ports[1]), to: "config/main.cf")
        try directory.write(services(port: ports[0]), to: "config/master.cf")
        try await command(["chown", "postfix", directory.path("data"), directory.path("sink")])
        try await command(["postfix", "-c", directory.path("config"), "check"])

        let sink = try OwnedProcess(
            ["smtp-sink", "-u", "postfix", "-d", directory.path("sink/"), "127.0.0.1:\(ports[1])", "100"],
            output: directory.path("sink.log"))
        let daemons = try await command(["postconf", "-c", directory.path("config"), "-h", "daemon_directory"])
        let master = try OwnedProcess(
            ["\(daemons)/master", "-c", directory.path("config"), "-d"], output: directory.path("master.log"))
        let relay = PostfixRelay(port: ports[0], directory: directory, sink: sink, master: master)
        for port in ports {
            guard await eventually(timeout: .seconds(60), { isListening(port) }) else {
                throw TestSupportError("nobody listens at port \(port) of 127.0.0.1. Postfix wrote: \(relay.log)")
            }
        }
        return relay
    }

    /// The certificate of the authority that made the server's.
    var authorityFile: String { directory.path("ca.pem") }

    /// Puts a password into a file as the daemon wants it, in place of the one before.
    func passwordFile(_ password: String) throws -> String {
        let path = try directory.write(password + "\n", to: "password")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return path
    }

    /// All that Postfix has logged.
    var log: String {
        ["master.log", "sink.log", "mail.log"].map { name in
            (try? directory.read(name)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }.joined()
    }

    /// The lines of the log that contain a text.
    func logged(_ text: String) -> [Substring] {
        log.split(separator: "\n").filter { $0.contains(text) }
    }

    /// What was said in each session that has ended, as in `ehlo=2 starttls=1 auth=0/1 quit=1`.
    var sessions: [Substring] {
        logged("disconnect from").compactMap { line in
            line.range(of: "] ehlo=").map { line[line.index(after: $0.lowerBound)...].dropFirst() }
        }
    }

    /// The names of the messages that Postfix still has.
    func queue() throws -> [String] {
        try ["maildrop", "incoming", "active", "deferred", "hold", "corrupt"].flatMap { name in
            try FileManager.default.subpathsOfDirectory(atPath: directory.path("queue/\(name)"))
                .filter { $0.split(separator: "/").last.map { $0.count > 2 } ?? false }
        }
    }

    /// All messages that have arrived at the sink.
    func delivered() throws -> [Delivered] {
        try FileManager.default.contentsOfDirectory(atPath: directory.path("sink")).map { name in
            Self.read(String(decoding: try directory.read("sink/\(name)"), as: UTF8.self))
        }
    }

    /// Waits until Postfix has handed on everything, as many messages as it has taken.
    func drain(timeout: Duration = .seconds(20)) async throws {
        let isDone = try await eventually(timeout: timeout, every: .milliseconds(50)) {
            try queue().isEmpty && logged(": client=").count == logged("status=sent").count
        }
        guard isDone else { throw TestSupportError("Postfix has not handed on everything. It wrote: \(log)") }
    }

    private static func read(_ text: String) -> Delivered {
        let end = text.range(of: "\n\n")
        let header = text.prefix(upTo: end?.lowerBound ?? text.endIndex)
        let unfolded = header.replacing("\n\t", with: " ").replacing("\n ", with: " ")
        let lines = unfolded.split(separator: "\n")
        func values(_ name: String) -> [Substring] {
            lines.filter { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { $0.dropFirst(name.count + 1).drop { $0 == " " } }
        }
        let hop = values("Received").first { $0.contains("by relay.example (Postfix) with ") }
        let how = hop?.split(separator: " ") ?? []
        let place = how.firstIndex(of: "id")
        return Delivered(
            recipients: values("X-Rcpt-Args").map { String($0.drop { $0 == "<" }.prefix { $0 != ">" }) },
            messageID: values("Message-ID").first.map { $0.trimmingCharacters(in: ["<", ">"]) },
            queueID: place.flatMap { $0 + 1 < how.count ? String(how[$0 + 1]) : nil },
            wasAuthenticatedOverTLS: how.contains("ESMTPSA"), body: text.suffix(from: end?.upperBound ?? text.endIndex))
    }
}

import Foundation
import TestSupport

/// Someone between the daemon and its relay on 127.0.0.1 who takes STARTTLS out of the reply to EHLO and asks for the
/// password in clear instead. What the daemon says is written down.
///
/// It is stopped when the last reference goes.
final class PostfixThief: Sendable {
    /// Where it pretends to be the relay.
    let port: Int
    private let directory: TemporaryDirectory
    private let process: OwnedProcess

    private static let script = """
        import socket, socketserver, sys
        own, relay, journal = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                with socket.create_connection(("127.0.0.1", relay)) as server:
                    replies = server.makefile("rb")
                    self.pass_reply(replies)
                    while line := self.rfile.readline():
                        with open(journal, "ab") as file:
                            file.write(line)
                        server.sendall(line)
                        self.pass_reply(replies)

            def pass_reply(self, replies):
                while line := replies.readline():
                    if line[4:12].upper() == b"STARTTLS":
                        line = line[:4] + b"AUTH PLAIN LOGIN\\r\\n"
                    self.wfile.write(line)
                    if line[3:4] != b"-":
                        return

        class Thief(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        with Thief(("127.0.0.1", own), Session) as thief:
            thief.serve_forever()
        """

    private init(port: Int, directory: TemporaryDirectory, process: OwnedProcess) {
        self.port = port
        self.directory = directory
        self.process = process
    }

    /// Begins to stand before a relay's port, and returns when it listens.
    static func start(before relay: Int) async throws -> PostfixThief {
        let directory = try TemporaryDirectory()
        let ports = try await PostfixRelay.freePorts(1)
        let process = try OwnedProcess(
            ["python3", "-c", script, "\(ports[0])", "\(relay)", directory.path("heard")],
            output: directory.path("output"))
        let thief = PostfixThief(port: ports[0], directory: directory, process: process)
        guard await eventually(timeout: .seconds(20), { PostfixRelay.isListening(thief.port) }) else {
            let said = (try? directory.read("output")).map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw TestSupportError("the program that takes STARTTLS away did not start: \(said)")
        }
        return thief
    }

    /// The lines that the daemon has said, in clear, in all its sessions.
    var heard: [String] {
        let text = (try? directory.read("heard")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(whereSeparator: \.isNewline).map(String.init)
    }
}

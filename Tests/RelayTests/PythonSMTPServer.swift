import Foundation
import TestSupport

/// A mail server with TLS on 127.0.0.1, in Python: what the counting server cannot do.
///
/// It writes each command, and `MESSAGE` with the hexadecimal bytes of each body, as a line into its output.
final class PythonSMTPServer: Sendable {
    let port: UInt16
    private let process: ChildProcess
    private let directory: TemporaryDirectory

    /// - Parameters:
    ///   - mode: `starttls`, `stripped` (offers no STARTTLS), `refused` (454 to it), `implicit`, `stall-body` (never
    ///     reads one), `close-after-dot`, `injected` (a reply in clear behind the one to STARTTLS).
    ///   - certificate: PEM file with key and chain; of no use to modes without TLS.
    init(_ mode: String, certificate: String = "") async throws {
        directory = try TemporaryDirectory()
        process = try ChildProcess(
            ["python3", "-u", "-c", PythonSMTPServer.script, mode, certificate],
            environment: ProcessInfo.processInfo.environment, output: directory.path("output"),
            error: directory.path("error"))
        let directory = directory
        var found: UInt16?
        _ = try await eventually(timeout: .seconds(20)) {
            let lines = String(decoding: try directory.read("output"), as: UTF8.self).split(separator: "\n")
            found = lines.first.flatMap { UInt16($0) }
            return found != nil
        }
        guard let found else {
            process.killAndWait()
            throw TestSupportError(String(decoding: try directory.read("error"), as: UTF8.self))
        }
        port = found
    }

    deinit {
        process.killAndWait()
    }

    /// The commands so far.
    var lines: [String] {
        get throws {
            String(decoding: try directory.read("output"), as: UTF8.self).split(separator: "\n").dropFirst()
                .map(String.init)
        }
    }

    /// Waits for a command that begins so.
    func waitUntil(_ beginning: String) async -> Bool {
        await eventually(timeout: .seconds(20)) {
            do { return try lines.contains { $0.hasPrefix(beginning) } } catch { return false }
        }
    }

    private static let script = """
        import socket, ssl, sys, threading
        mode, certificate = sys.argv[1], sys.argv[2]
        def note(*words):
            sys.stdout.write(" ".join(words) + "\\n")
            sys.stdout.flush()
        listener = socket.create_server(("127.0.0.1", 0))
        note(str(listener.getsockname()[1]))
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)

        def serve(plain):
            connection, is_secure = plain, False
            if mode == "implicit":
                connection, is_secure = context.wrap_socket(plain, server_side=True), True
            reader = connection.makefile("rb", buffering=0)
            def say(text):
                connection.sendall(text.encode() + b"\\r\\n")
            def line():
                text = b""
                while not text.endswith(b"\\n"):
                    byte = reader.read(1)
                    if not byte:
                        raise EOFError
                    text += byte
                return text
            say("220 relay.example ESMTP")
            while True:
                command = line().decode().strip()
                note(command)
                verb = command.split(" ")[0].upper()
                if verb == "EHLO":
                    offers = ["relay.example", "SIZE 50000000"]
                    if not is_secure and mode not in ("stripped", "stall-body"):
                        offers.append("STARTTLS")
                    if is_secure:
                        offers.append("AUTH PLAIN")
                    for offer in offers[:-1]:
                        say("250-" + offer)
                    say("250 " + offers[-1])
                elif verb == "STARTTLS":
                    if mode == "refused":
                        say("454 4.7.0 TLS is not available")
                        continue
                    say("220 go on" + ("\\r\\n250 injected" if mode == "injected" else ""))
                    connection, is_secure = context.wrap_socket(connection, server_side=True), True
                    reader = connection.makefile("rb", buffering=0)
                elif verb == "AUTH":
                    say("334 ")
                    line()
                    say("235 2.7.0 welcome")
                elif verb == "DATA":
                    say("354 go on")
                    if mode == "stall-body":
                        threading.Event().wait(600)
                    body = b""
                    while True:
                        text = line()
                        if text == b".\\r\\n":
                            break
                        body += text
                    note("MESSAGE", body.hex())
                    if mode == "close-after-dot":
                        connection.close()
                        return
                    say("250 2.0.0 queued as PY1")
                elif verb == "QUIT":
                    say("221 bye")
                    connection.close()
                    return
                else:
                    say("250 ok")

        def guarded(plain):
            try:
                serve(plain)
            except (OSError, EOFError, ValueError) as error:
                note("ENDED", type(error).__name__)
                plain.close()

        while True:
            client, _ = listener.accept()
            threading.Thread(target=guarded, args=(client,), daemon=True).start()
        """
}

/// A certificate authority of its own and certificates that it has signed, made with openssl(1).
struct TestAuthority {
    private let directory: TemporaryDirectory

    /// The PEM file of the authority.
    var file: String { directory.path("ca.pem") }

    init() async throws {
        directory = try TemporaryDirectory()
        try await TestAuthority.openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=Test Authority", "-keyout", directory.path("ca.key"), "-out", file,
        ])
    }

    /// A PEM file with the key and the certificate of a server of this name, such as `DNS:localhost`.
    func certificate(for name: String) async throws -> String {
        let path = directory.path("server.pem")
        try directory.write("subjectAltName=\(name)\n", to: "extensions")
        try await TestAuthority.openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=relay",
            "-keyout", directory.path("server.key"), "-out", directory.path("server.csr"),
        ])
        try await TestAuthority.openssl([
            "x509", "-req", "-in", directory.path("server.csr"), "-CA", file, "-CAkey", directory.path("ca.key"),
            "-CAcreateserial", "-days", "2", "-extfile", directory.path("extensions"), "-out",
            directory.path("server.crt"),
        ])
        try directory.write(try directory.read("server.key") + directory.read("server.crt"), to: "server.pem")
        return path
    }

    private static func openssl(_ arguments: [String]) async throws {
        let result = try await runProcess(["openssl"] + arguments)
        guard result.status == 0 else { throw TestSupportError(result.errorText) }
    }
}

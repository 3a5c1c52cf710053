import Mailing
import Relay
import TestSupport
import Testing

@Suite struct SMTPConnectionTLSTests {
    private func connection(
        to server: PythonSMTPServer, caFile: String?, adjust: (inout SMTPRelaySettings) -> Void = { _ in }
    ) -> SMTPConnection {
        var settings = settings(port: server.port)
        settings.requireTLS = true
        settings.caFile = caFile
        adjust(&settings)
        return SMTPConnection(settings: settings)
    }

    @Test func `STARTTLS with an authority of our own carries messages byte for byte`() async throws {
        let authority = try await TestAuthority()
        let server = try await PythonSMTPServer("starttls", certificate: authority.certificate(for: "IP:127.0.0.1"))
        let connection = connection(to: server, caFile: authority.file) {
            $0.username = "campaign"
            $0.password = "secret"
        }
        for _ in 1...2 {
            guard case .ready = await connection.open() else {
                Issue.record("not opened: \(await connection.open())")
                return
            }
            #expect(await connection.offer(try envelope(), message: message(".", "..x")) == .armed)
            #expect(await connection.handOver().replyCode == 250)
        }
        #expect(await connection.peer?.contains("TLSv1.3") == true)
        await connection.close()
        #expect(await server.waitUntil("QUIT"))
        let lines = try server.lines
        let stuffed = message("..", "...x").map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(lines.filter { $0 == "MESSAGE \(stuffed)" }.count == 2)
        #expect(lines.prefix(4) == ["EHLO campaignd.example", "STARTTLS", "EHLO campaignd.example", "AUTH PLAIN"])
        #expect(lines.filter { $0 == "STARTTLS" }.count == 1)
    }

    @Test func `implicit TLS carries a message and a loss after the dot is silence`() async throws {
        let authority = try await TestAuthority()
        let certificate = try await authority.certificate(for: "IP:127.0.0.1")
        let server = try await PythonSMTPServer("implicit", certificate: certificate)
        let connection = connection(to: server, caFile: authority.file) { $0.implicitTLS = true }
        #expect(await connection.open() == .ready(fresh: true))
        #expect(await connection.offer(try envelope(), message: message("x")) == .armed)
        #expect(await connection.handOver().replyCode == 250)

        let closing = try await PythonSMTPServer("close-after-dot", certificate: certificate)
        let second = self.connection(to: closing, caFile: authority.file)
        #expect(await second.open() == .ready(fresh: true))
        #expect(await second.offer(try envelope(), message: message("x")) == .armed)
        let result = await second.handOver()
        #expect(result.isSilent)
        #expect(result.writtenAt != nil)
        #expect(await closing.waitUntil("MESSAGE"))
    }

    @Test func `a large message goes through TLS byte for byte`() async throws {
        let authority = try await TestAuthority()
        let server = try await PythonSMTPServer("starttls", certificate: authority.certificate(for: "IP:127.0.0.1"))
        let connection = connection(to: server, caFile: authority.file)
        let body = Array((0..<6000).map { "line \($0) \(String(repeating: "y", count: $0 % 70))\r\n" }.joined().utf8)
        #expect(await connection.open() == .ready(fresh: true))
        #expect(await connection.offer(try envelope(), message: body) == .armed)
        #expect(await connection.handOver().replyCode == 250)
        let hexadecimal = body.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(try server.lines.contains("MESSAGE \(hexadecimal)"))
    }

    @Test func `a certificate of an unknown authority is refused before MAIL`() async throws {
        let authority = try await TestAuthority()
        let server = try await PythonSMTPServer("starttls", certificate: authority.certificate(for: "IP:127.0.0.1"))
        let failure = await connection(to: server, caFile: nil).open().failure
        #expect(failure?.phase == .encryption)
        #expect(failure?.sentence.contains("is not to be trusted") == true)
        #expect(await server.waitUntil("ENDED"))
        #expect(try server.lines.prefix(2) == ["EHLO campaignd.example", "STARTTLS"])
        #expect(try !server.lines.contains { $0.hasPrefix("MAIL") || $0.hasPrefix("AUTH") })
    }

    @Test func `a certificate for another host is refused before MAIL`() async throws {
        let authority = try await TestAuthority()
        let server = try await PythonSMTPServer(
            "starttls", certificate: authority.certificate(for: "DNS:other.example"))
        let failure = await connection(to: server, caFile: authority.file).open().failure
        #expect(failure?.phase == .encryption)
        #expect(await server.waitUntil("ENDED"))
        #expect(try !server.lines.contains { $0.hasPrefix("MAIL") || $0.hasPrefix("AUTH") })
    }

    @Test func `a server that does not offer STARTTLS gets neither the password nor MAIL`() async throws {
        let server = try await PythonSMTPServer("stripped")
        let connection = connection(to: server, caFile: nil) {
            $0.username = "campaign"
            $0.password = "secret"
        }
        let failure = await connection.open().failure
        #expect(failure?.phase == .encryption)
        #expect(failure?.sentence.contains("does not offer STARTTLS") == true)
        #expect(await connection.offer(try envelope(), message: message("x")).lostPhase == .idle)
        #expect(try !server.lines.contains { $0.hasPrefix("MAIL") || $0.hasPrefix("AUTH") })
    }

    @Test func `a refusal of STARTTLS is returned as the server said it`() async throws {
        let server = try await PythonSMTPServer("refused")
        let opening = await connection(to: server, caFile: nil).open()
        #expect(opening == .refused(.encryption, SMTPReply(code: 454, lines: ["4.7.0 TLS is not available"])))
    }

    @Test func `replies that were put in before the encryption end the session`() async throws {
        let authority = try await TestAuthority()
        let server = try await PythonSMTPServer("injected", certificate: authority.certificate(for: "IP:127.0.0.1"))
        let opening = await connection(to: server, caFile: authority.file).open()
        #expect(opening.failure != nil)
        #expect(try !server.lines.contains { $0.hasPrefix("MAIL") })
    }

    @Test func `a file of authorities that is not there is named`() async throws {
        let authority = try await TestAuthority()
        let server = try await PythonSMTPServer("starttls", certificate: authority.certificate(for: "IP:127.0.0.1"))
        let failure = await connection(to: server, caFile: "/nonexistent/ca.pem").open().failure
        #expect(failure?.phase == .encryption)
        #expect(failure?.sentence.contains("/nonexistent/ca.pem") == true)
    }
}

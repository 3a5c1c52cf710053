import Mailing
import Relay
import TestSupport
import Testing

@Suite struct SMTPConnectionTLSTests {
    private static let credentials = CountingSMTPServer.Credentials(username: "campaign", password: "secret")

    /// A server with a certificate of the authority, and a client that believes the authority unless told otherwise.
    private func pair(
        _ script: SMTPScript = .success, authority: TestAuthority, name: String = "IP:127.0.0.1",
        implicit: Bool = false,
        credentials: CountingSMTPServer.Credentials? = nil, adjust: (inout SMTPRelaySettings) -> Void = { _ in }
    ) async throws -> Pair {
        let certificate = try await authority.certificate(for: name)
        let encryption: CountingSMTPServer.Encryption =
            implicit ? .implicit(certificate) : .startTLS(certificate)
        return try Pair(script, options: .init(credentials: credentials, encryption: encryption)) {
            $0.requireTLS = true
            $0.implicitTLS = implicit
            $0.caFile = authority.file
            $0.username = credentials?.username
            $0.password = credentials?.password
            adjust(&$0)
        }
    }

    /// Whether the server heard neither a password nor a message.
    private func heardNothing(_ server: CountingSMTPServer) -> Bool {
        !server.snapshot.commands.contains { $0.hasPrefix("1 MAIL") || $0.hasPrefix("1 AUTH") }
    }

    @Test func `STARTTLS with an authority of our own carries messages byte for byte`() async throws {
        let pair = try await pair(authority: TestAuthority(), credentials: Self.credentials)
        let sent = message(".", "..x")
        for _ in 1...2 {
            guard case .ready = await pair.connection.open() else {
                Issue.record("not opened: \(await pair.connection.open())")
                return
            }
            #expect(await pair.connection.offer(try envelope(), message: sent) == .armed)
            #expect(await pair.connection.handOver().replyCode == 250)
        }
        #expect(await pair.connection.peer?.contains("TLSv1.3") == true)
        await pair.connection.close()
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.quits == 1 })
        let snapshot = pair.server.snapshot
        #expect(snapshot.accepted.map(\.data) == [sent, sent])
        #expect(
            snapshot.commands.prefix(4) == [
                "1 EHLO campaignd.example", "1 STARTTLS", "1 EHLO campaignd.example", "1 AUTH",
            ])
        #expect(snapshot.handshakes == 1)
        #expect(snapshot.violations == [])
    }

    @Test func `implicit TLS carries a message and a loss after the dot is silence`() async throws {
        let authority = try await TestAuthority()
        let pair = try await pair(
            SMTPScript().on(.dot, occurrence: 2, .closeConnection), authority: authority, implicit: true)
        #expect(try await pair.deliver()?.replyCode == 250)
        let result = try #require(try await pair.deliver())
        #expect(result.isSilent)
        #expect(result.writtenAt != nil)
        #expect(pair.server.messages.count == 2)
        #expect(pair.server.violations == [])
    }

    @Test(arguments: [false, true]) func `a large message goes through TLS byte for byte`(implicit: Bool) async throws {
        let pair = try await pair(authority: TestAuthority(), implicit: implicit)
        let body = Array((0..<6000).map { "line \($0) \(String(repeating: "y", count: $0 % 70))\r\n" }.joined().utf8)
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: body) == .armed)
        #expect(await pair.connection.handOver().replyCode == 250)
        #expect(pair.server.accepted.map(\.data) == [body])
    }

    @Test func `a certificate of an unknown authority is refused before MAIL`() async throws {
        let pair = try await pair(authority: TestAuthority(), credentials: Self.credentials) { $0.caFile = nil }
        let failure = await pair.connection.open().failure
        #expect(failure?.phase == .encryption)
        #expect(failure?.sentence.contains("is not to be trusted") == true)
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.failedHandshakes.count == 1 })
        #expect(pair.server.snapshot.commands == ["1 EHLO campaignd.example", "1 STARTTLS"])
    }

    @Test func `a certificate for another host is refused before MAIL`() async throws {
        let pair = try await pair(authority: TestAuthority(), name: "DNS:other.example", credentials: Self.credentials)
        let failure = await pair.connection.open().failure
        #expect(failure?.phase == .encryption)
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.connectionsClosed == 1 })
        #expect(heardNothing(pair.server))
    }

    @Test func `a server that does not offer STARTTLS gets neither the password nor MAIL`() async throws {
        let pair = try Pair(options: .init(credentials: Self.credentials)) {
            $0.requireTLS = true
            $0.username = "campaign"
            $0.password = "secret"
        }
        let failure = await pair.connection.open().failure
        #expect(failure?.phase == .encryption)
        #expect(failure?.sentence.contains("does not offer STARTTLS") == true)
        #expect(await pair.connection.offer(try envelope(), message: message("x")).lostPhase == .idle)
        #expect(heardNothing(pair.server))
    }

    @Test func `a refusal of STARTTLS is returned as the server said it`() async throws {
        let pair = try await pair(
            SMTPScript().on(.starttls, .reply("454 4.7.0 TLS is not available")), authority: TestAuthority())
        #expect(
            await pair.connection.open()
                == .refused(.encryption, SMTPReply(code: 454, lines: ["4.7.0 TLS is not available"])))
    }

    @Test func `replies that were put in before the encryption end the session`() async throws {
        let pair = try await pair(
            SMTPScript().on(.starttls, .reply("220 go on\n250 injected")), authority: TestAuthority())
        #expect(await pair.connection.open().failure != nil)
        #expect(heardNothing(pair.server))
    }

    @Test func `a file of authorities that is not there is named`() async throws {
        let pair = try await pair(authority: TestAuthority()) { $0.caFile = "/nonexistent/ca.pem" }
        let failure = await pair.connection.open().failure
        #expect(failure?.phase == .encryption)
        #expect(failure?.sentence.contains("/nonexistent/ca.pem") == true)
    }
}

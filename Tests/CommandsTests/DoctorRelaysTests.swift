import Foundation
import Glibc
import TestSupport
import Testing

@testable import Commands

/// What a doctor says of mail servers, each of them a real one.
@Suite(.timeLimit(.minutes(5))) struct DoctorRelaysTests {
    /// Faults of TLS and of logging in.
    enum Planted: String, CaseIterable {
        case otherName, expired, unknownAuthority, noStartTLS, refusedStartTLS
        case wrongPassword, noAuth, otherAuth
    }

    private static let credentials = CountingSMTPServer.Credentials(username: "campaign", password: "right")

    private func examine(
        _ server: CountingSMTPServer, scheme: String = "smtp", lines: [String]
    ) async throws -> [DoctorFinding] {
        let patient = try Patient()
        let fixture = patient.fixture
        let password = try fixture.directory.write("right\n", to: "password")
        #expect(chmod(password, 0o600) == 0)
        let url = "\(scheme)://127.0.0.1:\(server.port)"
        let configuration = TestConfiguration(relays: [.init(url: url, lines: lines)])
        try fixture.directory.write(
            configuration.toml(spool: fixture.spoolPath, ledger: fixture.path), to: "campaignd.toml")
        return await patient.examine().findings.filter { $0.check == "relay default" || $0.outcome == .fault }
    }

    private static let login = ["username = \"campaign\"", "password_file = \"password\""]

    /// A server with that fault, how the relay is configured, and what doctor has to say of it.
    private func plant(
        _ planted: Planted, implicit: Bool
    ) async throws -> (server: CountingSMTPServer, lines: [String], words: String, remedy: String) {
        let authority = try await TestAuthority()
        let trusting = "ca_file = \(TestConfiguration.quoted(authority.file))"
        func server(_ name: String = "IP:127.0.0.1", days: Int = 2) async throws -> CountingSMTPServer {
            let certificate = try await authority.certificate(for: name, days: days)
            return try CountingSMTPServer(
                options: .init(encryption: implicit ? .implicit(certificate) : .startTLS(certificate)))
        }
        switch planted {
        case .otherName:
            return (
                try await server("DNS:other.example"), [trusting], "is not to be trusted", "write the name in url"
            )
        case .expired: return (try await server(days: -1), [trusting], "has expired", "renewed")
        case .unknownAuthority:
            return (
                try await server(), ["tls = \"required\""], "is not to be trusted", "name its authority in ca_file"
            )
        case .noStartTLS:
            return (
                try CountingSMTPServer(), ["tls = \"required\""], "does not offer STARTTLS", "offer STARTTLS, or write"
            )
        case .refusedStartTLS:
            let certificate = try await authority.certificate(for: "IP:127.0.0.1")
            let script = SMTPScript().on(.starttls, .reply("454 4.7.0 TLS is not available"))
            return (
                try CountingSMTPServer(script: script, options: .init(encryption: .startTLS(certificate))), [trusting],
                "454 4.7.0 TLS is not available", "why it refuses STARTTLS"
            )
        case .wrongPassword:
            let other = CountingSMTPServer.Credentials(username: "campaign", password: "other")
            return (
                try CountingSMTPServer(options: .init(credentials: other)), Self.login, "535 5.7.8",
                "mend username and the password"
            )
        case .noAuth:
            return (try CountingSMTPServer(), Self.login, "offers no way to log in", "let the mail server offer AUTH")
        case .otherAuth:
            var options = CountingSMTPServer.Options()
            options.extensions.append("AUTH X-UNKNOWN")
            return (
                try CountingSMTPServer(options: options), Self.login, "log in", "mend username"
            )
        }
    }

    @Test(arguments: Planted.allCases)
    func `a fault of TLS or of logging in is found, with its remedy, and no mail is sent`(
        planted: Planted
    ) async throws {
        let (server, lines, words, remedy) = try await plant(planted, implicit: false)
        let findings = try await examine(server, lines: lines)
        #expect(findings.count == 1, "\(findings)")
        let finding = try #require(findings.first)
        #expect(finding.check == "relay default")
        #expect(finding.outcome == .fault)
        #expect(finding.message.contains(words), "\(finding.message)")
        #expect(finding.remedy?.contains(remedy) == true, "\(finding)")
        #expect(server.snapshot.transactions == 0)
        #expect(!finding.message.contains("right"), "no password is told")
    }

    @Test(arguments: [Planted.otherName, .expired, .unknownAuthority])
    func `so is a fault of a certificate where TLS comes first`(planted: Planted) async throws {
        let (server, lines, words, remedy) = try await plant(planted, implicit: true)
        let findings = try await examine(server, scheme: "smtps", lines: lines)
        #expect(findings.count == 1, "\(findings)")
        #expect(findings.first?.message.contains(words) == true, "\(findings)")
        #expect(findings.first?.remedy?.contains(remedy) == true, "\(findings)")
        #expect(server.snapshot.commands == [], "nothing is said in clear")
    }

    @Test func `a server that takes the password under TLS is in order`() async throws {
        let authority = try await TestAuthority()
        let certificate = try await authority.certificate(for: "IP:127.0.0.1")
        let server = try CountingSMTPServer(
            options: .init(credentials: Self.credentials, encryption: .startTLS(certificate)))
        let lines = Self.login + ["ca_file = \(TestConfiguration.quoted(authority.file))"]
        let findings = try await examine(server, lines: lines)
        #expect(findings.map(\.outcome) == [.ok], "\(findings)")
        #expect(findings.first?.message.contains("lets us log in; no mail was sent") == true)
        #expect(server.snapshot.authentications == ["campaign"])
        #expect(server.snapshot.transactions == 0)
        #expect(await server.waitUntil(timeout: .seconds(5)) { $0.quits == 1 }, "it says goodbye")
    }
}

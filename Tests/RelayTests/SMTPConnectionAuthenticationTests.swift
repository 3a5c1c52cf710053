import Mailing
import Relay
import TestSupport
import Testing

@Suite struct SMTPConnectionAuthenticationTests {
    private static let credentials = CountingSMTPServer.Credentials(username: "campaign", password: "s3cret:é")

    private func pair(
        _ script: SMTPScript = .success, options: CountingSMTPServer.Options = .init(credentials: credentials),
        password: String = credentials.password, mechanism: String? = nil
    ) throws -> Pair {
        try Pair(script, options: options) {
            $0.username = Self.credentials.username
            $0.password = password
            $0.authenticationMechanism = mechanism
        }
    }

    @Test(arguments: [nil, "PLAIN", "LOGIN"])
    func `the right password is let in`(mechanism: String?) async throws {
        let pair = try pair(mechanism: mechanism)
        #expect(try await pair.deliver()?.replyCode == 250)
        #expect(pair.server.snapshot.authentications == ["campaign"])
        #expect(pair.server.violations == [])
    }

    @Test func `a wrong password is a refusal of the authentication`() async throws {
        let pair = try pair(password: "wrong", mechanism: "PLAIN")
        let opening = await pair.connection.open()
        let reply = SMTPReply(code: 535, lines: ["5.7.8 Authentication credentials invalid"])
        #expect(opening == .refused(.authentication, reply))
        #expect(pair.server.snapshot.transactions == 0)
    }

    @Test func `a temporary failure of the authentication is returned as the server said it`() async throws {
        let pair = try pair(SMTPScript().on(.auth, .reply("454 4.7.0 database is away")), mechanism: "PLAIN")
        let opening = await pair.connection.open()
        #expect(opening == .refused(.authentication, SMTPReply(code: 454, lines: ["4.7.0 database is away"])))
    }

    @Test func `a server without AUTH gets no mail when a user name is configured`() async throws {
        let pair = try pair(options: .init())
        let failure = await pair.connection.open().failure
        #expect(failure?.phase == .authentication)
        #expect(failure?.sentence.contains("offers no way to log in") == true)
        #expect(await pair.connection.offer(try envelope(), message: message("x")).lostPhase == .idle)
        #expect(pair.server.snapshot.transactions == 0)
    }

    @Test func `a server that offers only other mechanisms gets no mail`() async throws {
        var options = CountingSMTPServer.Options()
        options.extensions.append("AUTH X-UNKNOWN")
        let pair = try pair(options: options)
        #expect(await pair.connection.open().failure?.phase == .authentication)
        #expect(pair.server.snapshot.transactions == 0)
    }

    @Test func `settings that contradict themselves open nothing`() async throws {
        let pair = try pair(password: "")
        let failure = await pair.connection.open().failure
        #expect(failure?.sentence == "the user name or the password for 127.0.0.1 is empty")
        #expect(pair.server.snapshot.connectionsOpened == 0)
    }
}

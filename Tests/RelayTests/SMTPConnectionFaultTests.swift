import Mailing
import Relay
import TestSupport
import Testing

@Suite struct SMTPConnectionFaultTests {
    @Test(arguments: [
        (SMTPScript.Phase.mail, SMTPPhase.mail), (.rcpt, .recipient), (.data, .data), (.bodyProgress, .body),
    ])
    func `a connection that breaks before the dot is lost with its phase`(
        turn: SMTPScript.Phase, phase: SMTPPhase
    ) async throws {
        let pair = try Pair(SMTPScript().on(turn, times: 1, turn == .bodyProgress ? .reset : .closeConnection))
        #expect(await pair.connection.open() == .ready(fresh: true))
        // Large enough that a server that has gone is noticed while the body is written.
        let body = Array(String(repeating: String(repeating: "x", count: 70) + "\r\n", count: 200_000).utf8)
        let result = await pair.connection.offer(try envelope(), message: body)
        #expect(result.lostPhase == phase, "\(result)")
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(try await pair.deliver()?.replyCode == 250)
        #expect(pair.server.messages.count == 1)
    }

    @Test func `a command without an answer is lost when its time is over`() async throws {
        let pair = try Pair(SMTPScript().on(.rcpt, .stall)) { $0.timeouts.recipient = 1 }
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: message("x")).lostPhase == .recipient)
    }

    @Test func `a server that speaks between its 354 and the dot never gets the dot`() async throws {
        let pair = try Pair(SMTPScript().on(.bodyProgress, .replyThenClose("250 2.0.0 Ok: queued as EARLY")))
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: message("x")) == .armed)
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.connectionsClosed == 1 })
        let result = await pair.connection.handOver()
        #expect(result == RelayHandOver(ending: .notWritten("the server spoke before the final dot"), writtenAt: nil))
        #expect(pair.server.messages.isEmpty)
    }

    @Test func `bytes that come with the 354 end the connection`() async throws {
        let pair = try Pair(SMTPScript().on(.data, .reply("354 go on\n250 2.0.0 Ok: queued as EARLY")))
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: message("x")).lostPhase == .data)
        #expect(pair.server.messages.isEmpty)
    }

    @Test func `a connection that is found closed at the dot was not written to`() async throws {
        let pair = try Pair(SMTPScript().on(.bodyProgress, .closeConnection))
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: message("x")) == .armed)
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.connectionsClosed == 1 })
        let result = await pair.connection.handOver()
        #expect(result.isNotWritten)
        #expect(result.writtenAt == nil)
    }

    @Test func `a late reply to the dot is waited for`() async throws {
        let pair = try Pair(SMTPScript().on(.dot, .delay(.milliseconds(1500), then: .proceed)))
        let result = try #require(try await pair.deliver())
        #expect(result.replyCode == 250)
        #expect(pair.server.violations == [])
    }

    @Test(arguments: [SMTPScript.Action.closeConnection, .reset, .taking(.closeConnection)])
    func `a connection that ends after the dot is silence`(action: SMTPScript.Action) async throws {
        let pair = try Pair(SMTPScript().on(.dot, times: 1, action))
        let result = try #require(try await pair.deliver())
        #expect(result.isSilent)
        #expect(result.writtenAt != nil)
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(pair.server.messages.count == 1)
    }

    @Test func `a reply to the dot that never comes is silence when the time is over`() async throws {
        let pair = try Pair(SMTPScript().on(.dot, times: 1, .stall)) { $0.timeouts.dot = 1 }
        #expect(try await pair.deliver()?.isSilent == true)
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.connectionsClosed == 1 })
        // What the server may still say belongs to a connection that is gone.
        #expect(try await pair.deliver(to: "b@example.org")?.replyCode == 250)
        #expect(pair.server.snapshot.connectionsOpened == 2)
    }

    @Test(arguments: ["354 again", "nonsense", "250 Ok\n250 Ok"])
    func `a reply to the dot that makes no sense is silence`(reply: String) async throws {
        let pair = try Pair(
            SMTPScript().on(.dot, .raw(Array((reply + "\r\n").replacing("\n250", with: "\r\n250").utf8))))
        #expect(try await pair.deliver()?.isSilent == true)
        #expect(await pair.connection.open() == .ready(fresh: true))
    }

    @Test func `a reply in single bytes is read as one`() async throws {
        let pair = try Pair(
            SMTPScript().on(.dot, .byteByByte("250-2.0.0 Ok\n250 2.0.0 queued as 7", interval: .milliseconds(2))))
        let result = try #require(try await pair.deliver())
        #expect(
            result.ending == .answered(SMTPReply(code: 250, lines: ["2.0.0 Ok", "2.0.0 queued as 7"])))
    }

    @Test(arguments: [SMTPScript.Action.closeConnection, .replyThenClose("421 4.4.2 idle too long")])
    func `a connection that the server ended while idle is opened anew`(action: SMTPScript.Action) async throws {
        // The first idle moment is the one after EHLO.
        let pair = try Pair(SMTPScript().on(.idle, occurrence: 2, action))
        #expect(try await pair.deliver(to: "a@example.org")?.replyCode == 250)
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.connectionsClosed == 1 })
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(try await pair.deliver(to: "b@example.org")?.replyCode == 250)
        #expect(pair.server.violations == [])
    }

    @Test(arguments: ["421 4.4.2 idle too long", "451 4.7.0 timeout", "554 5.3.2 out of service", "250 2.0.0 Ok"])
    func `what a server says unasked before MAIL is not taken for the answer to it`(words: String) async throws {
        let progress = MatrixProgress()
        let pair = try Pair(
            SMTPScript().on(.idle, occurrence: 1, .when({ progress.isOpen }, then: .replyThenClose(words))))
        #expect(await pair.connection.open() == .ready(fresh: true))
        progress.isOpen = true
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.connectionsClosed == 1 })
        #expect(await pair.connection.offer(try envelope(), message: message("x")).lostPhase == .mail)
        #expect(try await pair.deliver()?.replyCode == 250)
        #expect(!pair.server.snapshot.commands.contains { $0.hasPrefix("1 MAIL") })
    }

    @Test(arguments: ["421 4.3.2 not now", "554 5.7.1 not you"])
    func `a greeting that refuses is returned as it is`(greeting: String) async throws {
        let pair = try Pair(SMTPScript().on(.greeting, .replyThenClose(greeting)))
        let opening = await pair.connection.open()
        let code = try #require(Int(greeting.prefix(3)))
        #expect(opening == .refused(.greeting, SMTPReply(code: code, lines: [String(greeting.dropFirst(4))])))
    }

    @Test func `a greeting that does not come fails when its time is over`() async throws {
        let pair = try Pair(SMTPScript().on(.greeting, .stall)) { $0.greetingSeconds = 1 }
        let failure = await pair.connection.open().failure
        #expect(failure?.phase == .greeting)
        #expect(failure?.sentence.contains("did not answer in time") == true)
    }

    @Test func `a greeting may come later than the time limit of the connection itself`() async throws {
        let pair = try Pair(SMTPScript().on(.greeting, .delay(.milliseconds(2500), then: .proceed))) {
            $0.connectSeconds = 1
        }
        #expect(await pair.connection.open() == .ready(fresh: true))
    }

    @Test func `a server that is not there fails in the connect phase`() async throws {
        let pair = try Pair()
        pair.server.stop()
        let failure = await pair.connection.open().failure
        #expect(failure?.phase == .connect)
        #expect(failure?.sentence.contains("127.0.0.1:\(pair.server.port) cannot be reached") == true)
        try pair.server.start()
        #expect(await pair.connection.open() == .ready(fresh: true))
    }

    @Test func `a server that closes at once fails in the greeting phase`() async throws {
        let pair = try Pair(SMTPScript().on(.connect, .closeConnection))
        #expect(await pair.connection.open().failure?.phase == .greeting)
    }

    @Test func `a TCP connection that does not come about fails when its time is over`() async throws {
        let backlog = try FullBacklog()
        var settings = settings(port: backlog.port)
        settings.connectSeconds = 1
        let failure = await SMTPConnection(settings: settings).open().failure
        #expect(failure?.phase == .connect)
        #expect(failure?.sentence.contains("did not accept a connection within 1 s") == true)
    }
}

import Mailing
import Relay
import TestSupport
import Testing

@Suite struct SMTPConnectionTests {
    @Test func `two messages go over one connection and it ends with QUIT`() async throws {
        let pair = try Pair()
        #expect(await pair.connection.open() == .ready(fresh: true))
        for recipient in ["a@example.org", "b@example.org"] {
            #expect(await pair.connection.open() == .ready(fresh: recipient == "nobody@example.org"))
            #expect(await pair.connection.offer(try envelope(to: recipient), message: message("hallo")) == .armed)
            #expect(await pair.connection.handOver().replyCode == 250)
        }
        await pair.connection.close()
        let snapshot = pair.server.snapshot
        #expect(snapshot.accepted.map(\.recipients) == [["a@example.org"], ["b@example.org"]])
        #expect(snapshot.connectionsOpened == 1)
        #expect(snapshot.quits == 1)
        #expect(snapshot.violations == [])
        #expect(snapshot.commands.first == "1 EHLO campaignd.example")
        #expect(snapshot.accepted.first?.mailParameters["SIZE"] == "\(message("hallo").count)")
    }

    @Test func `the reply to the dot is returned with its queue id`() async throws {
        let pair = try Pair()
        let result = try #require(try await pair.deliver())
        guard case .answered(let reply) = result.ending else {
            Issue.record("not answered: \(result)")
            return
        }
        #expect(reply.queueID == "A001")
        #expect(result.writtenAt != nil)
    }

    @Test func `any 2yz reply to the dot is an answer`() async throws {
        let pair = try Pair(SMTPScript().on(.dot, .reply("252 2.5.0 taken, cannot verify")))
        #expect(try await pair.deliver()?.replyCode == 252)
    }

    @Test(arguments: ["451 4.3.0 try later", "554 5.6.0 no"])
    func `a refusal of the dot is an answer and the connection serves the next message`(refusal: String) async throws {
        let pair = try Pair(SMTPScript().on(.dot, times: 1, .reply(refusal)))
        #expect(try await pair.deliver()?.replyCode == Int(refusal.prefix(3)))
        #expect(await pair.connection.open() == .ready(fresh: false))
        #expect(try await pair.deliver(to: "b@example.org")?.replyCode == 250)
        #expect(pair.server.snapshot.connectionsOpened == 1)
    }

    @Test func `a 421 to the dot ends the connection and the next open begins a new one`() async throws {
        let pair = try Pair(SMTPScript().on(.dot, times: 1, .reply("421 4.3.2 going down")))
        #expect(try await pair.deliver()?.replyCode == 421)
        #expect(await pair.connection.open() == .ready(fresh: true))
    }

    @Test func `a refused recipient costs a RSET and not the connection`() async throws {
        let pair = try Pair(SMTPScript().on(.rcpt, recipient: "nobody@example.org", .reply("550 5.1.1 no such user")))
        #expect(await pair.connection.open() == .ready(fresh: true))
        let refused = await pair.connection.offer(try envelope(to: "nobody@example.org"), message: message("x"))
        #expect(refused == .refused(.recipient, SMTPReply(code: 550, lines: ["5.1.1 no such user"])))
        #expect(await pair.connection.offer(try envelope(to: "a@example.org"), message: message("x")) == .armed)
        #expect(await pair.connection.handOver().replyCode == 250)
        #expect(pair.server.snapshot.commands.contains("1 RSET"))
        #expect(pair.server.accepted.map(\.recipients) == [["a@example.org"]])
        #expect(pair.server.violations == [])
    }

    @Test func `refusals of MAIL and DATA are named with their phase`() async throws {
        let script = SMTPScript()
            .on(.mail, times: 1, .reply("451 4.7.1 slow down")).on(.data, times: 1, .reply("554 5.7.1 policy"))
        let pair = try Pair(script)
        #expect(await pair.connection.open() == .ready(fresh: true))
        let first = await pair.connection.offer(try envelope(), message: message("x"))
        #expect(first == .refused(.mail, SMTPReply(code: 451, lines: ["4.7.1 slow down"])))
        let second = await pair.connection.offer(try envelope(), message: message("x"))
        #expect(second == .refused(.data, SMTPReply(code: 554, lines: ["5.7.1 policy"])))
        #expect(await pair.connection.offer(try envelope(), message: message("x")) == .armed)
        #expect(pair.server.snapshot.connectionsOpened == 1)
    }

    @Test func `a RSET that fails closes the connection but the refusal stands`() async throws {
        let pair = try Pair(SMTPScript().on(.rcpt, times: 1, .reply("550 5.1.1 no")).on(.rset, .closeConnection))
        #expect(await pair.connection.open() == .ready(fresh: true))
        let refused = await pair.connection.offer(try envelope(), message: message("x"))
        #expect(refused == .refused(.recipient, SMTPReply(code: 550, lines: ["5.1.1 no"])))
        #expect(await pair.connection.open() == .ready(fresh: true))
    }

    @Test func `an address that needs SMTPUTF8 is refused before MAIL and the connection stays`() async throws {
        let pair = try Pair()
        #expect(await pair.connection.open() == .ready(fresh: true))
        let result = await pair.connection.offer(try envelope(to: "zoë@example.org"), message: message("x"))
        guard case .refused(.recipient, let reply) = result else {
            Issue.record("not refused: \(result)")
            return
        }
        #expect(reply.code == 553)
        #expect(pair.server.snapshot.transactions == 0)
        #expect(await pair.connection.open() == .ready(fresh: false))
    }

    @Test(arguments: [
        ".\r\n", "..\r\n", ".", "a\r\n.\r\nb\r\n", "a\r\n..\r\n.b\r\n", "a", "", "\r\n.\r\n.\r\n", "a\r\n.\r\n\r\n",
    ])
    func `the server gets the message byte for byte whatever its dots`(body: String) async throws {
        let pair = try Pair()
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: Array(body.utf8)) == .armed)
        #expect(await pair.connection.handOver().replyCode == 250)
        let expected = body.isEmpty || body.hasSuffix("\r\n") ? body : body + "\r\n"
        #expect(pair.server.accepted.map(\.text) == [expected])
        #expect(pair.server.violations == [])
    }

    @Test func `a message of many blocks arrives byte for byte`() async throws {
        let pair = try Pair()
        let lines = (0..<40_000).map { number in String(repeating: ".", count: number % 4) + "line \(number)\r\n" }
        let body = Array(lines.joined().utf8)
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: body) == .armed)
        #expect(await pair.connection.handOver().replyCode == 250)
        #expect(pair.server.accepted.first?.data == body)
        #expect(pair.server.violations == [])
    }

    @Test func `no dot leaves before hand-over`() async throws {
        let pair = try Pair()
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: message("x")) == .armed)
        await pair.connection.close()
        #expect(await pair.server.waitUntil(timeout: .seconds(5)) { $0.connectionsClosed == 1 })
        #expect(pair.server.messages.isEmpty)
        #expect(pair.server.snapshot.quits == 0)
        #expect(pair.server.snapshot.aborted.map(\.received) == [message("x")])
    }

    @Test func `an armed message that was not handed over is dropped by the next open`() async throws {
        let pair = try Pair()
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.offer(try envelope(), message: message("x")) == .armed)
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.handOver().isNotWritten)
        #expect(pair.server.messages.isEmpty)
    }

    @Test func `offer and hand-over without a connection write nothing`() async throws {
        let pair = try Pair()
        #expect(await pair.connection.offer(try envelope(), message: message("x")).lostPhase == .idle)
        #expect(await pair.connection.handOver().isNotWritten)
        #expect(pair.server.snapshot.connectionsOpened == 0)
    }

    @Test func `peer and extensions are known after opening`() async throws {
        let pair = try Pair()
        #expect(await pair.connection.peer == nil)
        #expect(await pair.connection.open() == .ready(fresh: true))
        #expect(await pair.connection.peer == "127.0.0.1:\(pair.server.port) [127.0.0.1]")
        #expect(await pair.connection.extensions.size)
        #expect(await !pair.connection.extensions.smtpUTF8)
    }
}

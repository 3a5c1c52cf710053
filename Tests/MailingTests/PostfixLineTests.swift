import Testing

@testable import Mailing

@Suite struct `A line of Postfix` {
    static func line(_ program: String?, _ text: String, identifier: String = "postfix/other") -> PostfixLine {
        PostfixLine(
            at: Timestamp(milliseconds: 0), recorded: 0, monotonic: 0, boot: BootID("b"), user: 102, command: program,
            identifier: identifier, process: 1, text: text)
    }

    static func client(_ text: String) throws -> PostfixClient { try #require(PostfixClient(text[...])) }

    @Test func `says who connected, what began, what broke off and what is over`() throws {
        let client = try Self.client("localhost[127.0.0.1]:58992")
        #expect(client.port == 58_992 && client.isThisMachine)
        let table: [(String, PostfixStatement)] = [
            ("connect from localhost[127.0.0.1]:58992", .connected(client)),
            ("03E1396: client=localhost[127.0.0.1]:58992", .began(queueID: "03E1396", client)),
            (
                "4jXJg61X21z2s: client=localhost[127.0.0.1]:58992, sasl_method=PLAIN, sasl_username=x",
                .began(queueID: "4jXJg61X21z2s", client)
            ),
            ("lost connection after DATA (200120 bytes) from localhost[127.0.0.1]:58992", .cutShort(client)),
            ("timeout after DATA (321 bytes) from localhost[127.0.0.1]:58992", .cutShort(client)),
            (
                "disconnect from localhost[127.0.0.1]:58992 ehlo=1 mail=2 rcpt=2 data=1/2 commands=6/7",
                .disconnected(client)
            ),
        ]
        for (text, statement) in table { #expect(PostfixStatement(Self.line("smtpd", text)) == statement, "\(text)") }
    }

    @Test func `says nothing where it is not exactly of that form`() {
        let table = [
            "NOQUEUE: client=localhost[127.0.0.1]:58992", "lost connection after RCPT from localhost[127.0.0.1]:59042",
            "lost connection after DATA from localhost[127.0.0.1]:59042",
            "lost connection after END-OF-MESSAGE from localhost[127.0.0.1]:59042",
            "timeout after END-OF-MESSAGE from localhost[127.0.0.1]:38440",
            "lost connection after DATA ( bytes) from localhost[127.0.0.1]:59042",
            "lost connection after DATA (20 bytes) from nobody",
            "warning: 8165AA0: queue file size limit exceeded",
            "warning: lost connection after DATA (20 bytes) from localhost[127.0.0.1]:59042",
            "03E1396: client=localhost[127.0.0.1]:x", "client=localhost[127.0.0.1]:1", "", ": ", "03E1396: ",
        ]
        for text in table { #expect(PostfixStatement(Self.line("smtpd", text)) == nil, "\(text)") }
    }

    @Test func `names a message by cleanup and makes it active by qmgr`() {
        #expect(
            PostfixStatement(Self.line("cleanup", "C29ED93: message-id=<afterdot@library.example>"))
                == .named(queueID: "C29ED93", messageID: "<afterdot@library.example>"))
        #expect(
            PostfixStatement(
                Self.line("qmgr", "C29ED93: from=<news+12.ab@library.example>, size=527, nrcpt=1 (queue active)"))
                == .active(queueID: "C29ED93", sender: "news+12.ab@library.example"))
        #expect(PostfixStatement(Self.line("qmgr", "C29ED93: removed")) == nil)
        #expect(PostfixStatement(Self.line("qmgr", "C29ED93: from=<a@b>, status=expired, returned to sender")) == nil)
        let warned = "D6066A5: warning: header X: y from localhost[127.0.0.1]:59096; message-id=<a@library.example>"
        #expect(PostfixStatement(Self.line("cleanup", warned)) == nil, "words of the message itself are no name")
        #expect(PostfixStatement(Self.line("smtpd", "C29ED93: message-id=<a@library.example>")) == nil)
    }

    @Test func `is by the program that journald saw, and by its own word only where journald saw none`() {
        #expect(Self.line("smtpd", "", identifier: "postfix/qmgr").program == "smtpd")
        #expect(Self.line(nil, "", identifier: "lists-mta/submission/smtpd").program == "smtpd")
        #expect(Self.line(nil, "", identifier: "").program == "")
    }

    @Test(arguments: [
        ("localhost[127.0.0.1]", true, nil), ("unknown[::1]:25001", true, 25_001), ("a[b][127.8.8.8]:1", true, 1),
        ("mail.example[192.0.2.1]:4711", false, 4711), ("unknown[2001:db8::1]:4711 ehlo=1", false, 4711),
    ]) func `tells a client of this machine from others`(text: String, isThisMachine: Bool, port: Int?) throws {
        let client = try Self.client(text)
        #expect(client.isThisMachine == isThisMachine)
        #expect(client.port == port)
    }

    @Test(arguments: ["localhost", "localhost]127.0.0.1[", "a[127.0.0.1]:0", "a[127.0.0.1]:70000", "a[127.0.0.1]x", ""])
    func `has no client where there is none`(text: String) {
        #expect(PostfixClient(text[...]) == nil)
    }
}

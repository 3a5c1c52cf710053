import Mailing
import Testing

@Suite struct `What a Postfix wrote` {
    @Test func `proves acceptance by cleanup and qmgr under one queue id`() {
        let verdict = Story.taken.verdict()
        #expect(verdict.word == "accepted C29ED93")
        #expect(verdict.evidence.contains("cleanup[350]: C29ED93: message-id=<m1@library.example>; "))
        #expect(verdict.evidence.contains("qmgr[303]: C29ED93: from=<news+12.abcdef0123456789@library.example>"))
    }

    @Test func `proves acceptance in spite of gaps, another boot, an unknown port and however late`() {
        let story = Story.taken.changed { story in
            story.coverage.oldest = nil
            story.coverage.gaps = [.init(at: story.intent, why: "the journal was restarted")]
            story.coverage.isCutShort = true
            story.coverage.boot = BootID("another")
        }
        #expect(story.verdict(port: nil, after: 900_000).word == "accepted C29ED93")
    }

    @Test func `proves absence by the session that broke off before the end of the message`() {
        let verdict = Story.brokenOff.verdict()
        #expect(verdict.word == "absent")
        for text in ["64D8C95: client=", "lost connection after DATA (320 bytes)", "disconnect from"] {
            #expect(verdict.evidence.contains(text))
        }
    }

    static let table: [(String, String, soon: String, late: String)] = [
        (
            "a timeout before the end of the message is absence, also of a later message of the session",
            """
            smtpd[352] connect from localhost[127.0.0.1]:58978
            smtpd[352] CABD19A: client=localhost[127.0.0.1]:58978
            cleanup[350] CABD19A: message-id=<m0@library.example>
            qmgr[303] CABD19A: from=<news+11.0123456789abcdef@library.example>, size=526, nrcpt=1 (queue active)
            smtpd[352] D60689B: client=localhost[127.0.0.1]:58978
            cleanup[353] D60689B: message-id=<m1@library.example>
            -- intent
            smtpd[352] timeout after DATA (100109 bytes) from localhost[127.0.0.1]:58978
            smtpd[352] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=2 rcpt=2 data=1/2 commands=6/7
            """, "absent", "absent"
        ),
        (
            "a name without an active queue is nothing, however long ago",
            """
            smtpd[347] C29ED93: client=localhost[127.0.0.1]:58978
            -- intent
            cleanup[350] C29ED93: message-id=<m1@library.example>
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=1 commands=4
            """, "undecided", "unknowable"
        ),
        (
            "a session that ended without a name is nothing",
            """
            smtpd[347] C29ED93: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=1 commands=4
            """, "undecided", "unknowable"
        ),
        (
            "a message that was too large is nothing: it was read to its end",
            """
            smtpd[352] 8165AA0: client=localhost[127.0.0.1]:58978
            cleanup[350] 8165AA0: message-id=<m1@library.example>
            -- intent
            smtpd[352] warning: 8165AA0: queue file size limit exceeded
            cleanup[350] warning: mail_stream_cleanup: close error
            smtpd[352] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """, "undecided", "unknowable"
        ),
        (
            "a held message is nothing",
            """
            smtpd[352] 69914A4: client=localhost[127.0.0.1]:58978
            -- intent
            cleanup[350] 69914A4: hold: header X-Do: HOLDME from localhost[127.0.0.1]:58978; from=<a@b> to=<c@d>
            cleanup[350] 69914A4: message-id=<m1@library.example>
            smtpd[352] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=1 commands=4
            """, "undecided", "unknowable"
        ),
        (
            "a connection lost elsewhere is nothing",
            """
            smtpd[347] 8D5B09C: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] lost connection after RCPT from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 commands=3
            """, "undecided", "unknowable"
        ),
        (
            "a session without an end is nothing",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            """, "undecided", "unknowable"
        ),
        (
            "another process cannot end the session",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[348] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[348] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """, "undecided", "unknowable"
        ),
        (
            "nor can a later session of the same process",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] connect from localhost[127.0.0.1]:58978
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """, "undecided", "unknowable"
        ),
        (
            "a session that was over before the intent is not ours",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            -- intent
            """, "undecided", "unknowable"
        ),
        (
            "a session that began after the intent is not ours",
            """
            -- intent
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """, "undecided", "unknowable"
        ),
        (
            "nor can the end of a later message of the session",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] 69914A4: client=localhost[127.0.0.1]:58978
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=2 rcpt=2 data=1/2 commands=6/7
            """, "undecided", "unknowable"
        ),
        (
            "where a filter takes the message the end of the session is nothing",
            """
            smtpd[347] connect from localhost[127.0.0.1]:58978
            smtpd[347] NOQUEUE: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """, "undecided", "unknowable"
        ),
        (
            "a session that handed another message over is not ours",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            cleanup[350] 64D8C95: message-id=<other@library.example>
            -- intent
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=1 commands=4
            """, "undecided", "unknowable"
        ),
        (
            "of two sessions without ports the one that has our message counts",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]
            smtpd[352] 69914A4: client=localhost[127.0.0.1]
            cleanup[350] 69914A4: message-id=<m1@library.example>
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]
            smtpd[347] disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            smtpd[352] disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1 commands=4
            """, "undecided", "unknowable"
        ),
        (
            "of two sessions from one port each has to be explained",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            smtpd[352] 69914A4: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            smtpd[352] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=1 commands=4
            """, "undecided", "unknowable"
        ),
        (
            "a second queue id under our Message-ID speaks against absence",
            """
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            cleanup[350] 64D8C95: message-id=<m1@library.example>
            cleanup[350] 69914A4: message-id=<m1@library.example>
            """, "undecided", "unknowable"
        ),
        (
            "an earlier attempt that was refused does not",
            """
            smtpd[340] 51A728F: client=localhost[127.0.0.1]:58000
            cleanup[350] 51A728F: message-id=<m1@library.example>
            cleanup[350] 51A728F: milter-reject: END-OF-MESSAGE from localhost[127.0.0.1]:58000: 4.7.1 Try again later
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """, "absent", "absent"
        ),
        (
            "any active queue id is acceptance, an earlier one as well",
            """
            smtpd[340] 4jXJg54kFtz2q: client=localhost[127.0.0.1]:58000
            cleanup[350] 4jXJg54kFtz2q: message-id=<m1@library.example>
            qmgr[303] 4jXJg54kFtz2q: from=<news+12.abcdef0123456789@library.example>, size=9, nrcpt=1 (queue active)
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
            smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """, "accepted 4jXJg54kFtz2q", "accepted 4jXJg54kFtz2q"
        ),
        (
            "a message of somebody else under our Message-ID is not ours",
            """
            smtpd[347] C29ED93: client=localhost[127.0.0.1]:58978
            cleanup[350] C29ED93: message-id=<m1@library.example>
            qmgr[303] C29ED93: from=<mallory@library.example>, size=527, nrcpt=1 (queue active)
            -- intent
            """, "undecided", "unknowable"
        ),
        (
            "a queue id that is used again names another message",
            """
            smtpd[347] C29ED93: client=localhost[127.0.0.1]:58978
            -- intent
            cleanup[350] C29ED93: message-id=<m1@library.example>
            smtpd[350] C29ED93: client=localhost[127.0.0.1]:58000
            qmgr[303] C29ED93: from=<news+12.abcdef0123456789@library.example>, size=527, nrcpt=1 (queue active)
            """, "undecided", "unknowable"
        ),
        (
            "an active queue id that was never named is nothing",
            """
            smtpd[347] C29ED93: client=localhost[127.0.0.1]:58978
            -- intent
            qmgr[303] C29ED93: from=<news+12.abcdef0123456789@library.example>, size=527, nrcpt=1 (queue active)
            cleanup[350] C29ED93: message-id=<m1@library.example>
            """, "undecided", "unknowable"
        ),
        (
            "a session from another machine is not ours",
            """
            smtpd[347] 64D8C95: client=mail.example[192.0.2.1]:58978
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from mail.example[192.0.2.1]:58978
            smtpd[347] disconnect from mail.example[192.0.2.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """, "undecided", "unknowable"
        ),
        ("an empty journal is nothing", "-- intent", "undecided", "unknowable"),
    ]

    @Test(arguments: table) func `is judged by what it proves`(
        name: String, story: String, soon: String, late: String
    ) {
        #expect(Story(story).verdict(after: 10).word == soon, "\(name)")
        #expect(Story(story).verdict(after: 901).word == late, "\(name)")
    }

    @Test func `proves nothing by lines of another user, whatever they call themselves`() {
        for forger: UInt32 in [0, 65_534] {
            for story in [Story.taken, .brokenOff] {
                let forged = story.changed { story in
                    for index in story.lines.indices { story.lines[index].user = forger }
                }
                #expect(forged.verdict().word == "undecided")
            }
        }
        let forged = Story.taken.changed { story in
            for index in story.lines.indices where story.lines[index].command == "qmgr" {
                story.lines[index].user = 1000
            }
        }
        #expect(forged.verdict(after: 901).word == "unknowable")
    }

    @Test func `counts where journald came too late for the name of the program`() {
        let story = Story.brokenOff.changed { story in
            for index in story.lines.indices {
                story.lines[index].command = nil
                story.lines[index].identifier = "postfix/submission/smtpd"
            }
        }
        #expect(story.verdict().word == "absent")
    }

    @Test func `proves no absence if the journal has a gap since the session began`() {
        let changes: [(String, (inout Story) -> Void)] = [
            ("suppressed", { $0.coverage.gaps = [.init(at: $0.intent, why: "journald has left out lines")] }),
            ("too young", { $0.coverage.oldest = $0.intent }), ("not readable", { $0.coverage.oldest = nil }),
            ("too much", { $0.coverage.isCutShort = true }), ("reboot", { $0.coverage.boot = BootID("another") }),
            (
                "clock set",
                { story in
                    for index in story.lines.indices.dropFirst(3) { story.lines[index].recorded -= 3_000_000 }
                }
            ),
        ]
        for (name, change) in changes {
            let story = Story.brokenOff.changed(change)
            #expect(story.verdict(after: 10).word == "undecided", "\(name)")
            let late = story.verdict(after: 901)
            #expect(late.word == "unknowable", "\(name)")
            #expect(late.evidence.contains(" "), "\(name): a person is told why")
        }
    }

    @Test func `proves absence in spite of a gap before the session`() {
        let story = Story.brokenOff.changed { story in
            story.coverage.gaps = [.init(at: Story.begin.adding(seconds: -1), why: "the journal was restarted")]
        }
        #expect(story.verdict().word == "absent")
    }

    @Test func `proves absence without ports only when every session is explained and time has passed`() {
        let story = """
            smtpd[347] connect from localhost[127.0.0.1]
            smtpd[347] 64D8C95: client=localhost[127.0.0.1]
            smtpd[352] 69914A4: client=localhost[127.0.0.1]
            cleanup[350] 69914A4: message-id=<other@library.example>
            -- intent
            smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]
            smtpd[347] disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
            """
        #expect(Story(story).verdict(after: 899).word == "undecided")
        #expect(Story(story).verdict(after: 900).word == "absent")
        let missing = Story(story.split(separator: "\n").filter { !$0.contains("other@") }.joined(separator: "\n"))
        #expect(missing.verdict(after: 900).word == "unknowable", "the other session may have been ours")
    }

    @Test func `proves absence at once only if it is known which port was ours`() {
        #expect(Story.brokenOff.verdict(port: nil, after: 10).word == "undecided")
        #expect(Story.brokenOff.verdict(port: nil, after: 900).word == "absent")
        #expect(Story.brokenOff.verdict(port: 4711, after: 900).word == "unknowable", "that session was not ours")
    }
}

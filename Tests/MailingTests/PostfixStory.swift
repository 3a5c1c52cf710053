import Mailing

/// A story: lines of a journal as Postfix 3.7.11 writes them, 10 ms apart, and where the intent was.
///
///     smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
///     -- intent
struct Story {
    static let boot = BootID("493e1087-e8ef-4ee9-89a0-96b564f2dce0")
    static let begin = Timestamp(milliseconds: 1_795_327_620_000)
    static let user: UInt32 = 102

    var lines: [PostfixLine] = []
    var intent = Story.begin
    var coverage = PostfixTrace.Coverage(oldest: Story.begin.adding(seconds: -86_400), boot: Story.boot)

    init(_ text: String) {
        var at = Story.begin
        for row in text.split(separator: "\n").map({ $0.drop { $0 == " " } }) {
            at.milliseconds += 10
            if row == "-- intent" {
                intent = at
                continue
            }
            let words = row.split(separator: " ", maxSplits: 1)
            let source = words[0].split(whereSeparator: { "[]".contains($0) })
            lines.append(
                PostfixLine(
                    at: at, recorded: at.milliseconds * 1000 + 15,
                    monotonic: at.milliseconds * 1000 - 1_000_000_000_000,
                    boot: Story.boot, user: Story.user, command: String(source[0]),
                    identifier: "postfix/\(source[0])", process: Int32(source[1]) ?? 0, text: String(words[1])))
        }
    }

    /// - Parameter after: seconds since the intent.
    func verdict(messageID: String = "m1@library.example", port: Int? = 58_978, after: Int64 = 10)
        -> PostfixTrace.Verdict
    {
        let question = PostfixTrace.Question(
            messageID: messageID, returnPathTag: "12.abcdef0123456789", intendedAt: intent, localPort: port,
            deadline: intent.adding(seconds: PostfixTrace.patience))
        return PostfixTrace(lines: lines, user: Story.user, coverage: coverage)
            .verdict(on: question, now: intent.adding(seconds: after))
    }

    func changed(_ change: (inout Story) -> Void) -> Story {
        var copy = self
        change(&copy)
        return copy
    }

    /// The end of the message did not come: cleanup names what was in its buffer after the session is over.
    static let brokenOff = Story(
        """
        smtpd[347] connect from localhost[127.0.0.1]:58978
        smtpd[347] 64D8C95: client=localhost[127.0.0.1]:58978
        -- intent
        smtpd[347] lost connection after DATA (320 bytes) from localhost[127.0.0.1]:58978
        smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4
        cleanup[350] 64D8C95: message-id=<m1@library.example>
        """)

    /// The daemon died after the dot.
    static let taken = Story(
        """
        smtpd[347] connect from localhost[127.0.0.1]:58978
        smtpd[347] C29ED93: client=localhost[127.0.0.1]:58978
        -- intent
        cleanup[350] C29ED93: message-id=<m1@library.example>
        qmgr[303] C29ED93: from=<news+12.abcdef0123456789@library.example>, size=527, nrcpt=1 (queue active)
        smtp[351] C29ED93: to=<reader@readers.example>, relay=127.0.0.1[127.0.0.1]:2599, dsn=2.0.0, status=sent (250 Ok)
        qmgr[303] C29ED93: removed
        smtpd[347] disconnect from localhost[127.0.0.1]:58978 ehlo=1 mail=1 rcpt=1 data=1 commands=4
        """)
}

extension PostfixTrace.Verdict {
    var word: String {
        switch self {
        case .accepted(let queueID, _): "accepted \(queueID)"
        case .absent: "absent"
        case .undecided: "undecided"
        case .unknowable: "unknowable"
        }
    }

    var evidence: String {
        switch self {
        case .accepted(_, let evidence), .absent(let evidence), .unknowable(let evidence): evidence
        case .undecided: ""
        }
    }
}

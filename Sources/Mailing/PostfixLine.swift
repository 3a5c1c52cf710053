/// A line in the journal of this machine, with what journald itself vouches for.
package struct PostfixLine: Hashable, Sendable {
    /// When it was written, by the clock on the wall.
    package var at: Timestamp
    /// When journald recorded it, in microseconds of the clock on the wall and of the one that cannot be set.
    package var recorded: Int64
    package var monotonic: Int64
    package var boot: BootID
    /// `_UID`: the user of the process that wrote it.
    package var user: UInt32
    /// `_COMM`: its program; nil if the process had ended before journald could ask.
    package var command: String?
    /// `SYSLOG_IDENTIFIER`: the word of the process itself, such as `postfix/submission/smtpd`.
    package var identifier: String
    /// `_PID`
    package var process: Int32
    package var text: String

    package init(
        at: Timestamp, recorded: Int64, monotonic: Int64, boot: BootID, user: UInt32, command: String?,
        identifier: String, process: Int32, text: String
    ) {
        self.at = at
        self.recorded = recorded
        self.monotonic = monotonic
        self.boot = boot
        self.user = user
        self.command = command
        self.identifier = identifier
        self.process = process
        self.text = text
    }

    /// Which part of Postfix wrote it. Everything that runs as Postfix's user is Postfix, so where journald came too
    /// late for the program, its own word is taken; from any other user that word is worth nothing.
    package var program: String {
        command ?? identifier.split(separator: "/").last.map(String.init) ?? ""
    }
}

/// What a line of Postfix says, of all that matters here. Anything else in it, or around it, and it says nothing.
enum PostfixStatement: Hashable, Sendable {
    /// `connect from NAME[ADDRESS]:PORT`, by smtpd.
    case connected(PostfixClient)
    /// `QUEUEID: client=NAME[ADDRESS]:PORT`, by smtpd: it takes a message, at the first RCPT or before.
    case began(queueID: String, PostfixClient)
    /// `lost connection after DATA (320 bytes) from …`, or `timeout after …`, by smtpd.
    case cutShort(PostfixClient)
    /// `disconnect from NAME[ADDRESS]:PORT ehlo=1 …`, by smtpd.
    case disconnected(PostfixClient)
    /// `QUEUEID: message-id=<…>`, by cleanup; the value as it stands in the message.
    case named(queueID: String, messageID: String)
    /// `QUEUEID: from=<…>, size=…, nrcpt=… (queue active)`, by qmgr.
    case active(queueID: String, sender: String)

    init?(_ line: PostfixLine) {
        let text = line.text[...]
        switch line.program {
        case "smtpd": self.init(server: text)
        case "cleanup":
            guard let (queueID, rest) = Self.queueID(text), let value = Self.after("message-id=", in: rest) else {
                return nil
            }
            self = .named(queueID: queueID, messageID: String(value))
        case "qmgr":
            guard let (queueID, rest) = Self.queueID(text), let sender = Self.after("from=<", in: rest),
                rest.hasSuffix(" (queue active)"), let end = sender.lastIndex(of: ">")
            else { return nil }
            self = .active(queueID: queueID, sender: String(sender[..<end]))
        default: return nil
        }
    }

    private init?(server text: Substring) {
        if let rest = Self.after("connect from ", in: text), let client = PostfixClient(rest) {
            self = .connected(client)
        } else if let rest = Self.after("disconnect from ", in: text), let client = PostfixClient(rest) {
            self = .disconnected(client)
        } else if let client = Self.cutShort(text) {
            self = .cutShort(client)
        } else if let (queueID, rest) = Self.queueID(text), let value = Self.after("client=", in: rest),
            let client = PostfixClient(value)
        {
            self = .began(queueID: queueID, client)
        } else {
            return nil
        }
    }

    /// Only the form with a number of bytes: without one it is the command DATA itself that was refused.
    private static func cutShort(_ text: Substring) -> PostfixClient? {
        guard
            let rest = after("lost connection after DATA (", in: text) ?? after("timeout after DATA (", in: text)
        else { return nil }
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, let client = after(" bytes) from ", in: rest.dropFirst(digits.count)) else {
            return nil
        }
        return PostfixClient(client)
    }

    /// Short queue ids are hexadecimal; long ones (`enable_long_queue_ids`) are letters of both cases and digits.
    ///
    /// NOQUEUE is none: where a filter takes the message (`smtpd_proxy_filter`), what smtpd says of its end proves
    /// nothing, for it is the filter that hands it on.
    private static func queueID(_ text: Substring) -> (String, Substring)? {
        let id = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
        guard id != "NOQUEUE", (5...30).contains(id.utf8.count), let rest = after(": ", in: text.dropFirst(id.count))
        else { return nil }
        return (String(id), rest)
    }

    private static func after(_ prefix: String, in text: Substring) -> Substring? {
        text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : nil
    }
}

/// Who speaks to smtpd: `NAME[ADDRESS]:PORT`, the port only with `smtpd_client_port_logging = yes`.
struct PostfixClient: Hashable, Sendable {
    var address: String
    var port: Int?

    /// Reads it from the beginning of a text up to a space, a comma or the end.
    init?(_ text: Substring) {
        let word = text.prefix { $0 != " " && $0 != "," }
        guard let open = word.lastIndex(of: "["), let close = word[open...].firstIndex(of: "]") else { return nil }
        address = String(word[word.index(after: open)..<close])
        let rest = word[word.index(after: close)...]
        guard !rest.isEmpty else { return }
        guard rest.first == ":", let port = Int(rest.dropFirst()), (1...65_535).contains(port) else { return nil }
        self.port = port
    }

    var isThisMachine: Bool { address == "::1" || address.hasPrefix("127.") }
}

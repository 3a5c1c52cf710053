import Mailing

/// What libcurl shows of the replies while it greets, encrypts and authenticates: which step each belongs to.
///
/// The steps: greeting, EHLO, [STARTTLS, EHLO,] [AUTH]. Replies are told apart by their place alone, since libcurl
/// does not show the commands.
struct GreetingTrace {
    /// The step whose reply comes next, or during which the session broke.
    private(set) var awaited = SMTPPhase.greeting
    private(set) var latest: (phase: SMTPPhase, reply: SMTPReply)?
    /// What the latest EHLO offered.
    private(set) var extensions = SMTPExtensions()
    /// The mechanisms that the latest EHLO offered, capitals.
    private(set) var mechanisms: [String] = []
    /// Whether the server said 235 (RFC 4954 section 6).
    private(set) var isAuthenticated = false
    /// What in the replies is not SMTP.
    private(set) var violation: String?

    private var awaitsSTARTTLS: Bool
    private var parser = SMTPReplyParser()

    init(security: SMTPRelaySettings.Security) {
        awaitsSTARTTLS = security == .startTLS
    }

    mutating func received(_ bytes: some Sequence<UInt8>) {
        parser.append(bytes)
        do throws(SMTPReplyParser.Violation) {
            while let reply = try parser.next() { take(reply) }
        } catch {
            violation = error.description
        }
    }

    private mutating func take(_ reply: SMTPReply) {
        latest = (awaited, reply)
        switch awaited {
        case .greeting where reply.severity == .positive: awaited = .hello
        case .hello where reply.severity == .positive:
            readExtensions(reply)
            awaited = awaitsSTARTTLS ? .encryption : .authentication
            awaitsSTARTTLS = false
        case .encryption where reply.severity == .positive: awaited = .hello
        case .authentication where reply.code == 235: isAuthenticated = true
        default: break
        }
    }

    private mutating func readExtensions(_ reply: SMTPReply) {
        extensions = SMTPExtensions()
        mechanisms = []
        for line in reply.lines.dropFirst() {
            extensions.take(line)
            let words = line.uppercased().split(separator: " ")
            if words.first == "AUTH" { mechanisms = words.dropFirst().map(String.init) }
        }
    }
}

import TestSupport

/// Everything that a server may do wrong, at every step of a session, over every kind of connection.
enum SMTPFaultMatrix {
    /// How the connection is protected.
    enum Link: String, Sendable, CaseIterable {
        case plain
        case startTLS = "STARTTLS"
        case implicitTLS = "TLS"
    }

    /// The step at which the server misbehaves, once.
    enum Phase: String, Sendable, CaseIterable {
        case connect
        case greeting
        case hello = "EHLO"
        case encryption = "STARTTLS"
        case handshake = "TLS handshake"
        case secondHello = "EHLO in TLS"
        case authentication = "AUTH"
        case ready = "before MAIL"
        case mail = "MAIL"
        case recipient = "RCPT"
        case data = "DATA"
        case body
        case dot = "after the dot"
        case reset = "RSET"
        case idle

        func exists(over link: Link) -> Bool {
            switch self {
            case .encryption, .secondHello: link == .startTLS
            case .handshake: link != .plain
            default: true
            }
        }

        /// Whether the server's words go through TLS here.
        func isEncrypted(over link: Link) -> Bool {
            switch self {
            case .connect, .handshake: false
            case .greeting, .hello, .encryption: link == .implicitTLS
            default: link != .plain
            }
        }

        /// What the server says here when all is well, lines parted by "\n"; where it has nothing to say, what it says
        /// unasked.
        func reply(_ options: CountingSMTPServer.Options, over link: Link) -> String {
            switch self {
            case .connect, .handshake: ""
            case .greeting: "220 relay.example ESMTP"
            case .hello: options.helloReply(isEncrypted: link == .implicitTLS)
            case .secondHello: options.helloReply(isEncrypted: true)
            case .encryption: "220 2.0.0 Ready to start TLS"
            case .authentication: "235 2.7.0 Authentication successful"
            case .mail: "250 2.1.0 Ok"
            case .recipient: "250 2.1.5 Ok"
            case .data: "354 End data with <CR><LF>.<CR><LF>"
            case .ready: "250 2.0.0 Ok"
            case .body: "250 2.0.0 Ok: queued as EARLY"
            case .dot: "250 2.0.0 Ok: queued as FIRST"
            case .reset: "250 2.0.0 Ok"
            case .idle: "250 2.0.0 Ok: queued as STRAY"
            }
        }

        /// Whether the server has nothing to say here.
        var isSilent: Bool {
            switch self {
            case .connect, .handshake, .ready, .body, .idle: true
            default: false
            }
        }

        /// Whether the first message has its dot only after this step.
        var isBeforeDot: Bool {
            switch self {
            case .dot, .reset, .idle: false
            default: true
            }
        }
    }

    /// What the server does.
    enum Fault: String, Sendable, CaseIterable {
        case refused = "nobody listens"
        case drop = "closes (FIN)"
        case reset = "resets (RST)"
        case stall = "says nothing"
        case deaf = "reads nothing more"
        case tooLate = "answers after the time limit"
        case temporary = "451"
        case permanent = "554"
        case closing = "421"
        case oddPositive = "299"
        case oddIntermediate = "399"
        case multiLine = "a reply of several lines"
        case byteByByte = "a reply in single bytes"
        case late = "a late reply, in time"
        case longLine = "a line of 3,000 octets"
        case manyLines = "150 lines"
        case garbage = "bytes that are no reply"
        case cutOff = "half a reply, then closes"
        case halfThenStall = "half a reply, then nothing"
        case drip = "a reply that never ends"
        case two = "two replies in one packet"
        case unasked = "a second reply, unasked"
        case unaskedGoAhead = "354, unasked, after the reply"
        case replyThenDrop = "a reply, then closes"
        case replyThenClosing = "a reply and a 421 in one packet"
        case endOfTLS = "ends TLS and not the connection"
        case pastTLS = "a good reply in clear, past TLS"
        case notOffered = "not on offer"
        case strangeCertificate = "a certificate of an unknown authority"
        case otherHost = "a certificate for another host"

        /// Whether the client has to wait until its patience ends.
        var wearsPatienceOut: Bool {
            switch self {
            case .stall, .deaf, .tooLate, .garbage, .halfThenStall, .drip: true
            default: false
            }
        }

        /// Whether it is over with the connection by the server's own doing.
        var endsConnection: Bool {
            switch self {
            case .drop, .reset, .closing, .cutOff, .replyThenDrop, .replyThenClosing: true
            default: false
            }
        }

        /// Whether the server breaks the order of command and reply, so that a client that believes it seems to
        /// pipeline.
        var breaksOrder: Bool {
            switch self {
            case .two, .unasked, .unaskedGoAhead: true
            default: false
            }
        }

        func isPossible(at phase: Phase, over link: Link) -> Bool {
            switch self {
            case .endOfTLS, .pastTLS: phase.isEncrypted(over: link)
            case .refused: phase == .connect
            case .drop, .reset: true
            case .stall: phase != .idle && phase != .ready
            case .deaf: phase == .body
            case .unaskedGoAhead: phase == .recipient
            case .notOffered: phase == .encryption || phase == .authentication
            case .strangeCertificate, .otherHost: phase == .handshake
            // What follows the replies to AUTH and to the dot comes before MAIL and at idle.
            case .unasked: ![.connect, .handshake, .authentication, .dot].contains(phase)
            case .late: phase == .handshake || !phase.isSilent
            case .tooLate, .replyThenDrop, .replyThenClosing, .halfThenStall, .drip: !phase.isSilent
            case .garbage: phase != .connect
            default: phase != .connect && phase != .handshake
            }
        }
    }

    /// One trial.
    struct Cell: Hashable, Sendable, CustomStringConvertible {
        let phase: Phase
        let fault: Fault
        let link: Link

        var description: String { "\(phase.rawValue), \(fault.rawValue), \(link.rawValue)" }
    }

    /// All trials, in the order of the table.
    static let cells: [Cell] = Phase.allCases.flatMap { phase in
        Fault.allCases.flatMap { fault in
            Link.allCases.filter { phase.exists(over: $0) && fault.isPossible(at: phase, over: $0) }
                .map { Cell(phase: phase, fault: fault, link: $0) }
        }
    }
}

/// What the servers of the trials prove their names with.
struct MatrixCertificates: Sendable {
    let own: ServerCertificate
    /// Of the same authority.
    let otherHost: ServerCertificate
    /// Of an authority that the client has never heard of.
    let strange: ServerCertificate

    init() async throws {
        let (authority, stranger) = (try await TestAuthority(), try await TestAuthority())
        own = try await authority.certificate(for: "IP:127.0.0.1")
        otherHost = try await authority.certificate(for: "DNS:other.example")
        strange = try await stranger.certificate(for: "IP:127.0.0.1")
    }
}

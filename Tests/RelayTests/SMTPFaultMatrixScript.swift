import Synchronization
import TestSupport

/// How far the client has come, for faults that must not come sooner.
final class MatrixProgress: Sendable {
    private let state = Mutex((isOpen: false, hasEnded: false))

    /// The first message can be offered.
    var isOpen: Bool {
        get { state.withLock { $0.isOpen } }
        set { state.withLock { $0.isOpen = newValue } }
    }

    /// The first message has its outcome.
    var hasEnded: Bool {
        get { state.withLock { $0.hasEnded } }
        set { state.withLock { $0.hasEnded = newValue } }
    }
}

extension SMTPFaultMatrix.Cell {
    /// How long a late reply is late.
    private static let lateness = Duration.milliseconds(1200)
    /// How long after a reply an unasked one follows: the client has read the first by then.
    private static let afterwards = Duration.milliseconds(30)

    func options(_ certificates: MatrixCertificates?) -> CountingSMTPServer.Options {
        let own = certificates?.own
        let encryption: CountingSMTPServer.Encryption? =
            switch link {
            case .plain: nil
            case .startTLS: own.map { .startTLS($0) }
            case .implicitTLS: own.map { .implicit($0) }
            }
        return .init(
            credentials: .init(username: "campaign", password: "secret"), encryption: encryption)
    }

    /// The server that does the fault once, to the first message, and all else well.
    func script(_ certificates: MatrixCertificates?, _ progress: MatrixProgress) -> SMTPScript {
        let action = action(certificates)
        let script = SMTPScript()
        switch phase {
        case .connect:
            return fault == .refused || fault == .stall
                ? script : script.on(.connect, connection: 1, action)
        case .greeting: return script.on(.greeting, connection: 1, action)
        case .hello:
            // libcurl answers a refused EHLO with HELO, which is to be refused too.
            return script.on(.ehlo, connection: 1, occurrence: link == .startTLS ? 1 : nil, action)
        case .encryption where fault == .notOffered: return script.on(.ehlo, connection: 1, action)
        case .encryption: return script.on(.starttls, connection: 1, action)
        case .handshake: return script.on(.handshake, connection: 1, action)
        case .secondHello:
            return script.on(.ehlo, connection: 1, occurrence: 2, action)
                .on(.ehlo, connection: 1, occurrence: 3, action)
        case .authentication where fault == .notOffered:
            return script.on(.ehlo, connection: 1, occurrence: link == .startTLS ? 2 : 1, action)
        case .authentication: return script.on(.auth, connection: 1, action)
        case .mail: return script.on(.mail, connection: 1, times: 1, action)
        case .recipient: return script.on(.rcpt, connection: 1, times: 1, action)
        case .data: return script.on(.data, connection: 1, times: 1, action)
        case .body: return script.on(.body, connection: 1, times: 1, action)
        case .dot: return script.on(.dot, connection: 1, times: 1, action)
        case .reset:
            return script.on(.rcpt, connection: 1, times: 1, .reply("550 5.1.1 nobody here"))
                .on(.rset, connection: 1, times: 1, action)
        // Before AUTH, which comes after one EHLO or two, the server is idle too.
        case .ready:
            return script.on(
                .idle, connection: 1, occurrence: link == .startTLS ? 3 : 2,
                .when({ progress.isOpen }, then: action))
        case .idle:
            return script.on(
                .idle, connection: 1, occurrence: link == .startTLS ? 4 : 3,
                .when({ progress.hasEnded }, then: action))
        }
    }

    private func action(_ certificates: MatrixCertificates?) -> SMTPScript.Action {
        let reply = phase.reply(options(certificates), over: link)
        return switch fault {
        case .refused: .proceed
        case .drop: .closeConnection
        case .reset: .reset
        case .stall: .stall
        case .deaf: .deaf
        case .strangeCertificate: certificates.map { .presenting($0.strange) } ?? .proceed
        case .otherHost: certificates.map { .presenting($0.otherHost) } ?? .proceed
        case .notOffered: .reply(meagreHello)
        case .closing: .reply("421 4.3.2 going down")
        case .late: .delay(Self.lateness, then: phase == .handshake ? .proceed : .reply(reply))
        case .tooLate: .delay(.seconds(600), then: .reply(reply))
        case .byteByByte: .byteByByte(reply, interval: .milliseconds(2))
        case .unasked where phase.isSilent: .reply(reply)
        case .unasked: .sequence([.reply(reply), .delay(Self.afterwards, then: .reply(reply))])
        case .unaskedGoAhead:
            .sequence([.reply(reply), .delay(Self.afterwards, then: .reply("354 go ahead"))])
        case .replyThenDrop: .replyThenClose(reply)
        case .replyThenClosing:
            .sequence([.raw(bytes(reply + "\n421 4.3.2 going down")), .closeConnection])
        case .halfThenStall: .sequence([.raw(half(reply)), .stall])
        case .drip:
            .byteByByte("\(reply.prefix(3))-\(String(repeating: "x", count: 900))", interval: .milliseconds(100))
        case .endOfTLS: .sequence([.endTLS, .stall])
        case .pastTLS: .sequence([.pastTLS(bytes(reply)), .stall])
        case .cutOff: .sequence([.raw(half(reply)), .closeConnection])
        default: .raw(spoken(reply))
        }
    }

    private func half(_ reply: String) -> [UInt8] {
        Array("\(reply.prefix(3))-so far\r\n\(reply.prefix(3)) and".utf8)
    }

    /// What goes out in one packet instead of the reply.
    private func spoken(_ reply: String) -> [UInt8] {
        let code = reply.prefix(3)
        return switch fault {
        case .temporary: bytes("451 4.3.0 not now")
        case .permanent: bytes("554 5.0.0 no")
        case .oddPositive: bytes(recoded(reply, "299"))
        case .oddIntermediate: bytes(recoded(reply, "399"))
        case .multiLine: bytes("\(code)-first of several lines\n\(code)-second of them\n\(reply)")
        case .longLine: bytes("\(code)-\(String(repeating: "x", count: 3000))\n\(reply)")
        case .manyLines: bytes((1...150).map { "\(code)-line \($0)\n" }.joined() + reply)
        case .two: bytes("\(reply)\n\(reply)")
        default: [0, 1, 2, 27, 128, 200, 255] + Array("{\"status\": 250}\r\n".utf8)
        }
    }

    /// A reply to EHLO without the extension that this phase needs.
    private var meagreHello: String {
        phase == .encryption
            ? "250-relay.example\n250-8BITMIME\n250 AUTH PLAIN LOGIN" : "250-relay.example\n250 8BITMIME"
    }

    private func recoded(_ reply: String, _ code: String) -> String {
        reply.split(separator: "\n").map { code + $0.dropFirst(3) }.joined(separator: "\n")
    }

    private func bytes(_ text: String) -> [UInt8] {
        text.split(separator: "\n").flatMap { Array($0.utf8) + [13, 10] }
    }
}

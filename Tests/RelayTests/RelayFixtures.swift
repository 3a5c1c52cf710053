import Mailing
import Relay
import TestSupport

/// An envelope from a fixed sender.
func envelope(to recipient: String = "jan@example.org") throws -> Envelope {
    Envelope(
        sender: try EmailAddress(parsing: "nieuws@bibliotheek.example", composed: { $0 }),
        recipient: try EmailAddress(parsing: recipient, composed: { $0 }))
}

/// A small message with CRLF line ends.
func message(_ lines: String...) -> [UInt8] {
    let head = "From: nieuws@bibliotheek.example\r\nSubject: test\r\n\r\n"
    return Array((head + lines.map { $0 + "\r\n" }.joined()).utf8)
}

/// Settings for a server of a test, with time limits that end a broken test soon.
func settings(port: UInt16, host: String = "127.0.0.1") -> SMTPRelaySettings {
    var settings = SMTPRelaySettings(host: host, port: Int(port), helloName: "campaignd.example")
    settings.connectSeconds = 10
    settings.greetingSeconds = 10
    settings.timeouts.mail = 10
    settings.timeouts.recipient = 10
    settings.timeouts.data = 10
    settings.timeouts.body = 10
    settings.timeouts.dot = 10
    settings.timeouts.reset = 10
    return settings
}

/// A connection and the counting server at its other end.
struct Pair {
    let server: CountingSMTPServer
    let connection: SMTPConnection

    init(
        _ script: SMTPScript = .success, options: CountingSMTPServer.Options = .init(),
        adjust: (inout SMTPRelaySettings) -> Void = { _ in }
    ) throws {
        server = try CountingSMTPServer(script: script, options: options)
        var settings = settings(port: server.port)
        adjust(&settings)
        connection = SMTPConnection(settings: settings)
    }

    /// Opens, offers and hands over.
    func deliver(to recipient: String = "jan@example.org", _ text: String = "hallo") async throws -> RelayHandOver? {
        guard case .ready = await connection.open() else { return nil }
        guard await connection.offer(try envelope(to: recipient), message: message(text)) == .armed else { return nil }
        return await connection.handOver()
    }
}

extension RelayHandOver {
    var replyCode: Int? {
        if case .answered(let reply) = ending { reply.code } else { nil }
    }

    var isSilent: Bool {
        if case .silent = ending { true } else { false }
    }

    var isNotWritten: Bool {
        if case .notWritten = ending { true } else { false }
    }
}

extension RelayOffer {
    /// The phase in which the connection was lost.
    var lostPhase: SMTPPhase? {
        if case .lost(let phase, _) = self { phase } else { nil }
    }
}

extension RelayOpening {
    var failure: (phase: SMTPPhase, sentence: String)? {
        if case .failed(let phase, let sentence) = self { (phase, sentence) } else { nil }
    }
}

package import Mailing
import Relay
import Systemd

/// Tries a relay as the daemon would, up to the point where a message could be offered, and says goodbye. No mail is
/// ever sent.
package enum RelayProbe {
    package struct Outcome: Sendable, Equatable {
        /// The step that failed; nil if all went well.
        package var failure: (phase: SMTPPhase, reason: String)? {
            phase.flatMap { phase in reason.map { (phase, $0) } }
        }
        var phase: SMTPPhase?
        var reason: String?
        /// Who answered, and under which protection; nil if nobody did.
        package var peer: String?
        /// Why logging in was not tried; nil if it was, or if none is configured.
        package var loginSkipped: String?
    }

    /// - Parameters:
    ///   - credentials: Where systemd put the service's credentials.
    ///   - seconds: How long each step may take.
    /// - Returns: Nil for a relay without a server, such as a Maildir.
    package static func tryOut(
        _ relay: Configuration.Relay, credentials: String, seconds: Int = 10
    ) async -> Outcome? {
        var outcome = Outcome()
        guard let url = try? RelayURL.parse(url: relay.url), case .smtp(let host, let port, let implicitTLS) = url
        else { return nil }
        var settings = SMTPRelaySettings(host: host, port: port, implicitTLS: implicitTLS)
        if let name = relay.helloName { settings.helloName = name }
        settings.requireTLS = relay.requiresTLS ?? (relay.certificateAuthorityFile == nil ? nil : true)
        settings.caFile = relay.certificateAuthorityFile
        settings.connectSeconds = min(seconds, relay.connectSeconds)
        settings.greetingSeconds = seconds
        do {
            if let password = try password(relay, credentials: credentials) {
                settings.username = relay.username
                settings.password = password
            }
        } catch {
            outcome.loginSkipped = "\(error)"
        }
        let connection = SMTPConnection(settings: settings)
        switch await connection.open() {
        case .ready: break
        case .refused(let phase, let reply):
            (outcome.phase, outcome.reason) = (phase, "\(settings.address) answered \(reply)")
        case .failed(let phase, let reason): (outcome.phase, outcome.reason) = (phase, reason)
        }
        outcome.peer = await connection.peer
        await connection.close()
        return outcome
    }

    private static func password(_ relay: Configuration.Relay, credentials: String) throws -> String? {
        if let name = relay.passwordCredential {
            return try Credentials.read(name: name, environment: ["CREDENTIALS_DIRECTORY": credentials])
        }
        return try relay.passwordFile.map(PasswordFile.read)
    }
}

import Glibc
package import Mailing

/// Everything that a connection to a mail server needs to know.
package struct SMTPRelaySettings: Hashable, Sendable {
    /// How the connection is protected.
    package enum Security: Hashable, Sendable {
        /// Begins in clear, must become TLS before anything else is said (RFC 3207).
        case startTLS
        /// TLS from the first byte (RFC 8314).
        case implicitTLS
        /// In clear, to this machine only.
        case plainLoopback
    }

    package var host: String
    package var port: Int
    package var implicitTLS: Bool
    /// nil: TLS is required unless the server is on this machine.
    package var requireTLS: Bool?
    package var username: String?
    package var password: String?
    /// The only SASL mechanism to use, such as `PLAIN`; nil: the best that both sides know.
    package var authenticationMechanism: String?
    /// A PEM file with the only certificate authorities to be believed; nil: those of the system.
    package var caFile: String?
    /// Our name in EHLO: a full host name or an address literal (RFC 5321 4.1.4).
    package var helloName: String
    /// Seconds until the TCP connection must stand.
    package var connectSeconds = 30
    /// Seconds for the greeting, and again for each reply to EHLO, STARTTLS and AUTH (RFC 5321 4.5.3.2.1).
    package var greetingSeconds = 300
    package var timeouts = SMTPDialogue.Timeouts()

    package init(
        host: String, port: Int, implicitTLS: Bool = false, helloName: String = SMTPRelaySettings.defaultHelloName
    ) {
        self.host = host
        self.port = port
        self.implicitTLS = implicitTLS
        self.helloName = helloName
    }

    package var security: Security {
        if implicitTLS { return .implicitTLS }
        return requireTLS ?? !HostName.isLoopback(host) ? .startTLS : .plainLoopback
    }

    /// What contradicts itself in these settings, in a sentence; nil if nothing does.
    package var problem: String? {
        guard HostName.isNameOrAddress(host) else { return "“\(host)” is neither the name nor the address of a server" }
        guard (1...65535).contains(port) else { return "the port \(port) does not exist" }
        if security == .plainLoopback, !HostName.isLoopback(host) {
            return "mail to \(host) must be encrypted: TLS can be left out only to this machine"
        }
        guard (username == nil) == (password == nil) else {
            return "a user name and a password for \(host) must be given together, or neither"
        }
        if let username, let password {
            guard !username.isEmpty, !password.isEmpty else {
                return "the user name or the password for \(host) is empty"
            }
            guard !(username + password).utf8.contains(0) else {
                return "the user name or the password for \(host) contains a NUL"
            }
        }
        if let authenticationMechanism, !SMTPRelaySettings.isMechanism(authenticationMechanism) {
            return "“\(authenticationMechanism)” is not the name of a SASL mechanism, such as PLAIN"
        }
        guard HostName.isName(helloName) || HostName.isAddressLiteral(helloName) else {
            return "“\(helloName)” cannot be said in EHLO: it must be a host name or an address such as [192.0.2.1]"
        }
        let allSeconds = [
            connectSeconds, greetingSeconds, timeouts.mail, timeouts.recipient, timeouts.data, timeouts.body,
            timeouts.dot, timeouts.reset,
        ]
        guard allSeconds.allSatisfy({ (1...86_400).contains($0) }) else {
            return "a timeout of the relay \(host) is not from 1 to 86400 seconds"
        }
        return nil
    }

    /// `host:port`, an IPv6 address in brackets.
    package var address: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// The full name of this machine if its host name is one, else the address literal of the loopback.
    package static var defaultHelloName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "[127.0.0.1]" }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.contains(".") && HostName.isName(name) ? name : "[127.0.0.1]"
    }

    /// RFC 4422 3.1: 1 to 20 capitals, digits, hyphens and underscores.
    private static func isMechanism(_ text: String) -> Bool {
        (1...20).contains(text.utf8.count)
            && text.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95 }
    }
}

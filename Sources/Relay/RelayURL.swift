/// What a relay's `url` in the configuration says.
package enum RelayURL: Hashable, Sendable {
    /// A mail server. Without `implicitTLS` the connection begins in clear and is encrypted by STARTTLS.
    case smtp(host: String, port: Int, implicitTLS: Bool)
    /// A Maildir into which messages are delivered; the path as it was written.
    case maildir(directory: String)

    /// Reads `smtp://HOST[:PORT]` (default port 587), `smtps://HOST[:PORT]` (465) or `maildir:DIRECTORY`.
    ///
    /// An IPv6 address stands in brackets. User name and password have configuration keys of their own and are
    /// refused here, because a URL is shown in logs.
    package static func parse(url: String) throws(RelayURLError) -> RelayURL {
        guard let colon = url.firstIndex(of: ":") else { throw unknownScheme(url) }
        let rest = url[url.index(after: colon)...]
        switch url[..<colon].lowercased() {
        case "smtp": return try parse(server: rest, of: url, defaultPort: 587, implicitTLS: false)
        case "smtps": return try parse(server: rest, of: url, defaultPort: 465, implicitTLS: true)
        case "maildir":
            guard !rest.isEmpty else {
                throw RelayURLError("“\(url)” names no directory: write maildir:DIRECTORY")
            }
            guard !rest.utf8.contains(0) else { throw RelayURLError("the directory of a maildir: url contains a NUL") }
            return .maildir(directory: String(rest))
        default: throw unknownScheme(url)
        }
    }

    /// Whether it is a mail server on this machine.
    package var isLoopback: Bool {
        if case .smtp(let host, _, _) = self { HostName.isLoopback(host) } else { false }
    }

    private static func unknownScheme(_ url: String) -> RelayURLError {
        RelayURLError("“\(url)” is not a relay: write smtp://HOST:PORT, smtps://HOST:PORT or maildir:DIRECTORY")
    }

    private static func parse(
        server: Substring, of url: String, defaultPort: Int, implicitTLS: Bool
    ) throws(RelayURLError) -> RelayURL {
        guard server.hasPrefix("//") else {
            throw RelayURLError("“\(url)” lacks the // before the name of the server")
        }
        var authority = server.dropFirst(2)
        guard !authority.contains("@") else {
            throw RelayURLError("a relay's url holds no user name: use the keys username and password_credential")
        }
        if authority.last == "/" { authority.removeLast() }
        let portText: Substring?
        let host: Substring
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else {
                throw RelayURLError("“\(url)” has a [ without a ]")
            }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else {
                throw RelayURLError("“\(url)” has something other than a port behind the ]")
            }
            portText = tail.isEmpty ? nil : tail.dropFirst()
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = parts.first ?? ""
            portText = parts.count > 1 ? parts[1] : nil
        }
        guard HostName.isNameOrAddress(host) else {
            throw RelayURLError("“\(host)” in “\(url)” is neither the name nor the address of a server")
        }
        guard let portText else { return .smtp(host: String(host), port: defaultPort, implicitTLS: implicitTLS) }
        guard portText.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(portText),
            (1...65535).contains(port)
        else { throw RelayURLError("the port in “\(url)” is not a number from 1 to 65535") }
        return .smtp(host: String(host), port: port, implicitTLS: implicitTLS)
    }
}

/// Why a text is not the url of a relay, in a sentence for the person who wrote it.
package struct RelayURLError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// What may stand where a server or we ourselves are named.
enum HostName {
    /// A DNS name (letters, digits, hyphens, dots; at most 253 octets) or an IP address without brackets.
    static func isNameOrAddress(_ text: some StringProtocol) -> Bool {
        isAddressIPv6(text) || isName(text)
    }

    static func isName(_ text: some StringProtocol) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        return text.utf8.split(separator: 46, omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.count <= 63 && label.first != 45 && label.last != 45
                && label.allSatisfy { isLetterOrDigit($0) || $0 == 45 }
        }
    }

    static func isAddressIPv6(_ text: some StringProtocol) -> Bool {
        text.utf8.contains(58) && text.utf8.count <= 45
            && text.utf8.allSatisfy { isHexadecimal($0) || $0 == 58 || $0 == 46 }
    }

    /// An address literal of RFC 5321 4.1.3: `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    static func isAddressLiteral(_ text: some StringProtocol) -> Bool {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return false }
        let inner = text.dropFirst().dropLast()
        if inner.lowercased().hasPrefix("ipv6:") { return isAddressIPv6(inner.dropFirst(5)) }
        return isAddressIPv4(inner)
    }

    static func isAddressIPv4(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { $0.utf8.count <= 3 && UInt8($0) != nil && $0.first != "+" }
    }

    /// Addresses that never leave this machine: 127.0.0.0/8, ::1 and `localhost` (which libcurl never looks up).
    static func isLoopback(_ text: String) -> Bool {
        text.lowercased() == "localhost" || text == "::1" || (isAddressIPv4(text) && text.hasPrefix("127."))
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }
}

/// A command line, read as RFC 5321 4.1.1 writes it. Stricter than servers are: what deviates is reported.
struct SMTPCommandLine {
    /// In capitals.
    let verb: String
    /// Everything after the first space.
    let argument: String
    let text: String
    private(set) var violations: [String] = []

    init(bytes: [UInt8], endsInCRLF: Bool) {
        text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        verb = parts.first.map { $0.uppercased() } ?? ""
        argument = parts.count > 1 ? String(parts[1]) : ""
        let shown = Self.shown(text)
        if !endsInCRLF { violations.append("a command ends in a bare LF: \(shown)") }
        if bytes.contains(where: { $0 < 32 || $0 == 127 }) {
            violations.append("a control character in a command: \(shown)")
        }
        if bytes.contains(where: { $0 > 127 }) {
            violations.append("a command that is not ASCII, SMTPUTF8 was not offered: \(shown)")
        }
        // RFC 4954 4: 12288 for AUTH. RFC 5321 4.5.3.1.4: 512, and parameters may add to it.
        let limit = verb == "AUTH" ? 12_288 : verb == "MAIL" ? 512 + 26 + 17 + 500 : 512
        if bytes.count + 2 > limit { violations.append("a command of \(bytes.count + 2) octets: \(shown)") }
        if text.hasSuffix(" ") && verb != "NOOP" { violations.append("a command ends in a space: \(shown)") }
    }

    /// Control characters made visible, cut after 120.
    static func shown(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(120) {
            result += scalar.value < 32 || scalar.value == 127 ? "<\(scalar.value)>" : String(scalar)
        }
        return result
    }

    /// The name given to EHLO: a domain or an address literal (RFC 5321 4.1.1.1).
    static func isDomainOrLiteral(_ name: String) -> Bool {
        if name.hasPrefix("[") { return name.hasSuffix("]") && name.utf8.count > 2 && !name.contains(" ") }
        return isDomain(name)
    }

    static func isDomain(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.count <= 255 else { return false }
        return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            let bytes = Array(label.utf8)
            return (1...63).contains(bytes.count) && bytes.first != 45 && bytes.last != 45
                && bytes.allSatisfy { isAlphanumeric($0) || $0 == 45 }
        }
    }

    /// A mailbox of RFC 5321 4.1.2: dot-string or quoted string, "@", domain or literal, within the limits of 4.5.3.1.
    static func isMailbox(_ address: String) -> Bool {
        guard let at = address.lastIndex(of: "@") else { return false }
        let local = Array(address[..<at].utf8)
        guard (1...64).contains(local.count), address.utf8.count <= 254,
            isDomainOrLiteral(String(address[address.index(after: at)...]))
        else { return false }
        if local.first == 34 {
            return local.count > 2 && local.last == 34 && local.allSatisfy { (32...126).contains($0) }
        }
        let atomCharacters = Array("!#$%&'*+-/=?^_`{|}~".utf8)
        return local.split(separator: 46, omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.allSatisfy { isAlphanumeric($0) || atomCharacters.contains($0) }
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}

/// The path and the parameters of MAIL or RCPT.
struct SMTPPath {
    /// The address between the angle brackets; empty for `<>`.
    let address: String
    /// Parameter names in capitals.
    private(set) var parameters: [String: String] = [:]
    private(set) var violations: [String] = []

    /// - Parameters:
    ///   - keyword: "FROM" or "TO".
    ///   - known: the parameters that the server's extensions allow.
    /// - Returns: nil if no address can be made out at all.
    init?(_ line: SMTPCommandLine, keyword: String, known: Set<String>) {
        let argument = line.argument
        let shown = SMTPCommandLine.shown(line.text)
        guard argument.uppercased().hasPrefix(keyword + ":"), let open = argument.firstIndex(of: "<"),
            let close = argument[open...].firstIndex(of: ">")
        else { return nil }
        address = String(argument[argument.index(after: open)..<close])
        if argument.distance(from: argument.startIndex, to: open) != keyword.count + 1 {
            violations.append("something between the colon and the bracket: \(shown)")
        }
        if !(address.isEmpty && keyword == "FROM") && !SMTPCommandLine.isMailbox(address) {
            violations.append("not a mailbox: \(shown)")
        }
        let rest = argument[argument.index(after: close)...]
        if !rest.isEmpty && !rest.hasPrefix(" ") { violations.append("something after the bracket: \(shown)") }
        for parameter in rest.split(separator: " ") {
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts[0].uppercased()
            let value = parts.count > 1 ? String(parts[1]) : ""
            if parameters.updateValue(value, forKey: name) != nil {
                violations.append("the parameter \(name) twice: \(shown)")
            }
            if !known.contains(name) { violations.append("the parameter \(name) was not offered: \(shown)") }
            if name == "SIZE" && UInt64(value) == nil { violations.append("SIZE is not a number: \(shown)") }
            if name == "BODY" && !["7BIT", "8BITMIME"].contains(value.uppercased()) {
                violations.append("BODY is neither 7BIT nor 8BITMIME: \(shown)")
            }
        }
    }
}

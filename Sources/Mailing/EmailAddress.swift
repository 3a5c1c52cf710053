/// A mail address that can be written into an SMTP command.
///
/// The local part is a dot-atom (RFC 5321 4.1.2, without quoted strings); the domain is a name of at least two labels
/// in A-label form (RFC 5890), lower case. Limits of RFC 5321 4.5.3.1: 64 octets before the `@`, 253 behind it, 254 in
/// all.
package struct EmailAddress: Hashable, Sendable, CustomStringConvertible {
    /// As it was written, the domain in lower case and as A-labels.
    package let text: String
    /// What makes two addresses one person: NFC, lower case, domain as A-label; `+tags` are kept.
    package let key: String

    /// Why a text is not an address, in words for the person who wrote it.
    package struct Invalid: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// Reads an address.
    ///
    /// - Parameter composed: Brings a text into Unicode Normalization Form C. It is asked only about text that is not
    ///   ASCII. It enters as an argument because this module imports nothing.
    package init(parsing text: String, composed: (String) -> String) throws(Invalid) {
        let isASCII = text.utf8.allSatisfy { $0 < 128 }
        let source = isASCII ? text : composed(text)
        let bytes = Array(source.utf8)
        guard let at = bytes.lastIndex(of: 64) else { throw Invalid(description: "there is no @ in it") }
        if let control = bytes.first(where: { $0 < 32 || $0 == 127 }) {
            throw Invalid(description: "it contains the control character 0x\(String(control, radix: 16))")
        }
        if let hidden = source.unicodeScalars.first(where: EmailAddress.isHidden) {
            let number = EmailAddress.hexadecimal(hidden.value)
            throw Invalid(description: "it contains the invisible character U+\(number)")
        }
        let local = bytes[..<at]
        try EmailAddress.check(local: local)
        let domain = try EmailAddress.encode(domain: bytes[(at + 1)...], composed: composed)
        let localText = String(decoding: local, as: UTF8.self)
        guard local.count + 1 + domain.utf8.count <= 254 else {
            throw Invalid(description: "it is longer than 254 octets")
        }
        self.text = localText + "@" + domain
        let lowered = localText.lowercased()
        self.key = (isASCII ? lowered : composed(lowered)) + "@" + domain
    }

    /// An address that this type wrote before, read back from storage.
    package init(stored text: String, key: String) {
        self.text = text
        self.key = key
    }

    package var domain: String { String(text[text.index(after: text.lastIndex(of: "@") ?? text.startIndex)...]) }

    /// Whether the server must offer SMTPUTF8 (RFC 6531) to take this address.
    package var needsSMTPUTF8: Bool { text.utf8.contains { $0 >= 128 } }

    package var description: String { text }

    package static func == (left: EmailAddress, right: EmailAddress) -> Bool { left.key == right.key }

    package func hash(into hasher: inout Hasher) { hasher.combine(key) }

    private static func check(local: ArraySlice<UInt8>) throws(Invalid) {
        guard !local.isEmpty else { throw Invalid(description: "there is nothing before the @") }
        guard local.count <= 64 else { throw Invalid(description: "the part before the @ is longer than 64 octets") }
        var previous: UInt8 = 46
        for byte in local {
            if byte == 46, previous == 46 {
                throw Invalid(description: "the part before the @ has a dot at its beginning or two dots in a row")
            }
            guard byte == 46 || byte >= 128 || isAtomText(byte) else {
                let character = String(UnicodeScalar(byte))
                throw Invalid(description: "the part before the @ contains “\(character)”, which is not allowed there")
            }
            previous = byte
        }
        if previous == 46 { throw Invalid(description: "the part before the @ ends in a dot") }
    }

    /// `atext` of RFC 5322 3.2.3.
    private static func isAtomText(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    /// Blanks, line breaks and controls beyond ASCII, as copied text carries them; the two joiners that RFC 5892
    /// allows in names are not among them.
    private static func isHidden(_ scalar: UnicodeScalar) -> Bool {
        guard !scalar.isASCII, scalar.value != 0x200C, scalar.value != 0x200D else { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }

    private static func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private static func encode(
        domain bytes: ArraySlice<UInt8>, composed: (String) -> String
    ) throws(Invalid) -> String {
        guard !bytes.isEmpty else { throw Invalid(description: "there is nothing behind the @") }
        var labels: [String] = []
        for part in bytes.split(separator: 46, omittingEmptySubsequences: false) {
            guard !part.isEmpty else {
                throw Invalid(description: "the domain has an empty label (two dots in a row?)")
            }
            let lowered = String(decoding: part, as: UTF8.self).lowercased()
            // A capital may have no composed form where its small letter has one.
            let label = lowered.utf8.allSatisfy { $0 < 128 } ? lowered : composed(lowered)
            guard let ascii = label.utf8.allSatisfy({ $0 < 128 }) ? label : Punycode.label(of: label) else {
                throw Invalid(description: "the domain label \(cited(label)) cannot be written in ASCII")
            }
            try check(label: ascii, writtenAs: label)
            labels.append(ascii)
        }
        guard labels.count >= 2 else { throw Invalid(description: "the domain has no dot in it") }
        if labels.last?.utf8.allSatisfy({ (48...57).contains($0) }) == true {
            throw Invalid(description: "the domain is an IP address")
        }
        let domain = labels.joined(separator: ".")
        guard domain.utf8.count <= 253 else { throw Invalid(description: "the domain is longer than 253 octets") }
        return domain
    }

    /// In quotation marks, and no longer than any label may be.
    private static func cited(_ label: String) -> String {
        let beginning = String(String.UnicodeScalarView(label.unicodeScalars.prefix(63)))
        return "“\(beginning)\(beginning.utf8.count < label.utf8.count ? "…" : "")”"
    }

    /// Letters, digits and hyphens, as RFC 5321 4.1.2 `sub-domain` has them.
    private static func check(label: String, writtenAs written: String) throws(Invalid) {
        let bytes = label.utf8
        guard bytes.count <= 63 else { throw Invalid(description: "the domain label \(cited(written)) is too long") }
        guard bytes.allSatisfy({ isLetterOrDigit($0) || $0 == 45 }), bytes.first != 45, bytes.last != 45 else {
            throw Invalid(
                description: "the domain label \(cited(written)) is not made of letters, digits and inner hyphens")
        }
    }
}

/// The encoding of RFC 3492 that turns a Unicode label into ASCII.
enum Punycode {
    /// `xn--…` for a label in lower case and NFC; nil for a label too long to be one.
    static func label(of text: String) -> String? {
        let scalars = text.unicodeScalars.map(\.value)
        guard scalars.count <= 63, !scalars.contains(where: { $0 < 128 && !isLabelASCII($0) }) else { return nil }
        var output = scalars.filter { $0 < 128 }
        let basicCount = output.count
        if basicCount > 0 { output.append(45) }
        var state = (code: UInt32(128), delta: UInt32(0), bias: UInt32(72))
        var handled = basicCount
        while handled < scalars.count {
            guard let next = scalars.filter({ $0 >= state.code }).min() else { return nil }
            state.delta += (next - state.code) * UInt32(handled + 1)
            state.code = next
            for scalar in scalars {
                if scalar < state.code { state.delta += 1 }
                guard scalar == state.code else { continue }
                append(state.delta, bias: state.bias, to: &output)
                state.bias = adapted(state.delta, points: UInt32(handled + 1), first: handled == basicCount)
                state.delta = 0
                handled += 1
            }
            state.delta += 1
            state.code += 1
        }
        return "xn--" + String(String.UnicodeScalarView(output.compactMap(UnicodeScalar.init)))
    }

    private static func isLabelASCII(_ value: UInt32) -> Bool {
        value == 45 || (48...57).contains(value) || (97...122).contains(value)
    }

    /// A generalised variable-length integer (RFC 3492 section 3.3).
    private static func append(_ delta: UInt32, bias: UInt32, to output: inout [UInt32]) {
        var quotient = delta
        var position: UInt32 = 36
        while true {
            let threshold = position <= bias ? 1 : min(26, position - bias)
            guard quotient >= threshold else { break }
            output.append(digit(threshold + (quotient - threshold) % (36 - threshold)))
            quotient = (quotient - threshold) / (36 - threshold)
            position += 36
        }
        output.append(digit(quotient))
    }

    private static func digit(_ value: UInt32) -> UInt32 { value < 26 ? value + 97 : value + 22 }

    /// RFC 3492 section 6.1.
    private static func adapted(_ delta: UInt32, points: UInt32, first: Bool) -> UInt32 {
        var value = first ? delta / 700 : delta / 2
        value += value / points
        var shift: UInt32 = 0
        while value > 455 {
            value /= 35
            shift += 36
        }
        return shift + 36 * value / (value + 38)
    }
}

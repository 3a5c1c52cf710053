import Foundation

/// Header field values in ASCII, folded (RFC 5322 section 2.2.3) and encoded (RFC 2047).
///
/// GMime 3.2 is not asked to do this: it writes encoded words of more than 75 characters for text without spaces,
/// encodes a List-Unsubscribe URI, drops spaces at the ends, and lets a literal `=?…?=` through to be decoded.
enum HeaderText {
    /// Lines are folded to at most this many characters wherever there is a place to fold (RFC 5322 section 2.1.1).
    static let lineLength = 78

    /// No encoded word is longer than this (RFC 2047 section 2).
    static let encodedWordLength = 75

    /// Unstructured text such as a subject, for a first line that already holds `column` characters.
    static func unstructured(_ text: String, startingAt column: Int) -> String {
        if isPlain(text), let folded = fold(text, startingAt: column) { return folded }
        return encodedWords(text, startingAt: column)
    }

    /// A display name (RFC 5322 section 3.2.5): atoms, a quoted string or encoded words.
    static func phrase(_ text: String, startingAt column: Int) -> String {
        guard isPlain(text) else { return encodedWords(text, startingAt: column) }
        if text.utf8.allSatisfy({ isAtomText($0) || $0 == UInt8(ascii: " ") }) {
            return fold(text, startingAt: column) ?? encodedWords(text, startingAt: column)
        }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { quoted.unicodeScalars.append("\\") }
            quoted.unicodeScalars.append(scalar)
        }
        quoted += "\""
        return column + quoted.utf8.count <= lineLength ? quoted : encodedWords(text, startingAt: column)
    }

    /// Encoded words in UTF-8, one a line. Each decodes alone: no scalar is divided.
    static func encodedWords(_ text: String, startingAt column: Int) -> String {
        let wordCost = "=?utf-8?q??=".utf8.count
        let scalars = text.unicodeScalars
        let quotedCost = scalars.reduce(0) { $0 + quotedLength($1) }
        let useQuoted = quotedCost <= text.utf8.count * 3 / 2
        var words: [String] = []
        var chunk: [UInt8] = []
        var cost = 0
        func limit() -> Int { min(encodedWordLength, lineLength - (words.isEmpty ? column : 1)) - wordCost }
        func close() {
            let body = useQuoted ? quoted(chunk) : Data(chunk).base64EncodedString()
            words.append("=?utf-8?\(useQuoted ? "q" : "b")?\(body)?=")
            chunk = []
            cost = 0
        }
        for scalar in scalars {
            let bytes = Array(String(scalar).utf8)
            let added = useQuoted ? cost + quotedLength(scalar) : (chunk.count + bytes.count + 2) / 3 * 4
            if added > limit(), !chunk.isEmpty { close() }
            chunk += bytes
            cost += quotedLength(scalar)
        }
        if !chunk.isEmpty { close() }
        return words.joined(separator: "\r\n ")
    }

    /// A display name and what follows it between angle brackets, on a line of its own if need be.
    static func phrase(_ text: String, startingAt column: Int, followedBy bracketed: String) -> String {
        let name = phrase(text, startingAt: column)
        let lines = name.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let used = (lines.last?.count ?? 0) + (lines.count == 1 ? column : 0)
        return name + (used + 1 + bracketed.utf8.count > lineLength ? "\r\n " : " ") + bracketed
    }

    /// RFC 5322 section 3.2.3, atext.
    static func isAtomText(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            return true
        default: return false
        }
    }

    /// Printable ASCII that no reader would decode and whose spaces survive folding.
    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && !text.contains("=?") && !text.contains("  ")
            && text.utf8.first != UInt8(ascii: " ") && text.utf8.last != UInt8(ascii: " ")
    }

    /// Breaks before single spaces; nil when a word is too long for a line.
    private static func fold(_ text: String, startingAt column: Int) -> String? {
        var result = ""
        var length = column
        for (index, word) in text.split(separator: " ").enumerated() {
            let added = word.utf8.count + (index == 0 ? 0 : 1)
            if length + added > lineLength {
                guard index > 0, word.utf8.count + 1 <= lineLength else { return nil }
                result += "\r\n \(word)"
                length = word.utf8.count + 1
            } else {
                result += index == 0 ? "\(word)" : " \(word)"
                length += added
            }
        }
        return result
    }

    private static func isQuotedLiteral(_ byte: UInt8) -> Bool {
        // RFC 2047 section 5 (3): the set that is safe in a phrase as well.
        isLetterOrDigit(byte) || "!*+-/".utf8.contains(byte)
    }

    private static func quotedLength(_ scalar: Unicode.Scalar) -> Int {
        guard scalar.isASCII else { return 3 * UTF8.width(scalar) }
        let byte = UInt8(truncatingIfNeeded: scalar.value)
        return isQuotedLiteral(byte) || scalar == " " ? 1 : 3
    }

    private static func quoted(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in bytes {
            if isQuotedLiteral(byte) {
                result.append(byte)
            } else if byte == UInt8(ascii: " ") {
                result.append(UInt8(ascii: "_"))
            } else {
                result += [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

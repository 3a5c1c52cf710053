/// Questions about text that came from outside, asked scalar by scalar: a character that Swift shows as one may hide a
/// quotation mark or a line break in front of a combining mark.
enum TextCheck {
    /// Whether the text holds a C0 or C1 control or DEL. Line breaks and tabs count too, unless allowed.
    static func hasControl(_ text: String, allowingLineBreaks: Bool) -> Bool {
        text.unicodeScalars.contains { scalar in
            guard isControl(scalar) else { return false }
            return !(allowingLineBreaks && ["\n", "\r", "\t", "\u{85}", "\u{2028}", "\u{2029}"].contains(scalar))
        }
    }

    /// Whether the scalar is a control character or a Unicode line break.
    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar == "\u{2028}" || scalar == "\u{2029}"
    }

    /// Whether a reader would see nothing: no scalar at all, or only white space and zero-width ones.
    static func isBlank(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy(isInvisible)
    }

    /// The text without invisible scalars at either end.
    static func trim(_ text: String) -> String {
        var scalars = Substring(text).unicodeScalars
        while let first = scalars.first, isInvisible(first) { scalars.removeFirst() }
        while let last = scalars.last, isInvisible(last) { scalars.removeLast() }
        return String(scalars)
    }

    /// RFC 5322 section 3.2.3: atoms of ASCII joined by single dots.
    static func isDotAtom(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0.allSatisfy(HeaderText.isAtomText)
            }
    }

    /// CRLF and lone CR become LF.
    static func unixLineBreaks(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "\r")) else { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var afterReturn = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\r") {
                bytes.append(UInt8(ascii: "\n"))
            } else if !(afterReturn && byte == UInt8(ascii: "\n")) {
                bytes.append(byte)
            }
            afterReturn = byte == UInt8(ascii: "\r")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text with the five characters that mean something in HTML written as references.
    static func htmlEscaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 16)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): bytes += "&amp;".utf8
            case UInt8(ascii: "<"): bytes += "&lt;".utf8
            case UInt8(ascii: ">"): bytes += "&gt;".utf8
            case UInt8(ascii: "\""): bytes += "&quot;".utf8
            case UInt8(ascii: "'"): bytes += "&#39;".utf8
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || (0x200B...0x200F).contains(scalar.value) || scalar == "\u{FEFF}"
            || scalar == "\u{2060}"
    }
}

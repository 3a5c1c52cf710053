/// Text from elsewhere as one line: nothing in it can begin a new line, steer a terminal, or turn the reading order.
enum SingleLine {
    /// `text` with control characters escaped, at most `limit` bytes of UTF-8 and then an ellipsis.
    static func of(_ text: String, limit: Int) -> String {
        var line = ""
        var room = limit
        for scalar in text.unicodeScalars {
            let piece = escape(scalar) ?? String(scalar)
            room -= piece.utf8.count
            guard room >= 0 else { return line + "…" }
            line += piece
        }
        return line
    }

    /// A value for a line of `NAME=value` pairs: in quotation marks where its end would not be seen otherwise.
    static func quoted(_ text: String, limit: Int) -> String {
        let line = of(text, limit: limit)
        guard line.isEmpty || line.contains(where: { $0.isWhitespace || $0 == "\"" }) else { return line }
        var result = "\""
        for character in line {
            result += character == "\"" ? "\\\"" : String(character)
        }
        return result + "\""
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String? {
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: break
        }
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x2028...0x2029, 0x202A...0x202E, 0x2066...0x2069:
            return "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
        default:
            return nil
        }
    }
}

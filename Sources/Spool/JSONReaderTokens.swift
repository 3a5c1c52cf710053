/// Strings, numbers and literals: RFC 8259 sections 3, 6, 7 and 8; RFC 7493 section 2.
extension JSONParser {
    /// A string, from its opening quote to behind its closing one. The limit is in bytes of UTF-8.
    mutating func string(limit: Int) throws(JSONError) -> String {
        let start = position
        index += 1
        var output: [UInt8] = []
        var runStart = index
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                output += bytes[runStart..<index]
                index += 1
                return String(decoding: output, as: UTF8.self)
            case UInt8(ascii: "\\"):
                output += bytes[runStart..<index]
                output += String(try escapedScalar()).utf8
                runStart = index
            case 0x20..<0x80: index += 1
            case 0x00..<0x20:
                let code = codePoint(UnicodeScalar(byte))
                throw JSONError(
                    at: position, "Write the control character \(code) as an escape, such as \\n for a line break.")
            default: try skipMultibyteScalar()
            }
            guard output.count + index - runStart <= limit else {
                throw JSONError(at: start, "Shorten this text: at most \(limit) bytes are allowed.")
            }
        }
        throw JSONError(at: position, "Close the text that begins at \(start.line):\(start.column) with “\"”.")
    }

    /// A scalar of two to four bytes, checked as table 3-7 of the Unicode Standard has it.
    private mutating func skipMultibyteScalar() throws(JSONError) {
        let first = bytes[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw invalidUTF8
        }
        guard index + length <= bytes.count, second.contains(bytes[index + 1]) else { throw invalidUTF8 }
        var value = UInt32(first) & (0x7F >> UInt32(length))
        for offset in 1..<length {
            let byte = bytes[index + offset]
            guard (0x80...0xBF).contains(byte) else { throw invalidUTF8 }
            value = value << 6 | UInt32(byte & 0x3F)
        }
        guard !isNoncharacter(value) else { throw noncharacter }
        index += length
        continuations += length - 1
    }

    private var invalidUTF8: JSONError {
        let code = String(bytes[index], radix: 16, uppercase: true)
        return JSONError(at: position, "Save the file as UTF-8; the byte 0x\(code) here does not belong to it.")
    }

    private var noncharacter: JSONError {
        JSONError(at: position, "Remove this code point; Unicode gives it to no character.")
    }

    private func isNoncharacter(_ value: UInt32) -> Bool {
        value & 0xFFFE == 0xFFFE || (0xFDD0...0xFDEF).contains(value)
    }

    private mutating func escapedScalar() throws(JSONError) -> UnicodeScalar {
        let escape = index + 1 < bytes.count ? bytes[index + 1] : nil
        let scalar: UnicodeScalar
        switch escape {
        case UInt8(ascii: "\""): scalar = "\""
        case UInt8(ascii: "\\"): scalar = "\\"
        case UInt8(ascii: "/"): scalar = "/"
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{C}"
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "t"): scalar = "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default:
            throw JSONError(
                at: position, "Double this backslash, or write one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX.")
        }
        index += 2
        return scalar
    }

    /// `\uXXXX`, or two of them that are a surrogate pair.
    private mutating func unicodeEscape() throws(JSONError) -> UnicodeScalar {
        guard var value = codeUnit(at: index) else {
            throw JSONError(at: position, "Write four hexadecimal digits behind \\u.")
        }
        var length = 6
        if (0xD800...0xDBFF).contains(value), let low = codeUnit(at: index + 6), (0xDC00...0xDFFF).contains(low) {
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            length = 12
        }
        guard value != 0 else { throw JSONError(at: position, "Remove the character U+0000.") }
        guard let scalar = UnicodeScalar(value) else {
            throw JSONError(at: position, "Remove this half of a surrogate pair, or complete it with the other half.")
        }
        guard !isNoncharacter(value) else { throw noncharacter }
        index += length
        return scalar
    }

    /// The value of a `\uXXXX` that begins at an offset.
    private func codeUnit(at offset: Int) -> UInt32? {
        guard offset + 6 <= bytes.count, bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u")
        else { return nil }
        var value: UInt32 = 0
        for byte in bytes[(offset + 2)..<(offset + 6)] {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    mutating func number() throws(JSONError) -> Double {
        let start = index
        let place = position
        if next == UInt8(ascii: "-") { index += 1 }
        let whole = try digits()
        guard whole.count == 1 || whole.first != UInt8(ascii: "0") else {
            throw JSONError(at: place, "Remove the zeros before this number, or put it in quotes if it is a text.")
        }
        var significand = whole
        if next == UInt8(ascii: ".") {
            index += 1
            significand += try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            index += 1
            if next == UInt8(ascii: "-") || next == UInt8(ascii: "+") { index += 1 }
            _ = try digits()
        }
        let significant = significand.drop { $0 == UInt8(ascii: "0") }
        guard significant.count <= 17, index - start <= 40,
            let value = Double(String(decoding: bytes[start..<index], as: UTF8.self)),
            value.magnitude < 9_007_199_254_740_992, value != 0 || significant.isEmpty
        else {
            throw JSONError(
                at: place, "Write a number of at most 17 digits between -9007199254740991 and 9007199254740991.")
        }
        return value
    }

    /// One or more decimal digits.
    private mutating func digits() throws(JSONError) -> ArraySlice<UInt8> {
        let start = index
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        guard index > start else { throw unexpected("a digit") }
        return bytes[start..<index]
    }

    mutating func literal() throws(JSONError) -> JSONValue.Content {
        let isLetter: (UInt8) -> Bool = { (0x41...0x5A).contains($0 & 0xDF) }
        let word = bytes[index...].prefix(20).prefix(while: isLetter)
        let content: JSONValue.Content
        switch String(decoding: word, as: UTF8.self) {
        case "true": content = .boolean(true)
        case "false": content = .boolean(false)
        case "null": content = .null
        case "": throw unexpected("a value")
        case let other:
            throw JSONError(
                at: position, "Put \(cited(other)) in double quotes, or write true, false or null in lower case.")
        }
        index += word.count
        return content
    }
}

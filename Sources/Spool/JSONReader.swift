/// Reads JSON as strictly as RFC 8259 and I-JSON (RFC 7493) allow, and knows where every value stands.
///
/// Refused are also duplicate keys, U+0000 and noncharacters in strings, numbers that a double cannot hold exactly
/// enough, and whatever exceeds the limits. Keys that are canonically equivalent count as the same key.
/// The time needed is linear in the size of the document; the stack needed is bounded by `JSONLimits.depth`.
package enum JSONReader {
    /// The document's value, or its first fault.
    package static func read(_ bytes: [UInt8], limits: JSONLimits) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes, limits: limits)
        return try parser.document()
    }
}

/// One pass over a document, from left to right. Tokens are read in JSONReaderTokens.swift.
struct JSONParser {
    let bytes: [UInt8]
    let limits: JSONLimits
    /// Offset of the next byte.
    var index = 0
    /// UTF-8 continuation bytes before `index` in this line: bytes that are no column of their own.
    var continuations = 0
    private var line = 1
    private var lineStart = 0
    private var values = 0

    init(_ bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    var position: JSONPosition {
        JSONPosition(line: line, column: index - lineStart - continuations + 1)
    }

    var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func document() throws(JSONError) -> JSONValue {
        guard bytes.count <= limits.bytes else {
            throw JSONError(
                at: position, "Make the file smaller: it has \(bytes.count) bytes, and \(limits.bytes) are allowed.")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JSONError(at: position, "Save the file as UTF-8 without a byte order mark; it begins with one.")
        }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw JSONError(at: position, "Save the file as UTF-8; it is in UTF-16.")
        }
        skipWhitespace()
        guard next != nil else { throw JSONError(at: position, "Write a JSON object here; the file is empty.") }
        let value = try value(depth: 0)
        skipWhitespace()
        guard next == nil else { throw unexpected("the end of the file") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        let start = position
        values += 1
        guard values <= limits.values else {
            throw JSONError(at: start, "Split the job: its file holds more than \(limits.values) values.")
        }
        switch next {
        case UInt8(ascii: "{"):
            try check(depth: depth)
            return JSONValue(.object(try members(depth: depth + 1)), at: start)
        case UInt8(ascii: "["):
            try check(depth: depth)
            return JSONValue(.array(try elements(depth: depth + 1)), at: start)
        case UInt8(ascii: "\""):
            return JSONValue(.string(try string(limit: limits.stringBytes)), at: start)
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
            return JSONValue(.number(try number()), at: start)
        default:
            return JSONValue(try literal(), at: start)
        }
    }

    private func check(depth: Int) throws(JSONError) {
        guard depth < limits.depth else {
            throw JSONError(at: position, "Nest less deeply: only \(limits.depth) levels are allowed.")
        }
    }

    private mutating func elements(depth: Int) throws(JSONError) -> [JSONValue] {
        index += 1
        skipWhitespace()
        if take(UInt8(ascii: "]")) { return [] }
        var elements: [JSONValue] = []
        while true {
            elements.append(try value(depth: depth))
            if try isClosed(by: UInt8(ascii: "]")) { return elements }
        }
    }

    private mutating func members(depth: Int) throws(JSONError) -> [JSONMember] {
        index += 1
        skipWhitespace()
        if take(UInt8(ascii: "}")) { return [] }
        var members: [JSONMember] = []
        var keys: Set<String> = []
        while true {
            let keyPosition = position
            guard next == UInt8(ascii: "\"") else { throw unexpected("a key in double quotes") }
            let key = try string(limit: limits.keyBytes)
            guard keys.insert(key).inserted else {
                throw JSONError(
                    at: keyPosition, "Keep only one of the keys named \(cited(key)); this object has it twice.")
            }
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw unexpected("“:” and the value of \(cited(key))") }
            skipWhitespace()
            members.append(JSONMember(key: key, position: keyPosition, value: try value(depth: depth)))
            if try isClosed(by: UInt8(ascii: "}")) { return members }
        }
    }

    /// Behind an element: takes the closing bracket, or the comma before the next element.
    private mutating func isClosed(by bracket: UInt8) throws(JSONError) -> Bool {
        skipWhitespace()
        if take(bracket) { return true }
        let character = String(UnicodeScalar(bracket))
        let comma = position
        guard take(UInt8(ascii: ",")) else { throw unexpected("“,” or “\(character)”") }
        skipWhitespace()
        guard next != bracket else { throw JSONError(at: comma, "Remove the comma before “\(character)”.") }
        return false
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipWhitespace() {
        while let byte = next {
            switch byte {
            case 0x20, 0x09, 0x0D: index += 1
            case 0x0A:
                index += 1
                line += 1
                lineStart = index
                continuations = 0
            default: return
            }
        }
    }

    /// The error for a byte, or an end of the file, that stands where something else is expected.
    func unexpected(_ expected: String) -> JSONError {
        guard let byte = next else {
            return JSONError(at: position, "Write \(expected) here; the file ends too early.")
        }
        switch byte {
        case UInt8(ascii: "/"), UInt8(ascii: "#"):
            return JSONError(at: position, "Remove the comment; JSON has none.")
        case UInt8(ascii: "'"):
            return JSONError(at: position, "Write \(expected) here; only double quotes are quotes in JSON.")
        case 0x21..<0x7F:
            let character = String(UnicodeScalar(byte))
            return JSONError(at: position, "Write \(expected) here; there is “\(character)” instead.")
        default:
            let code = String(byte, radix: 16, uppercase: true)
            return JSONError(at: position, "Write \(expected) here; there is the byte 0x\(code) instead.")
        }
    }
}

/// A text in quotation marks for a message: cut to 60 scalars, with control characters as `U+XXXX`.
func cited(_ text: String) -> String {
    let scalars = text.unicodeScalars
    var words = ""
    for scalar in scalars.prefix(60) {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse:
            words += codePoint(scalar)
        default: words.unicodeScalars.append(scalar)
        }
    }
    let isCut = scalars.dropFirst(60).first != nil
    return "“\(words)\(isCut ? "…" : "")”"
}

/// `U+000A` and the like.
func codePoint(_ scalar: UnicodeScalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

import Foundation
import Spool

/// A document as JSON: what our reader takes is what Foundation reads, and what it refuses it refuses for a reason.
enum JSONTarget {
    static func check(_ input: [UInt8]) {
        let generous = JSONLimits(bytes: 1 << 20)
        let places = Places(input)
        switch read(input, generous) {
        case .success(let value):
            require(JSONComparison.agrees(input, value), "Foundation reads something else than \(value)")
            checkPositions(value, input, places)
            checkSpellings(value)
            checkTwins(value)
            checkLimits(value, input)
        case .failure(let error):
            require(places.offset(of: error.position) != nil, "\(error.position) is a place in the document")
            require(!error.message.isEmpty && error.message.hasSuffix("."), "“\(error.message)” is a sentence")
            require(!hasControl(error.message), "no control character gets into an explanation")
            require(error.message.unicodeScalars.count <= 1_000, "an explanation is short")
            // Where there is a zero, Foundation may guess another encoding than UTF-8.
            if isOfSyntax(error.message), !input.contains(0) {
                require(!JSONComparison.accepts(input), "Foundation reads what we call wrong: \(error.message)")
            }
        }
    }

    static func read(_ bytes: [UInt8], _ limits: JSONLimits) -> Result<JSONValue, JSONError> {
        do throws(JSONError) {
            return .success(try JSONReader.read(bytes, limits: limits))
        } catch {
            return .failure(error)
        }
    }

    /// Not of what only we refuse: limits, keys that come twice, characters that are none, marks of encodings.
    private static func isOfSyntax(_ message: String) -> Bool {
        ["Write a JSON object", "Write “", "Write a key", "Write a value", "Write the end", "Write a digit"]
            .contains(where: message.hasPrefix)
            || ["Close the text", "Double this backslash", "Write four hexadecimal", "Write the control character"]
                .contains(where: message.hasPrefix)
    }

    /// The values stand one behind the other, each where its first character is.
    private static func checkPositions(_ value: JSONValue, _ input: [UInt8], _ places: Places) {
        var last = -1
        func visit(_ value: JSONValue) {
            guard let offset = places.offset(of: value.position), offset < input.count else {
                fatalError("\(value.position) is no place in the document")
            }
            require(offset > last, "a value stands behind the value before it")
            last = offset
            let first = Character(UnicodeScalar(input[offset]))
            switch value.content {
            case .null: require(first == "n", "null begins with n")
            case .boolean(let flag): require(first == (flag ? "t" : "f"), "a boolean begins with its letter")
            case .number: require("-0123456789".contains(first), "a number begins with a digit or a sign")
            case .string: require(first == "\"", "a text begins with its quotation mark")
            case .array(let elements):
                require(first == "[", "a list begins with its bracket")
                elements.forEach(visit)
            case .object(let members):
                require(first == "{", "an object begins with its bracket")
                for member in members {
                    let key = places.offset(of: member.position)
                    require(key.map { input[$0] == 34 && $0 > last } ?? false, "a key stands where it says")
                    visit(member.value)
                }
            }
        }
        visit(value)
    }

    /// However it is spelled, it is the same.
    private static func checkSpellings(_ value: JSONValue) {
        for spelling in JSONSpelling.all {
            let text = spelling.text(value)
            guard case .success(let again) = read(Array(text.utf8), JSONLimits(bytes: 64 << 20)) else {
                fatalError("a property does not hold: what was read can be written and read again: \(text)")
            }
            require(JSONComparison.isSame(again, value), "\(text) is the same document")
        }
    }

    /// No object is read that has a key twice, whichever it is, wherever it is and however the second one is spelled.
    private static func checkTwins(_ value: JSONValue) {
        var budget = 16
        func visit(_ value: JSONValue, _ whole: (String) -> String) {
            let text = JSONSpelling.plain.text
            switch value.content {
            case .null, .boolean, .number, .string: return
            case .array(let elements):
                for element in elements where budget > 0 { visit(element) { whole("[\($0)]") } }
            case .object(let members):
                for member in members where budget > 0 {
                    budget -= 1
                    for spelling in JSONSpelling.all {
                        let twin = spelling.member(member.key, JSONValue(.null, at: value.position))
                        refuseTwin(whole(text(value).dropLast() + "," + twin + "}"))
                    }
                    visit(member.value) { whole("{\"outer\":\($0)}") }
                }
            }
        }
        visit(value) { $0 }
    }

    private static func refuseTwin(_ text: String) {
        guard case .failure(let error) = read(Array(text.utf8), JSONLimits(bytes: 64 << 20)) else {
            fatalError("a property does not hold: a key came twice and was read: \(text)")
        }
        require(error.message.hasPrefix("Keep only one of the keys"), "it is refused for that: \(error)")
    }

    /// A limit refuses what exceeds it, and changes nothing about what does not.
    private static func checkLimits(_ value: JSONValue, _ input: [UInt8]) {
        let size = JSONSize(value)
        var exact = JSONLimits(bytes: input.count)
        (exact.values, exact.depth) = (size.values, size.depth)
        (exact.stringBytes, exact.keyBytes) = (size.string, size.key)
        require(read(input, exact) == .success(value), "a document that just keeps to its limits is read")
        var limits: [JSONLimits] = []
        func shrunk(_ change: (inout JSONLimits) -> Void) {
            limits.append(exact)
            change(&limits[limits.count - 1])
        }
        shrunk { $0.bytes -= 1 }
        shrunk { $0.values -= 1 }
        if size.depth > 0 { shrunk { $0.depth -= 1 } }
        if size.string > 0 { shrunk { $0.stringBytes -= 1 } }
        if size.key > 0 { shrunk { $0.keyBytes -= 1 } }
        for limit in limits {
            guard case .failure = read(input, limit) else { fatalError("a limit does not hold: \(limit)") }
        }
        require(size.depth <= 64, "only 64 levels are read")
    }
}

/// Where lines and columns are in the bytes.
struct Places {
    /// For each line, the offsets of its characters, and of the end behind them.
    private var lines: [[Int]] = [[]]

    init(_ bytes: [UInt8]) {
        for (offset, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 {
            lines[lines.count - 1].append(offset)
            if byte == 10 { lines.append([]) }
        }
        lines[lines.count - 1].append(bytes.count)
    }

    func offset(of position: JSONPosition) -> Int? {
        guard lines.indices.contains(position.line - 1) else { return nil }
        let line = lines[position.line - 1]
        return line.indices.contains(position.column - 1) ? line[position.column - 1] : nil
    }
}

/// What the limits are about.
struct JSONSize {
    var values = 0
    var depth = 0
    var string = 0
    var key = 0

    init(_ value: JSONValue) {
        visit(value, depth: 0)
    }

    private mutating func visit(_ value: JSONValue, depth level: Int) {
        values += 1
        switch value.content {
        case .null, .boolean, .number: break
        case .string(let text): string = max(string, text.utf8.count)
        case .array(let elements):
            depth = max(depth, level + 1)
            for element in elements { visit(element, depth: level + 1) }
        case .object(let members):
            depth = max(depth, level + 1)
            for member in members {
                key = max(key, member.key.utf8.count)
                visit(member.value, depth: level + 1)
            }
        }
    }
}

/// What a template asks of a recipient, as a tree: a variable in a section is needed only where the section is shown.
enum TemplateNode: Sendable, Equatable {
    /// `{{name}}`, by its place in the list of names.
    case variable(Int)
    /// `{{#name}}…{{/name}}`, or with `inverted` `{{^name}}…{{/name}}`.
    case section(Int, inverted: Bool, children: [TemplateNode])
}

/// A template that has been read: what it asks, and the same template in the words of the Mustache library.
struct ScannedTemplate: Sendable {
    /// Field names in the order of their first use.
    var names: [String] = []
    var nodes: [TemplateNode] = []
    /// Field names are written `v0`, `v1`… as variables and `s0`, `s1`… as sections: a column may have any name.
    var source = ""
    /// Text that the library must not see beside a tag, written `t0`, `t1`….
    var literals: [String] = []
}

/// Reads the Mustache tags of one part: variables, sections, inverted sections and comments; everything else is
/// refused with its place. Every problem is collected.
struct TemplateScanner {
    static let maximumNameLength = 128
    static let maximumDepth = 32

    private struct Frame {
        let name: Int
        let inverted: Bool
        let start: Int
        var nodes: [TemplateNode]
    }

    private let part: TemplateError.Part
    private let bytes: [UInt8]
    private var result = ScannedTemplate()
    private var problems: [TemplateError] = []
    private var frames: [Frame] = []
    private var indexOfName: [String: Int] = [:]

    private init(_ text: String, part: TemplateError.Part) {
        self.part = part
        self.bytes = Array(text.utf8)
    }

    /// - Parameter text: the template, its lines ending in LF.
    static func scan(_ text: String, part: TemplateError.Part) -> (ScannedTemplate, [TemplateError]) {
        var scanner = TemplateScanner(text, part: part)
        scanner.run()
        return (scanner.result, scanner.problems)
    }

    private mutating func run() {
        var position = 0
        while let open = find("{{", from: position) {
            appendText(position..<open, beforeTag: true)
            guard let next = tag(at: open) else { return }
            position = next
        }
        appendText(position..<bytes.count, beforeTag: false)
        for frame in frames {
            let name = result.names[frame.name]
            report(frame.start, "The section \"\(name)\" is never closed; write {{/\(name)}} where it ends.")
        }
    }

    /// Reads one tag and returns where the text goes on, or nil when the tag never ends.
    private mutating func tag(at open: Int) -> Int? {
        let sigil = open + 2 < bytes.count ? bytes[open + 2] : 0
        let isTriple = sigil == UInt8(ascii: "{")
        guard let close = find(isTriple ? "}}}" : "}}", from: open + 2) else {
            report(open, "A \"{{\" is never closed by \"}}\".")
            return nil
        }
        let end = close + (isTriple ? 3 : 2)
        if sigil == UInt8(ascii: "!") {
            result.source += "{{!}}"
            return end
        }
        let hasSigil = "#^/&{".utf8.contains(sigil)
        if let refusal = Self.refusal(of: sigil) {
            report(open, refusal)
            return end
        }
        guard let name = name(in: (open + (hasSigil ? 3 : 2))..<close, at: open) else { return end }
        switch sigil {
        case UInt8(ascii: "#"), UInt8(ascii: "^"):
            openSection(name, inverted: sigil == UInt8(ascii: "^"), at: open)
        case UInt8(ascii: "/"):
            closeSection(name, at: open)
        default:
            if hasSigil, part == .html {
                report(
                    open,
                    "\"\(name)\" asks for unescaped text, which HTML may not have; write {{\(name)}}.")
            }
            let index = index(of: name)
            append(.variable(index))
            result.source += "{{&v\(index)}}"
        }
        return end
    }

    private static func refusal(of sigil: UInt8) -> String? {
        switch sigil {
        case UInt8(ascii: ">"): "Partials ({{> …}}) are not available; write the text itself."
        case UInt8(ascii: "="): "Other delimiters ({{= … =}}) are not available; keep {{ and }}."
        case UInt8(ascii: "<"), UInt8(ascii: "$"):
            "Inheritance ({{< …}}, {{$ …}}) is not available; write the text itself."
        case UInt8(ascii: "%"): "Pragmas ({{% …}}) are not available; leave this tag out."
        case UInt8(ascii: "*"): "Dynamic names ({{* …}}) are not available; write the name of the field."
        default: nil
        }
    }

    private mutating func name(in range: Range<Int>, at open: Int) -> String? {
        let name = TextCheck.trim(String(decoding: bytes[range], as: UTF8.self))
        if name.isEmpty {
            report(open, "This tag has no name; write the name of a field between {{ and }}.")
        } else if name == "." {
            report(open, "{{.}} is not available; write the name of the field.")
        } else if name.utf8.count > Self.maximumNameLength {
            report(open, "The name in this tag is longer than \(Self.maximumNameLength) bytes.")
        } else if TextCheck.hasControl(name, allowingLineBreaks: false) {
            report(open, "The name in this tag has a line break or control character; is a \"}}\" missing?")
        } else if name.contains("{") || name.contains("}") {
            report(open, "The name in this tag has a brace; write {{name}} with two braces at either side.")
        } else {
            return name
        }
        return nil
    }

    private mutating func openSection(_ name: String, inverted: Bool, at open: Int) {
        if frames.count >= Self.maximumDepth {
            report(open, "Sections are nested more than \(Self.maximumDepth) deep.")
        }
        let index = index(of: name)
        frames.append(Frame(name: index, inverted: inverted, start: open, nodes: []))
        result.source += "{{\(inverted ? "^" : "#")s\(index)}}"
    }

    private mutating func closeSection(_ name: String, at open: Int) {
        guard let frame = frames.last else {
            report(open, "{{/\(name)}} closes a section that is not open.")
            return
        }
        let expected = result.names[frame.name]
        if expected != name {
            report(open, "{{/\(name)}} stands where {{/\(expected)}} was expected.")
            guard frames.contains(where: { result.names[$0.name] == name }) else { return }
            while let last = frames.last, result.names[last.name] != name { frames.removeLast() }
        }
        let closed = frames.removeLast()
        append(.section(closed.name, inverted: closed.inverted, children: closed.nodes))
        result.source += "{{/s\(closed.name)}}"
    }

    /// The library compares whole characters, so a brace that a neighbouring scalar joins would not be seen as one
    /// (`{{name}}` followed by a zero-width non-joiner, as Persian writes it). Such scalars become literals.
    private mutating func appendText(_ range: Range<Int>, beforeTag: Bool) {
        var scalars = Substring(String(decoding: bytes[range], as: UTF8.self)).unicodeScalars
        if result.source.utf8.last == UInt8(ascii: "}"), range.lowerBound > 0 {
            while let first = scalars.first, "}\(first)".count == 1 {
                appendLiteral(first)
                scalars.removeFirst()
            }
        }
        var trailing: [Unicode.Scalar] = []
        if beforeTag {
            while let last = scalars.last, "\(last){".count == 1 {
                trailing.insert(last, at: 0)
                scalars.removeLast()
            }
        }
        result.source += String(scalars)
        trailing.forEach { appendLiteral($0) }
    }

    private mutating func appendLiteral(_ scalar: Unicode.Scalar) {
        result.source += "{{&t\(result.literals.count)}}"
        result.literals.append(String(scalar))
    }

    private mutating func append(_ node: TemplateNode) {
        if frames.isEmpty {
            result.nodes.append(node)
        } else {
            frames[frames.count - 1].nodes.append(node)
        }
    }

    private mutating func index(of name: String) -> Int {
        if let index = indexOfName[name] { return index }
        indexOfName[name] = result.names.count
        result.names.append(name)
        return result.names.count - 1
    }

    private func find(_ text: StaticString, from start: Int) -> Int? {
        let count = text.utf8CodeUnitCount
        var index = start
        while index + count <= bytes.count {
            let matches = text.withUTF8Buffer { wanted in (0..<count).allSatisfy { bytes[index + $0] == wanted[$0] } }
            if matches { return index }
            index += 1
        }
        return nil
    }

    private mutating func report(_ offset: Int, _ message: String) {
        let (line, column) = Self.place(of: offset, in: bytes)
        problems.append(TemplateError(part: part, line: line, column: column, message: message))
    }

    /// The line and the column, both from 1, of a byte; columns count Unicode scalars.
    static func place(of offset: Int, in bytes: [UInt8]) -> (line: Int, column: Int) {
        let before = bytes[..<offset]
        let line = before.reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return (line, before[lineStart...].reduce(1) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) })
    }
}

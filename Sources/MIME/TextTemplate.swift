private import Mustache

/// One part of a message, compiled: a Mustache template over plain text values.
struct TextTemplate: Sendable {
    private let part: TemplateError.Part
    private let scanned: ScannedTemplate
    private let template: MustacheTemplate
    private let variableKeys: [String]
    private let sectionKeys: [String]

    /// No part may be longer than this many UTF-8 bytes before it is filled in.
    static let maximumLength = 1_048_576

    /// Compiles, or returns every problem.
    init(_ source: String, part: TemplateError.Part) throws(InvalidTemplate) {
        let text = TextCheck.unixLineBreaks(source)
        if let problem = Self.refusal(of: text, part: part) { throw InvalidTemplate(errors: [problem]) }
        let (scanned, problems) = TemplateScanner.scan(text, part: part)
        guard problems.isEmpty else { throw InvalidTemplate(errors: problems) }
        do {
            self.template = try MustacheTemplate(string: scanned.source)
        } catch {
            let message = "The template cannot be read: \(error)."
            throw InvalidTemplate(errors: [TemplateError(part: part, message: message)])
        }
        self.part = part
        self.scanned = scanned
        self.variableKeys = scanned.names.indices.map { "v\($0)" }
        self.sectionKeys = scanned.names.indices.map { "s\($0)" }
    }

    /// Every name that stands as a plain variable somewhere, shown or not.
    var variables: Set<String> {
        var found: Set<String> = []
        collect(scanned.nodes, into: &found)
        return found
    }

    /// The fields that would be shown to this recipient and cannot be, each once, in the order of the template.
    func problems(in fields: [String: String]) -> [FieldProblem] {
        var found: [FieldProblem] = []
        collectProblems(scanned.nodes, fields, into: &found)
        return found
    }

    /// Fills the template in. `problems(in:)` must have found nothing.
    func render(_ fields: [String: String]) -> String {
        var context: [String: Any] = [:]
        context.reserveCapacity(scanned.names.count * 2 + scanned.literals.count)
        for (index, name) in scanned.names.enumerated() {
            let value = fields[name] ?? ""
            context[sectionKeys[index]] = !TextCheck.isBlank(value)
            // The library would leave a quotation mark alone that a combining mark follows, so it is given
            // escaped text and told to leave it alone.
            context[variableKeys[index]] = part == .html ? TextCheck.htmlEscaped(value) : value
        }
        for (index, literal) in scanned.literals.enumerated() {
            context["t\(index)"] = literal
        }
        return template.render(context)
    }

    private static func refusal(of text: String, part: TemplateError.Part) -> TemplateError? {
        let bytes = Array(text.utf8)
        if bytes.count > maximumLength {
            return TemplateError(part: part, message: "This part is longer than \(maximumLength) bytes; shorten it.")
        }
        if TextCheck.isBlank(text) {
            return TemplateError(part: part, message: "This part is empty; write it, or leave it out.")
        }
        var offset = 0
        for scalar in text.unicodeScalars {
            let allowed = part != .subject && (scalar == "\n" || scalar == "\t" || scalar.value > 0x7F)
            if TextCheck.isControl(scalar), !allowed {
                let (line, column) = TemplateScanner.place(of: offset, in: bytes)
                let message =
                    "A control character or line break (U+\(String(scalar.value, radix: 16))) may not stand here."
                return TemplateError(part: part, line: line, column: column, message: message)
            }
            offset += UTF8.width(scalar)
        }
        return nil
    }

    private func collect(_ nodes: [TemplateNode], into found: inout Set<String>) {
        for node in nodes {
            switch node {
            case .variable(let name): found.insert(scanned.names[name])
            case .section(_, _, let children): collect(children, into: &found)
            }
        }
    }

    private func collectProblems(
        _ nodes: [TemplateNode], _ fields: [String: String], into found: inout [FieldProblem]
    ) {
        for node in nodes {
            switch node {
            case .variable(let index):
                let name = scanned.names[index]
                guard let kind = problem(with: fields[name]) else { continue }
                if !found.contains(where: { $0.name == name }) { found.append(FieldProblem(name: name, kind: kind)) }
            case .section(let index, let inverted, let children):
                let isPresent = !TextCheck.isBlank(fields[scanned.names[index]] ?? "")
                if isPresent != inverted { collectProblems(children, fields, into: &found) }
            }
        }
    }

    private func problem(with value: String?) -> FieldProblem.Kind? {
        guard let value else { return .missing }
        if TextCheck.isBlank(value) { return .empty }
        if TextCheck.hasControl(value, allowingLineBreaks: part != .subject) { return .controlCharacter }
        return value.utf8.contains(UInt8(ascii: "{")) && value.contains("{{") ? .unfilled : nil
    }
}

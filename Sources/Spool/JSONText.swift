package import Mailing

/// As much of JSON as receipts and what is made like them need, for writing only.
package enum JSONText: Sendable {
    case null
    case bool(Bool)
    case number(Int64)
    case string(String)
    case array([JSONText])
    case object([(String, JSONText)])

    /// A string, or null.
    package static func text(_ value: String?) -> JSONText { value.map { .string($0) } ?? .null }

    /// A moment as RFC 3339 text in UTC, or null.
    package static func time(_ value: Timestamp?) -> JSONText { .text(value?.rfc3339) }

    /// A whole number, or null.
    package static func count(_ value: Int?) -> JSONText { value.map { .number(Int64($0)) } ?? .null }

    /// An object of numbers, sorted by their names.
    package static func counts(_ values: [String: Int]) -> JSONText {
        .object(values.sorted { $0.key < $1.key }.map { ($0.key, .number(Int64($0.value))) })
    }

    /// The value as JSON: members in their order, two spaces a level, no line end behind it.
    package var document: String {
        var text = ""
        write(to: &text, indentation: "")
        return text
    }

    private func write(to text: inout String, indentation: String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let value): text += String(value)
        case .string(let value): text += quoted(value)
        case .array(let elements):
            JSONText.write(elements, between: ("[", "]"), to: &text, indentation: indentation) { element, text, inner in
                element.write(to: &text, indentation: inner)
            }
        case .object(let members):
            JSONText.write(members, between: ("{", "}"), to: &text, indentation: indentation) { member, text, inner in
                text += quoted(member.0) + ": "
                member.1.write(to: &text, indentation: inner)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], between brackets: (String, String), to text: inout String, indentation: String,
        _ writeElement: (Element, inout String, String) -> Void
    ) {
        text += brackets.0
        let inner = indentation + "  "
        for (index, element) in elements.enumerated() {
            text += (index == 0 ? "\n" : ",\n") + inner
            writeElement(element, &text, inner)
        }
        if !elements.isEmpty { text += "\n" + indentation }
        text += brackets.1
    }
}

/// A JSON string (RFC 8259 section 7).
private func quoted(_ value: String) -> String {
    var text = "\""
    for scalar in value.unicodeScalars {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\t": text += "\\t"
        case _ where isControl(scalar):
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text + "\""
}

import Mailing

extension Receipt {
    /// The receipt as the bytes of receipt.json: keys in a fixed order, null for what is not known, two spaces a level.
    var document: [UInt8] {
        var members: [(String, JSONText)] = [
            ("job", .text(job)),
            ("kind", .text(kind)),
            ("state", .text(state.rawValue)),
            ("acceptedAt", .text(acceptedAt?.rfc3339)),
            ("errors", .array(errors.map(\.json))),
            ("counts", counts?.json ?? .null),
            ("withheld", .counts(withheld)),
            ("consent", .counts(consent)),
            ("firstSentAt", .text(firstSentAt?.rfc3339)),
            ("lastSentAt", .text(lastSentAt?.rfc3339)),
            ("estimatedFinish", .text(estimatedFinish?.rfc3339)),
            ("pausedBecause", .text(pausedBecause)),
            ("sha256", .text(sha256)),
            ("repeats", .number(Int64(repeats))),
            ("warnings", .array(warnings.map { .text($0) })),
        ]
        if !registered.isEmpty { members.append(("registered", .counts(registered))) }
        if let firstReceipt { members.append(("firstReceipt", .text(firstReceipt))) }
        var text = ""
        JSONText.object(members).write(to: &text, indentation: "")
        return Array((text + "\n").utf8)
    }
}

extension Receipt.Counts {
    fileprivate var json: JSONText {
        .object([
            ("recipients", .number(Int64(recipients))), ("queued", .number(Int64(queued))),
            ("inFlight", .number(Int64(inFlight))), ("sent", .number(Int64(sent))),
            ("bounced", .number(Int64(bounced))), ("uncertain", .number(Int64(uncertain))),
            ("withheld", .number(Int64(withheld))), ("expired", .number(Int64(expired))),
            ("cancelled", .number(Int64(cancelled))),
        ])
    }
}

extension JobError {
    /// File and message always, the others where they apply.
    fileprivate var json: JSONText {
        var members: [(String, JSONText)] = []
        if let pointer { members.append(("pointer", .text(pointer))) }
        if let line { members.append(("line", .number(Int64(line)))) }
        if let column { members.append(("column", .number(Int64(column)))) }
        return .object(members + [("file", .text(file)), ("message", .text(message))])
    }
}

/// As much of JSON as receipts need, for writing only.
private enum JSONText {
    case null
    case number(Int64)
    case string(String)
    case array([JSONText])
    case object([(String, JSONText)])

    static func text(_ value: String?) -> JSONText { value.map { .string($0) } ?? .null }

    static func counts(_ values: [String: Int]) -> JSONText {
        .object(values.sorted { $0.key < $1.key }.map { ($0.key, .number(Int64($0.value))) })
    }

    func write(to text: inout String, indentation: String) {
        switch self {
        case .null: text += "null"
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

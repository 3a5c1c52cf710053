import Foundation
import Mailing
import Spool

/// What `--json` prints: one document, keys in camelCase and sorted.
enum JSONOutput {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// A document that was read, written again.
struct DocumentOutput: Encodable {
    let value: JSONValue

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }

        init?(intValue: Int) { return nil }
    }

    func encode(to encoder: any Encoder) throws {
        switch value.content {
        case .object(let members):
            var container = encoder.container(keyedBy: Key.self)
            for member in members {
                try container.encode(DocumentOutput(value: member.value), forKey: Key(stringValue: member.key))
            }
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements { try container.encode(DocumentOutput(value: element)) }
        default:
            var container = encoder.singleValueContainer()
            switch value.content {
            case .string(let text): try container.encode(text)
            case .boolean(let flag): try container.encode(flag)
            case .number(let number):
                if let whole = value.integer { try container.encode(whole) } else { try container.encode(number) }
            default: try container.encodeNil()
            }
        }
    }
}

/// What became of a drop.
struct DropOutput: Encodable {
    /// The drop as it is called in incoming/.
    let drop: String
    let dropped: Bool
    /// Why it was not dropped.
    let errors: [ErrorOutput]
    let warnings: [String]
    /// Where its answer is; nil as long as there is none.
    var receiptName: String?
    var receipt: DocumentOutput?

    init(drop: String, isDropped: Bool, errors: [JobError], warnings: [String]) {
        self.drop = drop
        dropped = isDropped
        self.errors = errors.map(FaultText.output)
        self.warnings = warnings
    }
}

/// One fault and its place, as receipts have it.
struct ErrorOutput: Encodable {
    let pointer: String?
    let line: Int?
    let column: Int?
    let file: String
    let message: String
}

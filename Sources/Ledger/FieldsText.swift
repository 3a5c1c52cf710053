import Foundation

/// Template fields as the JSON object in which the ledger keeps them.
enum FieldsText {
    /// Written by hand, because it is done for each of a hundred thousand recipients at once.
    static func encode(_ fields: [String: String]) -> String? {
        guard !fields.isEmpty else { return nil }
        var text: [UInt8] = [123]
        for (index, key) in fields.keys.sorted().enumerated() {
            if index > 0 { text.append(44) }
            append(key, to: &text)
            text.append(58)
            append(fields[key] ?? "", to: &text)
        }
        text.append(125)
        return String(decoding: text, as: UTF8.self)
    }

    static func decode(_ text: String?) throws(LedgerError) -> [String: String] {
        guard let text else { return [:] }
        do {
            return try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        } catch {
            throw .storage(reason: "a recipient's fields are not readable: \(error)")
        }
    }

    /// A JSON string (RFC 8259 section 7).
    private static func append(_ value: String, to text: inout [UInt8]) {
        text.append(34)
        for byte in value.utf8 {
            switch byte {
            case 34, 92: text.append(contentsOf: [92, byte])
            case 0..<32: text.append(contentsOf: "\\u00\(hex([byte]))".utf8)
            default: text.append(byte)
            }
        }
        text.append(34)
    }
}

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
        if let fields = decodePlain(text) { return fields }
        do {
            return try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        } catch {
            throw .storage(reason: "a recipient's fields are not readable: \(error)")
        }
    }

    /// What `encode` writes where nothing had to be escaped, which is nearly always; nil for anything else.
    private static func decodePlain(_ text: String) -> [String: String]? {
        var parts: [Substring.UTF8View] = []
        let bytes = text.utf8
        guard bytes.first == 123, bytes.last == 125, !bytes.contains(92) else { return nil }
        var start: String.Index?
        for index in bytes.indices where bytes[index] == 34 {
            if let begin = start {
                parts.append(bytes[begin..<index])
                start = nil
            } else {
                start = bytes.index(after: index)
            }
        }
        let quotes = 4 * parts.count / 2
        let content = parts.reduce(0) { $0 + $1.count }
        // Between the strings stand a colon or a comma each, around them the braces, and nothing else.
        guard start == nil, parts.count % 2 == 0, bytes.count == content + quotes + parts.count + 1 else { return nil }
        var fields: [String: String] = [:]
        for index in stride(from: 0, to: parts.count, by: 2) {
            fields[String(Substring(parts[index]))] = String(Substring(parts[index + 1]))
        }
        return fields
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

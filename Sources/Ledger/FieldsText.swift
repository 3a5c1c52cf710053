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
        let bytes = Array(text.utf8)
        guard bytes.first == 123, !bytes.contains(92) else { return nil }
        var rest = bytes.dropFirst()
        var fields: [String: String] = [:]
        while true {
            guard let key = takeString(&rest), rest.popFirst() == 58, let value = takeString(&rest) else { return nil }
            fields[key] = value
            guard let separator = rest.popFirst() else { return nil }
            if separator == 125 { return rest.isEmpty ? fields : nil }
            guard separator == 44 else { return nil }
        }
    }

    private static func takeString(_ rest: inout ArraySlice<UInt8>) -> String? {
        guard rest.popFirst() == 34, let end = rest.firstIndex(of: 34) else { return nil }
        defer { rest = rest[(end + 1)...] }
        return String(decoding: rest[..<end], as: UTF8.self)
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

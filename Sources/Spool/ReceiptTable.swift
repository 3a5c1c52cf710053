import Mailing

extension RecipientRecord {
    static let header = "address,state,reason,reply,sentAt,messageId,consentEvent\r\n"

    /// Appends the record as one line of CSV (RFC 4180).
    func append(to bytes: inout [UInt8]) {
        let fields: [String?] = [
            address, state, reason, reply, sentAt?.rfc3339, messageID, consentEvent.map { String($0) },
        ]
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            if let field { append(field, to: &bytes) }
        }
        bytes += [13, 10]
    }

    private func append(_ field: String, to bytes: inout [UInt8]) {
        let needsQuotes = field.utf8.contains { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") }
        let clean = String(String.UnicodeScalarView(field.unicodeScalars.map { isControl($0) ? " " : $0 }))
        guard needsQuotes else {
            bytes += clean.utf8
            return
        }
        bytes.append(UInt8(ascii: "\""))
        for byte in clean.utf8 {
            if byte == UInt8(ascii: "\"") { bytes.append(byte) }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

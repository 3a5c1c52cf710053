import Foundation
import TestSupport
import Testing

/// A message as Python's `email` package reads it under a policy that raises on every defect: an independent reader.
struct ReadMail: Decodable {
    struct Part: Decodable {
        let type: String
        let charset: String?
        let encoding: String?
        let disposition: String?
        let fileName: String?
        let content: Data
        var text: String { String(decoding: content, as: UTF8.self) }
    }

    struct Address: Decodable, Equatable {
        let name: String
        let address: String
    }

    let headers: [[String]]
    let addresses: [String: [Address]]
    /// Every entity, the containers first.
    let types: [String]
    /// The leaves in their order.
    let parts: [Part]

    /// The values of a field, in any case of its name.
    subscript(_ name: String) -> [String] {
        headers.filter { $0[0].lowercased() == name.lowercased() }.map { $0[1] }
    }

    init(_ message: [UInt8]) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("message.eml")
        let answer = directory.appendingPathComponent("answer.json")
        try Data(message).write(to: file)
        let result = try runHere(["python3", "-c", Self.script, file.path, answer.path])
        try #require(result.status == 0, "Python refused the message: \(result.errorText)")
        self = try JSONDecoder().decode(ReadMail.self, from: Data(contentsOf: answer))
    }

    private static let script = """
        import base64, email, email.policy, json, sys
        from email.header import decode_header, make_header
        from email.utils import getaddresses
        policy = email.policy.default.clone(raise_on_defect=True)
        message = email.message_from_bytes(open(sys.argv[1], 'rb').read(), policy=policy)
        parts, types = [], []
        for part in message.walk():
            types.append(part.get_content_type())
            if part.is_multipart():
                continue
            parts.append({
                'type': part.get_content_type(), 'charset': part.get_content_charset(),
                'encoding': part['content-transfer-encoding'], 'disposition': part.get_content_disposition(),
                'fileName': part.get_filename(),
                'content': base64.b64encode(part.get_payload(decode=True)).decode()})
        # Python 3.11 keeps the white space between encoded words of a display name in its newer interface.
        raw = email.message_from_bytes(open(sys.argv[1], 'rb').read(), policy=email.policy.compat32)
        addresses = {}
        for name in ('From', 'To', 'Reply-To'):
            if raw[name] is not None:
                addresses[name] = [
                    {'name': str(make_header(decode_header(display))), 'address': address}
                    for display, address in getaddresses(raw.get_all(name))]
        json.dump({
            'headers': [[name, str(value)] for name, value in message.items()],
            'addresses': addresses, 'types': types, 'parts': parts}, open(sys.argv[2], 'w'))
        """
}

/// What every message has to be, whatever is in it (RFC 5321 section 2.3.8, RFC 5322 section 2.1.1, RFC 2045).
func expectFitForAnyRelay(_ message: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(message.allSatisfy { $0 < 0x80 && $0 != 0 }, "8-bit or NUL", sourceLocation: sourceLocation)
    let text = String(decoding: message, as: UTF8.self)
    let lines = text.components(separatedBy: "\r\n")
    #expect(lines.last == "", "does not end in CRLF", sourceLocation: sourceLocation)
    for line in lines {
        #expect(!line.utf8.contains(13) && !line.utf8.contains(10), "bare CR or LF", sourceLocation: sourceLocation)
        #expect(line.utf8.count <= 998, "line too long", sourceLocation: sourceLocation)
    }
    let end = lines.firstIndex(of: "") ?? lines.count
    for line in lines[..<end] where line.contains(" ") && !line.hasPrefix("List-Unsubscribe:") {
        #expect(line.utf8.count <= 78, "header line not folded: \(line)", sourceLocation: sourceLocation)
        #expect(!line.allSatisfy { $0 == " " || $0 == "\t" }, "blank folded line", sourceLocation: sourceLocation)
    }
    for line in lines[end...] where !line.hasPrefix("Content-Type:") {
        #expect(line.utf8.count <= 78, "body line \(line.utf8.count) long: \(line)", sourceLocation: sourceLocation)
    }
}

/// The encoded words in a header value.
func encodedWords(in value: String) -> [String] {
    value.split(whereSeparator: { $0 == " " || $0.isNewline }).map(String.init).filter { $0.hasPrefix("=?") }
}

internal import CGMime
import Glibc

/// The header of an entity as GMime reads it, without its body: nothing in it can be nested. All reading by GMime is
/// here; every object it makes is released before it returns.
struct HeaderBlock {
    /// In their order, the values unfolded.
    let fields: [(name: String, value: String)]
    /// Lower case; `text/plain` where the entity does not say.
    let mediaType: String
    /// Of a multipart entity.
    let boundary: String?
    let reportType: String?

    /// A header is read up to so many bytes.
    static let maximumLength = 65_536
    /// So many fields are kept.
    static let maximumCount = 500
    /// A value is kept up to so many bytes.
    static let maximumValueLength = 8192

    /// Reads a header, which ends before the first empty line.
    ///
    /// - Returns: nil where GMime can make nothing of it.
    init?(_ bytes: ArraySlice<UInt8>) {
        var lines = Array(bytes.prefix(Self.maximumLength))
        lines += "\n\n".utf8
        guard Entity.ready,
            let stream = lines.withUnsafeBytes({ g_mime_stream_mem_new_with_buffer($0.baseAddress, $0.count) })
        else { return nil }
        defer { g_object_unref(stream) }
        guard let parser = g_mime_parser_new_with_stream(stream) else { return nil }
        defer { g_object_unref(parser) }
        guard let object = g_mime_parser_construct_part(parser, nil) else { return nil }
        defer { g_object_unref(object) }
        fields = Self.fields(object)
        guard let type = g_mime_object_get_content_type(object) else { return nil }
        let media = Self.text(g_mime_content_type_get_media_type(type)) ?? "text"
        let subtype = Self.text(g_mime_content_type_get_media_subtype(type)) ?? "plain"
        mediaType = "\(media)/\(subtype)".lowercased()
        boundary = Self.text(g_mime_content_type_get_parameter(type, "boundary"))
        reportType = Self.text(g_mime_content_type_get_parameter(type, "report-type"))?.lowercased()
    }

    /// The values of a field, its name in any case.
    func values(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    private static func fields(_ object: UnsafeMutablePointer<GMimeObject>) -> [(name: String, value: String)] {
        guard let list = g_mime_object_get_header_list(object) else { return [] }
        let count = min(Int(g_mime_header_list_get_count(list)), maximumCount)
        var found: [(name: String, value: String)] = []
        for index in 0..<count {
            guard let header = g_mime_header_list_get_header_at(list, gint(index)),
                let name = text(g_mime_header_get_name(header)), let raw = g_mime_header_get_raw_value(header)
            else { continue }
            found.append((name, unfolded(raw)))
        }
        return found
    }

    private static func unfolded(_ raw: UnsafePointer<CChar>) -> String {
        let length = strnlen(raw, maximumValueLength)
        let bytes = UnsafeRawBufferPointer(start: raw, count: length).filter { $0 != 10 && $0 != 13 }
        return TextCheck.trim(String(decoding: bytes, as: UTF8.self))
    }

    private static func text(_ value: UnsafePointer<CChar>?) -> String? {
        value.map { String(cString: $0) }
    }

    /// A body without its transfer encoding; as it is where the encoding is not known (RFC 2045 section 6).
    static func decoded(_ body: ArraySlice<UInt8>, encoding: String?) -> [UInt8] {
        let kind = encoding.map { g_mime_content_encoding_from_string($0) } ?? GMIME_CONTENT_ENCODING_DEFAULT
        guard kind == GMIME_CONTENT_ENCODING_BASE64 || kind == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE else {
            return Array(body)
        }
        var state = GMimeEncoding()
        g_mime_encoding_init_decode(&state, kind)
        let room = g_mime_encoding_outlen(&state, body.count)
        return [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            body.withUnsafeBytes { source in
                let input = source.bindMemory(to: CChar.self).baseAddress
                buffer.withMemoryRebound(to: CChar.self) { output in
                    count = g_mime_encoding_step(&state, input, source.count, output.baseAddress)
                }
            }
        }
    }
}

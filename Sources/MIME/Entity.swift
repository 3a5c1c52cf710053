internal import CGMime

/// A MIME entity as bytes: its header fields, an empty line, its body. Lines end in CRLF, no byte has its eighth bit
/// set. All writing by GMime is here; every object it makes is released before it returns.
enum Entity {
    /// GMime would not write; there is no memory, or the library is not the one this was built with.
    struct Failure: Error {
        let sentence: String
    }

    /// GMime sets itself up once; a second call at the same time is not safe, the use of it afterwards is.
    static let ready: Bool = {
        g_mime_init()
        return true
    }()

    /// A text part in UTF-8, quoted-printable or base64, whichever is shorter.
    ///
    /// - Parameter text: lines ending in LF.
    static func text(_ text: String, subtype: String) throws(Failure) -> [UInt8] {
        let special = text.utf8.reduce(0) { $0 + ($1 >= 0x80 ? 1 : 0) }
        if special * 2 <= text.utf8.count / 3 {
            return guardingFromLines(
                try write(
                    Array(text.utf8), type: "text", subtype: subtype, charset: true,
                    GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE))
        }
        var canonical: [UInt8] = []
        canonical.reserveCapacity(text.utf8.count + 64)
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\n") { canonical.append(UInt8(ascii: "\r")) }
            canonical.append(byte)
        }
        return try write(canonical, type: "text", subtype: subtype, charset: true, GMIME_CONTENT_ENCODING_BASE64)
    }

    /// A file in base64, with its name as RFC 2231 writes it.
    static func attachment(_ content: [UInt8], name: String) throws(Failure) -> [UInt8] {
        let media = MediaType(fileName: name)
        let isUnicodeText = media.type == "text" && String(validating: content, as: UTF8.self) != nil
        return try write(
            content, type: media.type, subtype: media.subtype, charset: isUnicodeText, GMIME_CONTENT_ENCODING_BASE64,
            fileName: name)
    }

    /// Puts entities into one (RFC 2046 section 5.1). The parts are copied as they are: an attachment is encoded once
    /// a campaign, not once a message.
    ///
    /// - Parameter boundary: begins with `=_`, which neither quoted-printable nor base64 can produce.
    static func multipart(_ subtype: String, boundary: String, parts: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(parts.reduce(200) { $0 + $1.count + boundary.utf8.count + 8 })
        bytes += "Content-Type: multipart/\(subtype);\r\n boundary=\"\(boundary)\"\r\n\r\n".utf8
        for part in parts {
            bytes += "--\(boundary)\r\n".utf8
            bytes += part
            bytes += "\r\n".utf8
        }
        bytes += "--\(boundary)--\r\n".utf8
        return bytes
    }

    /// A date as RFC 5322 section 3.3 writes it, in UTC with English names; nil when it is outside the calendar.
    static func date(milliseconds: Int64) -> String? {
        let seconds = milliseconds / 1000 - (milliseconds % 1000 < 0 ? 1 : 0)
        guard ready, let date = g_date_time_new_from_unix_utc(gint64(seconds)) else { return nil }
        defer { g_date_time_unref(date) }
        guard g_date_time_get_year(date) >= 1970, let text = g_mime_utils_header_format_date(date) else { return nil }
        defer { g_free(text) }
        return String(cString: text)
    }

    /// Writes the first letter of a line that begins with `From ` as `=46`, so that no mailbox file on the way puts a
    /// `>` before it (RFC 2049 section 3).
    private static func guardingFromLines(_ entity: [UInt8]) -> [UInt8] {
        let wanted = Array("\r\nFrom ".utf8)
        var result: [UInt8] = []
        result.reserveCapacity(entity.count + 64)
        var index = 0
        while index < entity.count {
            guard entity[index] == wanted[0], entity[index...].starts(with: wanted) else {
                result.append(entity[index])
                index += 1
                continue
            }
            let start = index + 2
            let end = entity[start...].firstIndex(of: wanted[0]) ?? entity.count
            // Two characters more must not make the line longer than 76 (RFC 2045 section 6.7).
            result += (end - start > 74 ? "\r\n=46rom=\r\n " : "\r\n=46rom ").utf8
            index += wanted.count
        }
        return result
    }

    private static func write(
        _ content: [UInt8], type: String, subtype: String, charset: Bool, _ encoding: GMimeContentEncoding,
        fileName: String? = nil
    ) throws(Failure) -> [UInt8] {
        let failure = Failure(sentence: "GMime could not write a \(type)/\(subtype) part.")
        guard ready, let part = g_mime_part_new_with_type(type, subtype) else { throw failure }
        defer { g_object_unref(part) }
        let object = UnsafeMutableRawPointer(part).assumingMemoryBound(to: GMimeObject.self)
        if let fileName {
            g_mime_object_set_disposition(object, "attachment")
            g_mime_part_set_filename(part, fileName)
        }
        if charset {
            g_mime_object_set_content_type_parameter(object, "charset", "utf-8")
        }
        guard let source = content.withUnsafeBytes({ g_mime_stream_mem_new_with_buffer($0.baseAddress, $0.count) })
        else { throw failure }
        defer { g_object_unref(source) }
        guard let wrapper = g_mime_data_wrapper_new_with_stream(source, GMIME_CONTENT_ENCODING_DEFAULT) else {
            throw failure
        }
        defer { g_object_unref(wrapper) }
        g_mime_part_set_content(part, wrapper)
        g_mime_part_set_content_encoding(part, encoding)

        guard let options = g_mime_format_options_new() else { throw failure }
        defer { g_mime_format_options_free(options) }
        g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS)
        guard let target = g_mime_stream_mem_new() else { throw failure }
        defer { g_object_unref(target) }
        guard g_mime_object_write_to_stream(object, options, target) >= 0 else { throw failure }
        let memory = UnsafeMutableRawPointer(target).assumingMemoryBound(to: GMimeStreamMem.self)
        guard let written = g_mime_stream_mem_get_byte_array(memory), let data = written.pointee.data else {
            throw failure
        }
        return Array(UnsafeBufferPointer(start: data, count: Int(written.pointee.len)))
    }
}

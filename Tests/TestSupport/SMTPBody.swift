import Glibc

/// Collects what follows a 354 until CRLF "." CRLF, byte for byte.
struct SMTPBody {
    /// The CRLF that ended the DATA command, so that a dot on the first line is found too; then the body as sent.
    private var received: [UInt8] = [13, 10]

    /// Bytes so far, dot stuffing included.
    var count: Int { received.count - 2 }

    /// What was sent so far, as it came.
    var raw: [UInt8] { Array(received.dropFirst(2)) }

    /// Takes more bytes. Returns nil until the dot has come, then what was sent after it.
    mutating func append(_ bytes: [UInt8]) -> [UInt8]? {
        let searchFrom = received.count
        received.append(contentsOf: bytes)
        var position = searchFrom
        while let end = received.position(of: 10, from: position) {
            if end >= 4, received[end - 4] == 13, received[end - 3] == 10, received[end - 2] == 46,
                received[end - 1] == 13
            {
                let rest = Array(received[(end + 1)...])
                received.removeSubrange((end - 2)...)
                return rest
            }
            position = end + 1
        }
        return nil
    }

    /// The message with dot stuffing undone, and what was wrong with its lines.
    func unstuffed(eightBitAllowed: Bool) -> (data: [UInt8], violations: [String]) {
        let source = raw
        var data: [UInt8] = []
        data.reserveCapacity(source.count)
        var violations: [String] = []
        func note(_ text: String) {
            if violations.count < 20 && !violations.contains(text) { violations.append(text) }
        }
        var start = 0
        while start < source.count {
            let lineFeed = source.position(of: 10, from: start)
            let next = lineFeed.map { $0 + 1 } ?? source.count
            let crlf = lineFeed.map { $0 > start && source[$0 - 1] == 13 } ?? false
            let contentEnd = crlf ? next - 2 : (lineFeed ?? source.count)
            if lineFeed == nil {
                note("the body does not end in CRLF")
            } else if !crlf {
                note("a bare LF in the body")
            }
            if let carriage = source.position(of: 13, from: start), carriage < contentEnd {
                note("a bare CR in the body")
            }
            if contentEnd - start > 998 + (source[start] == 46 ? 1 : 0) {
                note("a line of the body is longer than 998 octets")
            }
            if source[start] == 46 {
                if contentEnd - start < 2 || source[start + 1] != 46 {
                    note("a line begins with a dot that is not stuffed")
                }
                start += 1
            }
            data.append(contentsOf: source[start..<next])
            start = next
        }
        if source.position(of: 0, from: 0) != nil { note("a NUL in the body") }
        if !eightBitAllowed, source.hasEightBitBytes { note("8-bit bytes without BODY=8BITMIME") }
        return (data, violations)
    }
}

extension [UInt8] {
    /// The first place of `byte` at or after `from`; quick in debug builds too.
    func position(of byte: UInt8, from: Int) -> Int? {
        guard from < count else { return nil }
        return withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return nil }
            guard let found = memchr(base + from, Int32(byte), raw.count - from) else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Whether any byte has its high bit set; looks at eight at a time, since debug builds are slow at single ones.
    var hasEightBitBytes: Bool {
        withUnsafeBytes { raw in
            var offset = 0
            while offset + 8 <= raw.count {
                if raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 {
                    return true
                }
                offset += 8
            }
            while offset < raw.count {
                if raw[offset] > 127 { return true }
                offset += 1
            }
            return false
        }
    }
}

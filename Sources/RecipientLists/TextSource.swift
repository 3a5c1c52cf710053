/// The bytes that CSV gives a meaning to, and some that a reader has to know.
enum Byte {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let comma: UInt8 = 0x2C
    static let semicolon: UInt8 = 0x3B
    static let delete: UInt8 = 0x7F
    /// Leads U+0080 to U+00BF in UTF-8: the C1 control characters and the no-break space.
    static let latinLead: UInt8 = 0xC2
}

/// A list file as UTF-8, a chunk at a time, whatever it is written in.
struct TextSource: ~Copyable {
    private let file: ListFile
    private let decision: EncodingDecision
    private var offset: Int
    private var chunk: [UInt8]
    private var pendingHighSurrogate: UInt32?

    /// Decides on the encoding, which reads the whole file.
    init(path: String) throws(ListError) {
        let file = try ListFile(path: path)
        decision = try EncodingDecision.decide(file)
        self.file = file
        offset = decision.start
        chunk = [UInt8](repeating: 0, count: ListLimit.chunk)
    }

    /// The most that one call of `append` can add, in bytes.
    static let longestAppend = 3 * ListLimit.chunk

    var bufferCapacity: Int { chunk.capacity }

    mutating func rewind() {
        offset = decision.start
        pendingHighSurrogate = nil
    }

    /// Appends the next chunk to `text`; adds nothing only at the end of the file.
    mutating func append(to text: inout [UInt8]) throws(ListError) {
        let count = try file.read(into: &chunk, at: offset)
        offset += count
        switch decision.encoding {
        case .utf8:
            text.append(contentsOf: chunk[..<count])
        case .windows1252:
            for byte in chunk[..<count] {
                Self.append(Self.windows1252(byte), to: &text)
            }
        case .utf16LittleEndian:
            appendUTF16(count, low: 0, to: &text)
        case .utf16BigEndian:
            appendUTF16(count, low: 1, to: &text)
        }
    }

    /// A chunk of UTF-16 holds whole code units, since its size is even and so is the length of the file.
    private mutating func appendUTF16(_ count: Int, low: Int, to text: inout [UInt8]) {
        for index in stride(from: 0, to: count - 1, by: 2) {
            let unit = UInt32(chunk[index + low]) | UInt32(chunk[index + 1 - low]) << 8
            if let high = pendingHighSurrogate {
                Self.append(0x10000 + (high - 0xD800) << 10 + (unit & 0x3FF), to: &text)
                pendingHighSurrogate = nil
            } else if unit & 0xFC00 == 0xD800 {
                pendingHighSurrogate = unit
            } else {
                Self.append(unit, to: &text)
            }
        }
    }

    private static func append(_ scalar: UInt32, to text: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(scalar >> shift & 0x3F) }
        switch scalar {
        case 0..<0x80:
            text.append(UInt8(scalar))
        case 0x80..<0x800:
            text.append(0xC0 | UInt8(scalar >> 6))
            text.append(tail(0))
        case 0x800..<0x10000:
            text.append(0xE0 | UInt8(scalar >> 12))
            text.append(tail(6))
            text.append(tail(0))
        default:
            text.append(0xF0 | UInt8(scalar >> 18 & 0x07))
            text.append(tail(12))
            text.append(tail(6))
            text.append(tail(0))
        }
    }

    /// The five bytes that Windows-1252 leaves open become C1 control characters, which no value may hold.
    private static func windows1252(_ byte: UInt8) -> UInt32 {
        (0x80..<0xA0).contains(byte) ? upperControls[Int(byte) - 0x80] : UInt32(byte)
    }

    private static let upperControls: [UInt32] = [
        0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
        0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
        0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
        0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
    ]
}

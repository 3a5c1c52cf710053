/// How the characters of a list are written. Decided once, over the whole file, before the first row is read.
enum TextEncoding: Sendable, Equatable {
    case utf8
    case utf16LittleEndian
    case utf16BigEndian
    case windows1252
}

/// The encoding of a file and where its text begins.
struct EncodingDecision: Equatable {
    var encoding: TextEncoding
    /// Bytes of the byte order mark.
    var start: Int

    /// Reads the file once. A byte order mark is believed, and what follows has to agree with it. Without one the text
    /// is UTF-8 if all of it is valid UTF-8, otherwise Windows-1252; UTF-16 only if its beginning leaves no doubt.
    ///
    /// A file in which most of the characters beyond ASCII are valid UTF-8 and some are not was put together from two
    /// encodings: either reading would spoil names, so it is refused.
    static func decide(_ file: borrowing ListFile) throws(ListError) -> EncodingDecision {
        var chunk = [UInt8](repeating: 0, count: ListLimit.chunk)
        let head = chunk[..<(try file.read(into: &chunk, at: 0))]
        if head.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
            throw ListError(
                message: "the list is an Excel workbook or another ZIP file; save it as CSV (UTF-8) and drop it again")
        }
        if head.starts(with: [0xEF, 0xBB, 0xBF]) {
            let survey = try UTF8Survey(of: file, from: 3)
            guard let offset = survey.firstInvalid else { return EncodingDecision(encoding: .utf8, start: 3) }
            throw try mixed(file, offset)
        }
        if head.starts(with: [0xFF, 0xFE]) {
            return try utf16(file, .utf16LittleEndian, start: 2)
        }
        if head.starts(with: [0xFE, 0xFF]) {
            return try utf16(file, .utf16BigEndian, start: 2)
        }
        if looksLikeUTF16LittleEndian(head) {
            return try utf16(file, .utf16LittleEndian, start: 0)
        }
        let survey = try UTF8Survey(of: file, from: 0)
        guard let offset = survey.firstInvalid else { return EncodingDecision(encoding: .utf8, start: 0) }
        guard survey.sequences <= survey.invalid else { throw try mixed(file, offset) }
        return EncodingDecision(encoding: .windows1252, start: 0)
    }

    /// At least two characters, nearly all with a zero high byte, and no zero low byte: no text in UTF-8 or
    /// Windows-1252 has this shape.
    private static func looksLikeUTF16LittleEndian(_ head: ArraySlice<UInt8>) -> Bool {
        let sample = head.prefix(1024)
        let units = sample.count / 2
        guard units >= 2, sample[1] == 0, sample[3] == 0 else { return false }
        var zeroHigh = 0
        for unit in 0..<units {
            if sample[2 * unit] == 0 && sample[2 * unit + 1] == 0 { return false }
            if sample[2 * unit + 1] == 0 { zeroHigh += 1 }
        }
        return zeroHigh * 10 >= units * 9
    }

    private static func utf16(
        _ file: borrowing ListFile, _ encoding: TextEncoding, start: Int
    ) throws(ListError) -> EncodingDecision {
        var chunk = [UInt8](repeating: 0, count: ListLimit.chunk)
        var offset = start
        var awaitsLowSurrogate = false
        let high = encoding == .utf16LittleEndian ? 1 : 0
        while true {
            let count = try file.read(into: &chunk, at: offset)
            var isValid = count % 2 == 0
            for index in stride(from: 0, to: count - 1, by: 2) {
                let surrogate = chunk[index + high] & 0xFC
                if awaitsLowSurrogate != (surrogate == 0xDC) { isValid = false }
                awaitsLowSurrogate = surrogate == 0xD8
            }
            if count < chunk.count && awaitsLowSurrogate { isValid = false }
            guard isValid else {
                throw ListError(
                    message: "the list is written in UTF-16 but is damaged within the \(ListLimit.chunk) bytes from "
                        + "byte \(offset) on; save it again as CSV (UTF-8)")
            }
            if count < chunk.count { return EncodingDecision(encoding: encoding, start: start) }
            offset += count
        }
    }

    private static func mixed(_ file: borrowing ListFile, _ offset: Int) throws(ListError) -> ListError {
        ListError(
            line: try lineNumber(in: file, at: offset),
            message: "this line is not valid UTF-8 although the list is written in UTF-8; "
                + "save the whole list in one encoding")
    }

    /// The line that holds the byte at `target`, in an encoding in which ASCII is one byte.
    private static func lineNumber(in file: borrowing ListFile, at target: Int) throws(ListError) -> Int {
        var chunk = [UInt8](repeating: 0, count: ListLimit.chunk)
        var line = 1
        var offset = 0
        var previous: UInt8 = 0
        while offset < target {
            let count = min(try file.read(into: &chunk, at: offset), target - offset)
            guard count > 0 else { break }
            for byte in chunk[..<count] {
                if byte == Byte.carriageReturn || (byte == Byte.lineFeed && previous != Byte.carriageReturn) {
                    line += 1
                }
                previous = byte
            }
            offset += count
        }
        return line
    }
}

/// Counts what is valid UTF-8 in a file and what is not (RFC 3629 section 4: no overlong forms, no surrogates).
private struct UTF8Survey {
    /// Valid sequences of more than one byte.
    var sequences = 0
    var invalid = 0
    /// Bytes from the beginning of the file.
    var firstInvalid: Int?

    private var missing = 0
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    init(of file: borrowing ListFile, from start: Int) throws(ListError) {
        var chunk = [UInt8](repeating: 0, count: ListLimit.chunk)
        var offset = start
        while true {
            let count = try file.read(into: &chunk, at: offset)
            take(chunk, count, offset)
            offset += count
            if count < chunk.count { break }
        }
        if missing > 0 { refuse(offset - 1) }
    }

    private mutating func take(_ bytes: [UInt8], _ count: Int, _ offset: Int) {
        var index = 0
        while index < count {
            if missing == 0 {
                index = Self.endOfASCII(bytes, from: index, to: count)
                guard index < count else { return }
            }
            let byte = bytes[index]
            if missing == 0 {
                begin(byte, offset + index)
            } else if byte >= lowest && byte <= highest {
                missing -= 1
                (lowest, highest) = (0x80, 0xBF)
                if missing == 0 { sequences += 1 }
            } else {
                refuse(offset + index)
                continue  // The byte may begin a sequence of its own.
            }
            index += 1
        }
    }

    private mutating func begin(_ byte: UInt8, _ offset: Int) {
        switch byte {
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lowest) = (2, 0xA0)
        case 0xE1...0xEC, 0xEE...0xEF: missing = 2
        case 0xED: (missing, highest) = (2, 0x9F)
        case 0xF0: (missing, lowest) = (3, 0x90)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, highest) = (3, 0x8F)
        default: refuse(offset)
        }
    }

    private mutating func refuse(_ offset: Int) {
        invalid += 1
        firstInvalid = firstInvalid ?? offset
        missing = 0
        (lowest, highest) = (0x80, 0xBF)
    }

    private static func endOfASCII(_ bytes: [UInt8], from start: Int, to end: Int) -> Int {
        bytes.withUnsafeBytes { raw in
            var index = start
            while index + 8 <= end,
                raw.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                index += 8
            }
            while index < end, raw[index] < 0x80 { index += 1 }
            return index
        }
    }
}

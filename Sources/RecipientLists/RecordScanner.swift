/// Finds the records and fields of CSV (RFC 4180) in a window that slides over the text.
///
/// Beyond the RFC: any single separator; CR LF, LF and CR as line ends; empty lines are skipped; a quotation mark
/// inside an unquoted field is that character. A quoted field that goes wrong costs its own line only: reading goes on
/// at the line after the one on which its quotation mark opened, so a mark that is never closed swallows nothing.
struct RecordScanner: ~Copyable {
    /// A field's bytes in the record, without its quotation marks.
    struct Field {
        var start: Int
        var end: Int
        var hasDoubledQuotes = false
    }

    enum Outcome {
        /// The fields are in the scanner until the next call.
        case record
        /// A record whose extent is known but which holds something that no value may hold.
        case unfit(RecordFault)
        /// A record that has no fields; `text` is its beginning.
        case broken(RecordFault, text: String)
        case end
    }

    private enum FieldEnd {
        case separator
        case record
        case broken(RecordFault, text: String)
    }

    var separator = Byte.comma {
        didSet { stops = Self.stops(separator) }
    }
    /// The physical lines on which the current record begins and ends.
    private(set) var recordLine = 1
    private(set) var recordLastLine = 1
    private(set) var fields: [Field] = []

    private var source: TextSource
    private var window: [UInt8] = []
    private var recordStart = 0
    private var recordEnd = 0
    private var cursor = 0
    private var line = 1
    private var defect: RecordFault?
    private var stops: [UInt8]

    private static let stopsUnquoted: UInt8 = 1
    private static let stopsQuoted: UInt8 = 2

    init(path: String) throws(ListError) {
        source = try TextSource(path: path)
        stops = Self.stops(separator)
        window.reserveCapacity(ListLimit.record + ListLimit.chunk + TextSource.longestAppend)
    }

    /// Bytes that the buffers hold, whatever the size of the file.
    var bufferCapacity: Int { window.capacity + source.bufferCapacity }

    /// At the beginning of the text: takes the separator from its first lines.
    mutating func findSeparator() throws(ListError) {
        while window.count < ListLimit.record {
            guard try refill() else { break }
        }
        let found = Separator(in: window)
        separator = found.byte
        if found.isDeclared { try skipLine() }
    }

    /// Back to the beginning of the file.
    mutating func rewind() {
        source.rewind()
        window.removeAll(keepingCapacity: true)
        (recordStart, recordEnd, cursor) = (0, 0, 0)
        (line, recordLine, recordLastLine) = (1, 1, 1)
    }

    // MARK: Records

    mutating func next() throws(ListError) -> Outcome {
        fields.removeAll(keepingCapacity: true)
        defect = nil
        guard try skipEmptyLines() else { return .end }
        while true {
            if fields.count == ListLimit.columns {
                let text = excerpt(to: cursor)
                try skipLine()
                return .broken(.tooManyColumns, text: text)
            }
            switch try scanField() {
            case .separator: continue
            case .record: return defect.map { .unfit($0) } ?? .record
            case .broken(let fault, let text): return .broken(fault, text: text)
            }
        }
    }

    /// Begins a record at the next line that is not empty; false at the end of the text.
    private mutating func skipEmptyLines() throws(ListError) -> Bool {
        recordStart = cursor
        while try hasByte() {
            guard Self.isLineBreak(window[cursor]) else {
                recordLine = line
                return true
            }
            try passLineBreak()
            recordStart = cursor
        }
        return false
    }

    private mutating func scanField() throws(ListError) -> FieldEnd {
        if try hasByte(), window[cursor] == Byte.quote { return try scanQuotedField() }
        let start = cursor - recordStart
        while true {
            run(to: Self.stopsUnquoted)
            if let fault = excess(from: start) {
                let text = excerpt(to: cursor)
                try skipLine()
                return .broken(fault, text: text)
            }
            if cursor == window.count {
                if try refill() { continue }
                return endField(from: start, at: .record)
            }
            switch window[cursor] {
            case separator:
                defer { cursor += 1 }
                return endField(from: start, at: .separator)
            case Byte.lineFeed, Byte.carriageReturn:
                let end = endField(from: start, at: .record)
                try passLineBreak()
                return end
            case Byte.quote:
                if isBlank(recordStart + start..<cursor) { note(.quoteAfterSpace(column: fields.count)) }
                cursor += 1
            default:
                try passControl()
            }
        }
    }

    private mutating func scanQuotedField() throws(ListError) -> FieldEnd {
        let open = cursor - recordStart
        let openLine = line
        var hasDoubledQuotes = false
        cursor += 1
        while true {
            run(to: Self.stopsQuoted)
            if let fault = excess(from: open + 1) { return try unwind(to: open, openLine, fault) }
            if cursor == window.count {
                if try refill() { continue }
                return try unwind(to: open, openLine, .unclosedQuote(column: fields.count, line: openLine))
            }
            switch window[cursor] {
            case Byte.quote:
                if try following() == Byte.quote {
                    hasDoubledQuotes = true
                    cursor += 2
                    continue
                }
                let end = cursor - recordStart
                cursor += 1
                guard let last = try endOfQuotedField() else {
                    return try unwind(to: open, openLine, .textAfterQuote(column: fields.count))
                }
                fields.append(Field(start: open + 1, end: end, hasDoubledQuotes: hasDoubledQuotes))
                return last
            case Byte.lineFeed, Byte.carriageReturn:
                try passLineBreak()
            default:
                try passControl()
            }
        }
    }

    /// Passes what may follow a closing quotation mark; nil if something else is there.
    private mutating func endOfQuotedField() throws(ListError) -> FieldEnd? {
        recordEnd = cursor - recordStart
        recordLastLine = line
        guard try hasByte() else { return .record }
        if window[cursor] == separator {
            cursor += 1
            return .separator
        }
        guard Self.isLineBreak(window[cursor]) else { return nil }
        try passLineBreak()
        return .record
    }

    private mutating func endField(from start: Int, at end: FieldEnd) -> FieldEnd {
        recordEnd = cursor - recordStart
        recordLastLine = line
        fields.append(Field(start: start, end: recordEnd))
        return end
    }

    /// Gives the record up, and goes on behind the line on which its field's quotation mark opened.
    private mutating func unwind(
        to open: Int, _ openLine: Int, _ fault: RecordFault
    ) throws(ListError) -> FieldEnd {
        // The excerpt is the same wherever a chunk ends.
        while window.count - recordStart <= Excerpt.longest,
            !window[(recordStart + open)...].contains(where: Self.isLineBreak), try refill()
        {}
        let quote = recordStart + open
        let lineEnd = window[quote...].firstIndex(where: Self.isLineBreak) ?? window.count
        let text = excerpt(to: lineEnd)
        (cursor, line) = (quote, openLine)
        try skipLine()
        return .broken(fault, text: text)
    }

    private func excess(from start: Int) -> RecordFault? {
        if cursor - recordStart - start > ListLimit.field { return .fieldTooLong(column: fields.count) }
        return cursor - recordStart > ListLimit.record ? .recordTooLong : nil
    }

    // MARK: Bytes

    private mutating func run(to stop: UInt8) {
        var index = cursor
        let end = window.count
        while index < end, stops[Int(window[index])] & stop == 0 { index += 1 }
        cursor = index
    }

    /// Passes one byte that is a control character or may begin one, and remembers the first that is.
    private mutating func passControl() throws(ListError) {
        let byte = window[cursor]
        if byte == Byte.latinLead {
            if let next = try following(), next < 0xA0 {
                note(.controlCharacter(column: fields.count, value: next))
            }
        } else {
            note(.controlCharacter(column: fields.count, value: byte))
        }
        cursor += 1
    }

    private mutating func note(_ fault: RecordFault) {
        defect = defect ?? fault
    }

    private mutating func passLineBreak() throws(ListError) {
        let isPair = window[cursor] == Byte.carriageReturn ? try following() == Byte.lineFeed : false
        cursor += isPair ? 2 : 1
        line += 1
    }

    private mutating func skipLine() throws(ListError) {
        while true {
            if let lineEnd = window[cursor...].firstIndex(where: Self.isLineBreak) {
                cursor = lineEnd
                return try passLineBreak()
            }
            cursor = window.count
            recordStart = cursor
            guard try refill() else { return }
        }
    }

    /// Whether a byte is at the cursor; false at the end of the text.
    private mutating func hasByte() throws(ListError) -> Bool {
        if cursor < window.count { return true }
        return try refill()
    }

    /// The byte after the cursor.
    private mutating func following() throws(ListError) -> UInt8? {
        if cursor + 1 == window.count {
            guard try refill() else { return nil }
        }
        return window[cursor + 1]
    }

    /// Forgets what lies before the record and appends the next chunk; false at the end of the text.
    private mutating func refill() throws(ListError) -> Bool {
        window.removeSubrange(..<recordStart)
        cursor -= recordStart
        recordStart = 0
        let count = window.count
        try source.append(to: &window)
        return window.count > count
    }

    static func isLineBreak(_ byte: UInt8) -> Bool {
        byte == Byte.lineFeed || byte == Byte.carriageReturn
    }

    private static func stops(_ separator: UInt8) -> [UInt8] {
        var stops = [UInt8](repeating: 0, count: 256)
        for control in 0..<0x20 { stops[control] = stopsUnquoted | stopsQuoted }
        stops[Int(Byte.delete)] = stopsUnquoted | stopsQuoted
        stops[Int(Byte.latinLead)] = stopsUnquoted | stopsQuoted
        stops[Int(Byte.quote)] = stopsUnquoted | stopsQuoted
        stops[Int(Byte.tab)] = stopsUnquoted
        stops[Int(separator)] |= stopsUnquoted
        return stops
    }
}

// MARK: What the current record says

extension RecordScanner {
    /// The value of a field without surrounding white space; "" if the record is too short to have it.
    func value(_ column: Int) -> String {
        guard column < fields.count else { return "" }
        let field = fields[column]
        let range = trimmed(recordStart + field.start..<recordStart + field.end)
        guard field.hasDoubledQuotes else { return String(decoding: window[range], as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            bytes.append(window[index])
            index += window[index] == Byte.quote ? 2 : 1
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether the field is missing or empty but for white space.
    func isEmpty(_ column: Int) -> Bool {
        guard column < fields.count else { return true }
        let field = fields[column]
        return trimmed(recordStart + field.start..<recordStart + field.end).isEmpty
    }

    /// Whether the record holds nothing but separators, white space and empty quoted fields.
    var isBlankRecord: Bool {
        window[recordStart..<recordStart + recordEnd].allSatisfy { byte in
            byte == separator || byte == Byte.space || byte == Byte.tab || byte == Byte.quote
        }
    }

    /// The beginning of the record.
    var excerpt: String { excerpt(to: recordStart + recordEnd) }

    private func excerpt(to end: Int) -> String {
        Excerpt.of(window[recordStart..<end])
    }

    private func isBlank(_ range: Range<Int>) -> Bool {
        window[range].allSatisfy { $0 == Byte.space || $0 == Byte.tab }
    }

    /// Without the spaces, tabs, line breaks and no-break spaces at both ends.
    private func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end {
            if Self.isSpace(window[start]) {
                start += 1
            } else if end - start > 1, window[start] == Byte.latinLead, window[start + 1] == 0xA0 {
                start += 2
            } else {
                break
            }
        }
        while start < end {
            if Self.isSpace(window[end - 1]) {
                end -= 1
            } else if end - start > 1, window[end - 1] == 0xA0, window[end - 2] == Byte.latinLead {
                end -= 2
            } else {
                break
            }
        }
        return start..<end
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == Byte.space || byte == Byte.tab || byte == Byte.lineFeed || byte == Byte.carriageReturn
    }
}

/// Why a record cannot be read. Columns count from 0.
enum RecordFault: Equatable {
    case textAfterQuote(column: Int)
    case unclosedQuote(column: Int, line: Int)
    case quoteAfterSpace(column: Int)
    case controlCharacter(column: Int, value: UInt8)
    case fieldTooLong(column: Int)
    case recordTooLong
    case tooManyColumns

    /// A sentence for the person who made the list.
    /// - Parameter columns: the header's names, as far as they are known.
    func message(columns: [String]) -> String {
        switch self {
        case .textAfterQuote(let column):
            return "\(Self.place(column, columns)) has text after its closing quotation mark; "
                + "a quotation mark inside a quoted value has to be doubled"
        case .unclosedQuote(let column, let line):
            return "the quotation mark that opens \(Self.place(column, columns)) on line \(line) is never closed"
        case .quoteAfterSpace(let column):
            return "\(Self.place(column, columns)) has white space before its opening quotation mark; remove it"
        case .controlCharacter(let column, let value):
            let digits = String(value, radix: 16, uppercase: true)
            let code = String(repeating: "0", count: 4 - digits.count) + digits
            return "\(Self.place(column, columns)) contains the control character U+\(code); remove it"
        case .fieldTooLong(let column):
            return "\(Self.place(column, columns)) is longer than \(ListLimit.field) bytes; "
                + "a closing quotation mark may be missing"
        case .recordTooLong:
            return "the row is longer than \(ListLimit.record) bytes; a closing quotation mark may be missing"
        case .tooManyColumns:
            return "the row has more than \(ListLimit.columns) columns"
        }
    }

    private static func place(_ column: Int, _ columns: [String]) -> String {
        guard column < columns.count, !columns[column].isEmpty else { return "column \(column + 1)" }
        return "column \(column + 1) (\(Excerpt.of(columns[column].utf8)))"
    }
}

/// Text of a list as it may be shown in a receipt or a journal.
enum Excerpt {
    /// Bytes that an excerpt is made from at most: four a scalar, and one scalar more to see whether something is left.
    static let longest = 4 * (ListLimit.excerpt + 1)

    /// The beginning of `bytes`, UTF-8, at most `ListLimit.excerpt` Unicode scalars long, with control and format
    /// characters escaped.
    static func of(_ bytes: some Sequence<UInt8>) -> String {
        let beginning = Array(bytes.prefix(longest))
        var text = String.UnicodeScalarView()
        var count = 0
        for scalar in String(decoding: beginning, as: UTF8.self).unicodeScalars {
            let escaped = isPlain(scalar) ? "" : scalar.escaped(asASCII: true)
            count += max(1, escaped.utf8.count)
            guard count < ListLimit.excerpt else {
                text.append("…")
                break
            }
            if escaped.isEmpty { text.append(scalar) } else { text.append(contentsOf: escaped.unicodeScalars) }
        }
        return String(text)
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        if (0x20..<0x7F).contains(scalar.value) { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return false
        default: return true
        }
    }
}

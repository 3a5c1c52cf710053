/// Reads the recipients of a CSV file one row at a time, in constant memory (`ListLimit.buffers`).
///
/// The file is read twice or, where its header has a column without a name, three times: everything that makes a whole
/// list unusable is found by `init`, before the first row. The file may not change while it is read.
///
/// Separator (comma, semicolon, tab, or as a first line `sep=;` says), line ends (CR LF, LF, CR) and encoding (UTF-8,
/// UTF-16 with a byte order mark or as Excel writes it, Windows-1252) are found, not told. The first line that is not
/// empty is the header. Without a preset it names `email`, and perhaps `name`, `language` and `number`, in any case of
/// letters; every other column becomes an attribute.
package final class ListReader {
    /// The header's names in the order of the file, without surrounding white space; "" where a column has none.
    package var columns: [String] { plan.columns }

    private var scanner: RecordScanner
    private let plan: ColumnPlan
    private let languages: [String: String]

    /// - Parameters:
    ///   - path: a regular file; a symbolic link is refused.
    ///   - preset: how the columns are called, if not by our own names.
    package init(path: String, preset: Preset? = nil) throws(ListError) {
        scanner = try RecordScanner(path: path)
        try scanner.findSeparator()
        let header = try Self.header(&scanner)
        plan = try ColumnPlan(columns: header, preset: preset, line: scanner.recordLine)
        languages = preset?.languages ?? [:]
        guard !plan.nameless.isEmpty else { return }
        try requireEmptyColumns()
        scanner.rewind()
        try scanner.findSeparator()
        _ = try scanner.next()
    }

    /// Bytes that the reader's buffers hold now.
    package var bufferCapacity: Int { scanner.bufferCapacity }

    /// The name that the header has for a column, whatever the case of letters and white space around it.
    package func column(named name: String) -> String? {
        columns.first { !$0.isEmpty && Preset.key($0) == Preset.key(name) }
    }

    /// The next row that holds anything, or nil at the end of the list. Throws only when the file cannot be read.
    package func next() throws(ListError) -> ListItem? {
        while true {
            switch try scanner.next() {
            case .end:
                return nil
            case .broken(let fault, let text):
                return bad(text, fault.message(columns: columns))
            case .unfit(let fault):
                if scanner.isBlankRecord { continue }
                return bad(scanner.excerpt, fault.message(columns: columns))
            case .record:
                if let message = objection() {
                    if scanner.isBlankRecord { continue }
                    return bad(scanner.excerpt, message)
                }
                return .row(row())
            }
        }
    }

    private func bad(_ text: String, _ message: String) -> ListItem {
        .bad(BadRow(line: scanner.recordLine, text: text, message: message))
    }

    /// Why the current record is no row.
    private func objection() -> String? {
        let count = scanner.fields.count
        guard count >= plan.fewestColumns && count <= columns.count else {
            let (first, last) = (scanner.recordLine, scanner.recordLastLine)
            let lines = first < last ? " (lines \(first) to \(last))" : ""
            return "the row\(lines) has \(Self.counted(count)), the header \(columns.count); "
                + "a value may lack its quotation marks"
        }
        return scanner.isEmpty(plan.email) ? "no e-mail address" : nil
    }

    private static func counted(_ count: Int) -> String {
        count == 1 ? "1 column" : "\(count) columns"
    }

    private func row() -> RecipientRow {
        var row = RecipientRow(line: scanner.recordLine, email: scanner.value(plan.email))
        row.name = Self.onOneLine(plan.name.compactMap(part).joined(separator: " "))
        row.number = plan.number.flatMap { Self.onOneLine(scanner.value($0)) }
        if let column = plan.language, let language = Self.onOneLine(scanner.value(column)) {
            row.language = languages.isEmpty ? language : languages[Preset.key(language)] ?? language
        }
        row.attributes.reserveCapacity(plan.attributes.count)
        for attribute in plan.attributes {
            row.attributes[attribute.name] = scanner.value(attribute.column)
        }
        return row
    }

    private func part(_ columns: [Int]) -> String? {
        columns.first { !scanner.isEmpty($0) }.map { scanner.value($0) }
    }

    /// Line breaks, those beyond ASCII included, and tabs become spaces, none of them at the ends; nil when nothing is
    /// left.
    private static func onOneLine(_ text: String) -> String? {
        // The separators of lines and of paragraphs, U+2028 and U+2029, begin with 0xE2.
        guard text.utf8.contains(where: { $0 < Byte.space || $0 == 0xE2 }) else { return text.isEmpty ? nil : text }
        var line = text.split { $0.isNewline || $0 == "\t" }.joined(separator: " ")[...]
        while let first = line.first, isSpace(first) { line.removeFirst() }
        while let last = line.last, isSpace(last) { line.removeLast() }
        return line.isEmpty ? nil : String(line)
    }

    private static func isSpace(_ character: Character) -> Bool { character == " " || character == "\u{A0}" }

    private static func header(_ scanner: inout RecordScanner) throws(ListError) -> [String] {
        let fault: RecordFault
        switch try scanner.next() {
        case .end:
            throw ListError(message: "the list is empty; it has to begin with a header that names the columns")
        case .record:
            return scanner.fields.indices.map { onOneLine(scanner.value($0)) ?? "" }
        case .unfit(let found), .broken(let found, _):
            fault = found
        }
        throw ListError(
            line: scanner.recordLine, message: "the header cannot be read: \(fault.message(columns: []))")
    }

    private func requireEmptyColumns() throws(ListError) {
        while true {
            switch try scanner.next() {
            case .end: return
            case .unfit, .broken: continue
            case .record:
                let count = scanner.fields.count
                guard count <= columns.count else { continue }
                if let column = plan.nameless.first(where: { $0 < count && !scanner.isEmpty($0) }) {
                    throw ListError(
                        line: scanner.recordLine,
                        message: "column \(column + 1) has a value here but no name in the header; "
                            + "name the column or remove it")
                }
            }
        }
    }
}

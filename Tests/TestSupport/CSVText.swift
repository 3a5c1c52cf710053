/// Separated values by RFC 4180.
package enum CSVText {
    /// One line without its end; fields are quoted where they need it.
    package static func line(_ fields: [String], separator: Character) -> String {
        let quoted = fields.map { field in
            let needsQuotes = field.unicodeScalars.contains {
                $0 == "\"" || $0 == "\r" || $0 == "\n" || Character($0) == separator
            }
            return needsQuotes ? "\"" + field.replacing("\"", with: "\"\"") + "\"" : field
        }
        return quoted.joined(separator: String(separator))
    }

    /// The records of a text, the header line among them. Lines end in CRLF or LF.
    package static func records(_ text: String, separator: Unicode.Scalar = ",") -> [[String]] {
        var records: [[String]] = []
        var record: [String] = []
        var field = String.UnicodeScalarView()
        var isQuoted = false
        var hasJustClosed = false
        func endField() {
            record.append(String(field))
            field.removeAll()
        }
        for scalar in text.unicodeScalars {
            let closedBefore = hasJustClosed
            hasJustClosed = isQuoted && scalar == "\""
            if scalar == "\"" {
                // Two quotes inside of a quoted field are one.
                if closedBefore { field.append(scalar) }
                isQuoted.toggle()
            } else if isQuoted {
                field.append(scalar)
            } else if scalar == separator {
                endField()
            } else if scalar == "\n" {
                endField()
                records.append(record)
                record = []
            } else if scalar != "\r" {
                field.append(scalar)
            }
        }
        if !field.isEmpty || !record.isEmpty {
            endField()
            records.append(record)
        }
        return records
    }

    /// The records after the header line, by column name.
    package static func rows(_ text: String, separator: Unicode.Scalar = ",") -> [[String: String]] {
        let all = records(text, separator: separator)
        guard let header = all.first else { return [] }
        return all.dropFirst().map { Dictionary(zip(header, $0)) { first, _ in first } }
    }
}

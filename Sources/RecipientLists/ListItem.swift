/// One recipient as a list names it: read, not judged. Whether the address is one that mail can go to is decided by
/// the mailing.
package struct RecipientRow: Sendable, Equatable {
    /// The physical line of the file, from 1, on which the row begins.
    package var line: Int
    /// Never empty; without surrounding white space.
    package var email: String
    /// On one line, never empty.
    package var name: String?
    /// On one line, never empty; as the list has it or as the preset translates it.
    package var language: String?
    /// On one line, never empty.
    package var number: String?
    /// Every column that is not itself the e-mail address, name, language or number, under its header name as the
    /// file writes it, and the attributes of the preset. A key is there in each row, with "" when the row has nothing
    /// in that column. Values lose surrounding white space and may hold line breaks.
    package var attributes: [String: String]

    package init(
        line: Int, email: String, name: String? = nil, language: String? = nil, number: String? = nil,
        attributes: [String: String] = [:]
    ) {
        self.line = line
        self.email = email
        self.name = name
        self.language = language
        self.number = number
        self.attributes = attributes
    }
}

/// A row that names nobody who could be mailed. The rest of the list is read all the same.
package struct BadRow: Sendable, Equatable {
    /// The physical line of the file, from 1, on which the row begins.
    package var line: Int
    /// The beginning of the row, at most 200 Unicode scalars, with control and format characters escaped.
    package var text: String
    /// A sentence for the person who made the list.
    package var message: String

    package init(line: Int, text: String, message: String) {
        self.line = line
        self.text = text
        self.message = message
    }
}

/// What a list yields, in the order of the file.
package enum ListItem: Sendable, Equatable {
    case row(RecipientRow)
    case bad(BadRow)
}

/// Why a whole list cannot be used: its file, its encoding or its header.
package struct ListError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The physical line from 1, where there is one.
    package var line: Int?
    /// A sentence for the person who made the list.
    package var message: String

    package init(line: Int? = nil, message: String) {
        self.line = line
        self.message = message
    }

    package var description: String {
        line.map { "line \($0): \(message)" } ?? message
    }
}

/// The limits of a list. What exceeds one is reported, not cut.
package enum ListLimit {
    /// Bytes of one field, as UTF-8.
    package static let field = 65_536
    /// Bytes of one record with its quotation marks and separators, as UTF-8.
    package static let record = 262_144
    /// Columns of a record.
    package static let columns = 512
    /// Unicode scalars of a column's name.
    package static let columnName = 200
    /// Bytes of all buffers of a reader together.
    package static let buffers = 1_048_576
    /// Bytes read from the file at a time.
    static let chunk = 65_536
    /// Unicode scalars of `BadRow.text`.
    static let excerpt = 200
}

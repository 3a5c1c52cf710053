/// A place in a text file. Lines and columns count from 1; a line ends at LF, a column is one Unicode scalar.
package struct JSONPosition: Hashable, Comparable, Sendable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: JSONPosition, right: JSONPosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// A value of a JSON document (RFC 8259 section 3) and where it begins.
package struct JSONValue: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case null
        case boolean(Bool)
        /// Finite, and within ±(2^53 − 1).
        case number(Double)
        case string(String)
        case array([JSONValue])
        /// In the order of the document; no key comes twice.
        case object([JSONMember])
    }

    package var content: Content
    package var position: JSONPosition

    package init(_ content: Content, at position: JSONPosition) {
        self.content = content
        self.position = position
    }
}

/// A key of a JSON object, where it stands, and its value.
package struct JSONMember: Hashable, Sendable {
    package var key: String
    package var position: JSONPosition
    package var value: JSONValue

    package init(key: String, position: JSONPosition, value: JSONValue) {
        self.key = key
        self.position = position
        self.value = value
    }
}

/// What a document may be at most, so that no document costs more than its reader can bear.
package struct JSONLimits: Hashable, Sendable {
    /// Size of the document in bytes.
    package var bytes: Int
    /// Length of a string in bytes of UTF-8, escapes resolved.
    package var stringBytes = 4 << 20
    /// Length of a key in bytes of UTF-8, escapes resolved.
    package var keyBytes = 1_000
    /// Number of values, the document itself and all inner ones counted.
    package var values = 1_000_000
    /// How many arrays and objects may be open at once.
    package var depth = 64

    package init(bytes: Int) {
        self.bytes = bytes
    }
}

/// The first fault of a document, with a sentence that says how to mend it.
package struct JSONError: Error, Hashable, Sendable {
    package var position: JSONPosition
    package var message: String

    package init(at position: JSONPosition, _ message: String) {
        self.position = position
        self.message = message
    }
}

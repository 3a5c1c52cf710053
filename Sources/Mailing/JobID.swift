/// The id that a submitter gives a job: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
///
/// Ids are kept for ever, so that a job that comes again is recognised long after it ended.
package struct JobID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String

    /// Nil if the text is not of that form.
    package init?(_ text: String) {
        guard JobID.isValid(text) else { return nil }
        self.text = text
    }

    /// Whether a text may be a job id, or the name of a drop without its suffix.
    package static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...128).contains(bytes.count), let first = bytes.first, isLetterOrDigit(first) else { return false }
        return bytes.allSatisfy { isLetterOrDigit($0) || $0 == 46 || $0 == 95 || $0 == 45 }
    }

    package static func < (left: JobID, right: JobID) -> Bool { left.text < right.text }

    package var description: String { text }
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
}

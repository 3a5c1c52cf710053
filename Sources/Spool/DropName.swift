import Crypto
package import Mailing

/// What the name of an entry of incoming/ says.
package struct DropName: Hashable, Sendable {
    /// The two forms of a drop.
    package enum Form: String, Hashable, Sendable {
        /// `NAME.json`: one file with everything inside.
        case single
        /// `NAME.job`: a directory with job.json and the files that it names.
        case bundle
    }

    let entry: DirectoryEntryName
    /// Nil if the suffix is neither.
    package let form: Form?

    /// The whole name, for messages.
    package var text: String { "\(entry)" }

    init(_ entry: DirectoryEntryName) {
        self.entry = entry
        if entry.hasSuffix(".json") {
            form = .single
        } else if entry.hasSuffix(".job") {
            form = .bundle
        } else {
            form = nil
        }
    }

    /// Whether the daemon takes notice of an entry at all.
    static func isLookedAt(_ entry: DirectoryEntryName) -> Bool {
        !entry.bytes.isEmpty && !entry.isHidden && !entry.hasSuffix(".tmp") && !entry.hasSuffix(".part")
    }

    /// Why nothing of this name can be a job; nil if it can.
    package var error: JobError? {
        guard form != nil else {
            return JobError(
                "\(entry)",
                "the name must end in .json (one file) or .job (a directory); rename it into incoming/ again")
        }
        guard let text = String(validating: stem, as: UTF8.self), JobID.isValid(text) else {
            return JobError(
                "\(entry)",
                "the name before its suffix must be 1 to 128 letters, digits, dots, underscores and hyphens of ASCII, "
                    + "and begin with a letter or a digit")
        }
        return nil
    }

    /// The name without its suffix, made fit for a directory of its own: bytes that no name may have become `%XX`, and
    /// what would be too long ends in a hash instead.
    package var receiptName: String {
        var text = ""
        for (index, byte) in stem.enumerated() {
            let isPlain = JobID.isValid(index == 0 ? String(UnicodeScalar(byte)) : "x" + String(UnicodeScalar(byte)))
            text += isPlain ? String(UnicodeScalar(byte)) : percentEscaped(byte)
        }
        if text.isEmpty { text = "%" }
        guard text.utf8.count > 128 else { return text }
        return "\(text.prefix(100))-\(hexadecimal(SHA256.hash(data: entry.bytes).prefix(8)))"
    }

    private var stem: ArraySlice<UInt8> {
        switch form {
        case .single: entry.bytes.dropLast(5)
        case .bundle: entry.bytes.dropLast(4)
        case nil: entry.bytes[...]
        }
    }
}

extension JobError {
    /// A fault of a file as a whole.
    init(_ file: String, _ message: String) {
        self.init(pointer: nil, line: nil, column: nil, file: file, message: message)
    }
}

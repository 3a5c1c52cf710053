import Logging

/// One record of the log, ready to be written: every text in it is one line of bounded length.
struct LogRecord: Sendable {
    /// The most that a line of text may take with its level in front and its end, in bytes.
    static let lineLimit = 8192
    /// The most that the value of a journal field may take, in bytes. `journalctl -o json` shows a field that has 4096
    /// with its name as null.
    static let fieldLimit = 4000

    /// The fields that a record always has; metadata of the same name is left to the text.
    private static let ownFields: Set<String> = [
        "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "CODE_FILE", "CODE_LINE", "CODE_FUNC",
    ]

    private let event: LogEvent
    /// Metadata that becomes fields of the journal, by name.
    private let fields: [(name: String, value: String)]
    /// Metadata whose names the journal does not take, by name.
    private let remarks: [(name: String, value: String)]

    init(event: LogEvent, metadata: Logger.Metadata) {
        var pairs = metadata.mapValues { "\($0)" }
        if let error = event.error, pairs["ERROR"] == nil {
            pairs["ERROR"] = "\(error)"
        }
        var fields: [(name: String, value: String)] = []
        var remarks: [(name: String, value: String)] = []
        for (name, value) in pairs.sorted(by: { $0.key < $1.key }) {
            if Self.isFieldName(name) {
                fields.append((name, value))
            } else {
                remarks.append((name, value))
            }
        }
        self.event = event
        self.fields = fields
        self.remarks = remarks
    }

    /// The record as `NAME=value` entries for sd_journal_sendv(3).
    func journalEntries(identifier: String) -> [String] {
        var entries = [
            "MESSAGE=" + SingleLine.of("\(event.message)" + Self.list(remarks), limit: Self.fieldLimit),
            "PRIORITY=\(priority)",
            "SYSLOG_IDENTIFIER=" + identifier,
            "CODE_FILE=" + event.file,
            "CODE_LINE=\(event.line)",
            "CODE_FUNC=" + event.function,
        ]
        for (name, value) in fields {
            entries.append(name + "=" + SingleLine.of(value, limit: Self.fieldLimit))
        }
        return entries
    }

    /// The record as a line for people, without its end. `MESSAGE_ID` says nothing to them and is left out;
    /// `journalError` is why the journal did not take the record, if that was tried.
    func line(time: String, journalError: String? = nil) -> String {
        var pairs = fields.filter { $0.name != "MESSAGE_ID" } + remarks
        if let journalError {
            pairs.insert(("JOURNAL_ERROR", journalError), at: 0)
        }
        let text = "\(time) \(event.level): \(event.message)" + Self.list(pairs)
        return SingleLine.of(text, limit: Self.lineLimit - 16)
    }

    /// The level as in syslog(3) and sd-daemon(3): 2 is critical, 7 for debugging.
    var priority: Int {
        switch event.level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func list(_ pairs: [(name: String, value: String)]) -> String {
        pairs.map { " \($0.name)=" + SingleLine.quoted($0.value, limit: fieldLimit) }.joined()
    }

    /// `[A-Z][A-Z0-9_]{0,63}`, and none of the fields that a record has anyway. systemd.journal-fields(7): names that
    /// begin with an underscore belong to journald.
    private static func isFieldName(_ name: String) -> Bool {
        guard let first = name.utf8.first, UInt8(ascii: "A")...UInt8(ascii: "Z") ~= first else { return false }
        let isValid = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
        return isValid && name.utf8.count <= 64 && !ownFields.contains(name)
    }
}

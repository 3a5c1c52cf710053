import Logging
import Testing

@testable import Systemd

@Suite struct LogRecordTests {
    private func record(
        _ message: String, _ metadata: Logger.Metadata = [:], level: Logger.Level = .notice,
        error: (any Error)? = nil
    ) -> LogRecord {
        let event = LogEvent(
            level: level, message: "\(message)", error: error, metadata: nil, source: nil, file: "Daemon/Intake.swift",
            function: "claim()", line: 42)
        return LogRecord(event: event, metadata: metadata)
    }

    private func entries(_ record: LogRecord) -> [String] {
        record.journalEntries(identifier: "campaignd")
    }

    @Test func `a record has its message, level, identifier, place, and a field for each key in capitals`() {
        let record = record(
            "message sent", ["RELAY": "default", "CAMPAIGN": "2026-11-e-books", "SMTP_CODE": "\(250)"])
        #expect(
            entries(record) == [
                "MESSAGE=message sent", "PRIORITY=5", "SYSLOG_IDENTIFIER=campaignd",
                "CODE_FILE=Daemon/Intake.swift", "CODE_LINE=42", "CODE_FUNC=claim()",
                "CAMPAIGN=2026-11-e-books", "RELAY=default", "SMTP_CODE=250",
            ])
    }

    @Test(arguments: [
        (Logger.Level.trace, 7), (.debug, 7), (.info, 6), (.notice, 5), (.warning, 4), (.error, 3), (.critical, 2),
    ])
    func `levels are the priorities of syslog`(level: Logger.Level, priority: Int) {
        #expect(entries(record("x", level: level)).contains("PRIORITY=\(priority)"))
    }

    @Test func `line breaks in message and values are escaped`() {
        let record = record("bad\nPRIORITY=0", ["REPLY": "250 ok\r\nMESSAGE=forged"])
        #expect(entries(record).first == "MESSAGE=bad\\nPRIORITY=0")
        #expect(entries(record).last == "REPLY=250 ok\\r\\nMESSAGE=forged")
        #expect(record.line(time: "T") == "T notice: bad\\nPRIORITY=0 REPLY=\"250 ok\\r\\nMESSAGE=forged\"")
    }

    @Test(arguments: [
        "relay", "_PID", "1ST", "SMTP-CODE", "ÉTAT", "", "MESSAGE", "PRIORITY", "CODE_FILE",
        String(repeating: "A", count: 65),
    ])
    func `a key that the journal or the record itself has another use for goes into the message`(key: String) {
        let entries = entries(record("stopped", [key: "a b"]))
        #expect(entries.first == "MESSAGE=stopped \(key)=\"a b\"")
        #expect(entries.count == 6)
    }

    @Test(arguments: ["A", "A1", "SMTP_CODE", "MESSAGE_ID", String(repeating: "A", count: 64)])
    func `a key in capitals, digits and underscores becomes a field`(key: String) {
        let entries = entries(record("stopped", [key: "a b"]))
        #expect(entries.first == "MESSAGE=stopped")
        #expect(entries.last == "\(key)=a b")
    }

    @Test func `a line shows time, level, message and metadata in order, without the message's id`() {
        let record = record(
            "delivered",
            ["RELAY": "default", "CAMPAIGN": "news", "MESSAGE_ID": "6f4b1f0f3c7c4d0e9d9a4c5e1f2a3b4c", "to": "-"]
        )
        #expect(
            record.line(time: "2026-11-22T10:00:00Z")
                == "2026-11-22T10:00:00Z notice: delivered CAMPAIGN=news RELAY=default to=-")
    }

    @Test func `the error of an event is shown as ERROR`() {
        struct Full: Error, CustomStringConvertible { let description = "the disk is full" }
        let record = record("stopped", level: .error, error: Full())
        #expect(entries(record).last == "ERROR=the disk is full")
        #expect(record.line(time: "T") == "T error: stopped ERROR=\"the disk is full\"")
    }

    @Test func `a line has at most 8 KiB with its prefix and end, a field less than the 4096 that journalctl shows`() {
        let long = String(repeating: "é", count: 10_000)
        let record = record(long, ["REPLY": "\(long)"])
        #expect(record.line(time: "T").utf8.count + "<5>\n".utf8.count <= 8192)
        #expect(record.line(time: "T").hasSuffix("é…"))
        let lengths = entries(record).map(\.utf8.count)
        #expect(lengths.allSatisfy { $0 < 4096 })
        #expect(lengths.filter { $0 > 4000 }.count == 2)
    }
}

import Foundation
import Glibc
import Logging
import Synchronization
import Testing

@testable import Systemd

@Suite struct JournalLogHandlerTests {
    private let ends: [Int32]

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        for descriptor in ends {
            try #require(fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0)
            try #require(fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0)
        }
        self.ends = ends
    }

    /// `device:inode` of the writing end of the pipe, as systemd would put it into `JOURNAL_STREAM`.
    private func streamName() throws -> String {
        var status = stat()
        try #require(fstat(ends[1], &status) == 0)
        return "\(status.st_dev):\(status.st_ino)"
    }

    private func logger(
        journalStream: String? = nil, level: Logger.Level = .info, records: Records = Records(), result: Int32 = 0
    ) -> Logger {
        var environment: [String: String] = [:]
        environment["JOURNAL_STREAM"] = journalStream
        let handler = JournalLogHandler(
            identifier: "campaignd", level: level, standardError: ends[1], environment: environment,
            time: { "2026-11-22T10:00:00Z" },
            sendToJournal: { entries in
                records.append(entries)
                return result
            })
        return Logger(label: "test") { _ in handler }
    }

    /// What was written to the pipe so far, and the end of it.
    private func written() throws -> String {
        close(ends[1])
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(ends[0], &buffer, buffer.count), count > 0 {
            bytes += buffer[..<count]
        }
        close(ends[0])
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `outside the journal a record is a line of text`() throws {
        let records = Records()
        var logger = logger(records: records)
        logger[metadataKey: "RELAY"] = "default"
        logger.notice("message", metadata: ["CAMPAIGN": "2026-11-e-books"])
        logger.warning("two\nlines")
        #expect(
            try written() == """
                2026-11-22T10:00:00Z notice: message CAMPAIGN=2026-11-e-books RELAY=default
                2026-11-22T10:00:00Z warning: two\\nlines RELAY=default

                """)
        #expect(records.all.isEmpty)
    }

    @Test func `in the journal a record is sent with its fields and no text is written`() throws {
        let records = Records()
        logger(journalStream: try streamName(), records: records)
            .notice("delivered", metadata: ["OUTCOME": "sent", "SMTP_CODE": "250"])
        #expect(try written().isEmpty)
        let entries = try #require(records.all.first)
        #expect(records.all.count == 1)
        #expect(entries.starts(with: ["MESSAGE=delivered", "PRIORITY=5", "SYSLOG_IDENTIFIER=campaignd"]))
        #expect(entries.contains("CODE_FILE=\(#fileID)"))
        #expect(entries.suffix(2) == ["OUTCOME=sent", "SMTP_CODE=250"])
    }

    @Test func `what the journal refuses is written to the stream with its level in front`() throws {
        logger(journalStream: try streamName(), result: -ENOBUFS).error("the ledger is full")
        #expect(
            try written()
                == "<3>2026-11-22T10:00:00Z error: the ledger is full JOURNAL_ERROR=\"No buffer space available\"\n")
    }

    @Test(arguments: ["1:1", "", "x", "1", ":", "-1:5", "1:2:3"])
    func `JOURNAL_STREAM of another stream, or one that cannot be read, means text`(name: String) throws {
        let records = Records()
        logger(journalStream: name, records: records).info("hello")
        #expect(try written() == "2026-11-22T10:00:00Z info: hello\n")
        #expect(records.all.isEmpty)
    }

    @Test func `metadata of the call wins over the provider's, and the provider's over the logger's`() throws {
        var handler = JournalLogHandler(standardError: ends[1], environment: [:], time: { "T" })
        handler.metadata = ["A": "1", "B": "1", "C": "1"]
        handler.metadataProvider = Logger.MetadataProvider { ["B": "2", "C": "2"] }
        let logger = Logger(label: "test") { [handler] _ in handler }
        logger.info("x", metadata: ["C": "3"])
        #expect(try written() == "T info: x A=1 B=2 C=3\n")
    }

    @Test func `records below the level are dropped`() throws {
        let logger = logger(level: .notice)
        logger.info("quiet")
        logger.notice("loud")
        #expect(try written() == "2026-11-22T10:00:00Z notice: loud\n")
    }

    @Test func `the longest line is written whole`() throws {
        logger().info("\(String(repeating: "x", count: 100_000))")
        let line = try written()
        #expect(line.hasSuffix("x…\n"))
        #expect((8000...8192).contains(line.utf8.count))
    }

    @Test func `a standard error that nobody reads any more stops nothing`() throws {
        signal(SIGPIPE, SIG_IGN)
        close(ends[0])
        logger().info("hello")
        close(ends[1])
    }
}

/// What was sent to the journal.
private final class Records: Sendable {
    private let records = Mutex<[[String]]>([])

    var all: [[String]] { records.withLock { $0 } }

    func append(_ entries: [String]) {
        records.withLock { $0.append(entries) }
    }
}

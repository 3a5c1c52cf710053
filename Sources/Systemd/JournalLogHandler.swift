import CSystemd
import Foundation
import Glibc
package import Logging

/// Writes the log of the service: structured records where standard error leads to the journal, else lines of text.
///
/// In the journal every key of the metadata that matches `[A-Z][A-Z0-9_]{0,63}` is a field of its own, so that
/// `journalctl CAMPAIGN=…` finds it; other keys are appended to `MESSAGE`. As text a record is one line:
///
///     2026-11-22T10:00:00Z notice: the message CAMPAIGN=2026-11-e-books RELAY=default
///
/// Control characters are escaped: no value can forge a second record. A value ends at 4000 bytes, a line at 8 KiB.
/// See sd_journal_print(3), systemd.journal-fields(7) and, for `JOURNAL_STREAM`, systemd.exec(5).
package struct JournalLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level

    private let identifier: String
    private let standardError: Int32
    private let isJournalStream: Bool
    private let time: @Sendable () -> String
    private let sendToJournal: @Sendable ([String]) -> Int32

    /// - Parameters:
    ///   - identifier: `SYSLOG_IDENTIFIER` of the records.
    ///   - level: records below it are dropped.
    ///   - standardError: the descriptor for text, and the one that `JOURNAL_STREAM` is compared with.
    ///   - environment: where `JOURNAL_STREAM` is looked up.
    ///   - time: the time for lines of text, in the form that is to be printed.
    package init(
        identifier: String = "campaignd",
        level: Logger.Level = .info,
        standardError: Int32 = STDERR_FILENO,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        time: @escaping @Sendable () -> String
    ) {
        self.init(
            identifier: identifier, level: level, standardError: standardError, environment: environment, time: time,
            sendToJournal: Self.sendNatively)
    }

    init(
        identifier: String, level: Logger.Level, standardError: Int32, environment: [String: String],
        time: @escaping @Sendable () -> String, sendToJournal: @escaping @Sendable ([String]) -> Int32
    ) {
        self.identifier = identifier
        self.logLevel = level
        self.standardError = standardError
        self.isJournalStream = Self.isJournalStream(standardError, named: environment["JOURNAL_STREAM"])
        self.time = time
        self.sendToJournal = sendToJournal
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let provided = metadataProvider?.get() ?? [:]
        let all = metadata.merging(provided) { $1 }.merging(event.metadata ?? [:]) { $1 }
        let record = LogRecord(event: event, metadata: all)
        guard isJournalStream else {
            write(record.line(time: time()) + "\n")
            return
        }
        let result = sendToJournal(record.journalEntries(identifier: identifier))
        if result < 0 {
            // journald still reads the stream, with its level in front: sd-daemon(3).
            let reason = String(cString: strerror(-result))
            write("<\(record.priority)>" + record.line(time: time(), journalError: reason) + "\n")
        }
    }

    /// Writes the whole line in one call, so that lines of several threads do not mix. When standard error takes
    /// nothing more there is nobody left to tell.
    private func write(_ line: String) {
        var bytes = Array(line.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(standardError, $0.baseAddress, $0.count) }
            if written > 0 {
                bytes = bytes.dropFirst(written)
            } else if written < 0, errno == EINTR {
                continue
            } else {
                return
            }
        }
    }

    /// Whether `descriptor` is the stream that systemd connected to the journal: its `device:inode`.
    private static func isJournalStream(_ descriptor: Int32, named name: String?) -> Bool {
        guard let name else { return false }
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        var status = stat()
        guard parts.count == 2, let device = UInt64(parts[0]), let inode = UInt64(parts[1]),
            fstat(descriptor, &status) == 0
        else { return false }
        return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }

    /// sd_journal_sendv(3): 0, or a negative errno.
    private static func sendNatively(_ entries: [String]) -> Int32 {
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        for entry in entries {
            let start = bytes.count
            bytes += entry.utf8
            ranges.append(start..<bytes.count)
        }
        return bytes.withUnsafeMutableBytes { buffer in
            let vectors = ranges.map { range in
                iovec(iov_base: buffer.baseAddress.map { $0 + range.lowerBound }, iov_len: range.count)
            }
            return sd_journal_sendv(vectors, Int32(vectors.count))
        }
    }
}

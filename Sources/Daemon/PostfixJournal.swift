import Foundation
import Glibc
import Mailing
import Systemd

/// What was read of the journal in order to look deliveries up in it.
struct PostfixReading: Sendable {
    var lines: [PostfixLine]
    /// The user as whom Postfix runs.
    var user: UInt32
    var coverage: PostfixTrace.Coverage
}

/// Reads what the local Postfix wrote into the journal, and where the journal itself has gaps.
struct PostfixJournal: Sendable {
    /// Why nothing can be looked up, in a sentence for the administrator.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    private let reader: JournalReader
    private let boot: BootID
    private let lineLimit: Int

    /// - Parameters:
    ///   - boot: The present one.
    ///   - directory: Where the files of the journal are; nil for the system journal.
    ///   - lineLimit: More lines than this are not read at once.
    init(boot: BootID, directory: String? = nil, lineLimit: Int = 200_000) {
        reader = JournalReader(directory: directory)
        self.boot = boot
        self.lineLimit = lineLimit
    }

    /// Everything since a moment. Blocks, for about a second where there are 100,000 lines.
    func read(user name: String, since moment: Timestamp) throws -> PostfixReading {
        guard let user = PostfixJournal.userID(name) else {
            throw Unusable(
                description: "there is no user “\(name)”, so what Postfix wrote into the journal is not found: "
                    + "install Postfix or give [journal] postfix_user")
        }
        let since = moment.milliseconds * 1000
        guard let oldest = try reader.oldest() else {
            throw Unusable(
                description: "the journal cannot be read, or is empty: the user of the service must be in the group "
                    + "systemd-journal (SupplementaryGroups=systemd-journal)")
        }
        var lines: [PostfixLine] = []
        var units: Set<String> = []
        let query = JournalReader.Query(
            matches: ["_UID": ["\(user)"]], since: since, fields: PostfixJournal.fields, limit: lineLimit)
        let hasMore = try reader.read(query) { entry in
            lines.append(PostfixJournal.line(entry, user: user))
            if let unit = entry.fields["_SYSTEMD_UNIT"] { units.insert(unit) }
            return true
        }
        let coverage = PostfixTrace.Coverage(
            oldest: Timestamp(milliseconds: oldest / 1000), gaps: try gaps(since: since, units: units),
            isCutShort: hasMore, boot: boot)
        return PostfixReading(lines: lines, user: user, coverage: coverage)
    }

    private static let fields = [
        "MESSAGE", "_COMM", "SYSLOG_IDENTIFIER", "_PID", "_SOURCE_REALTIME_TIMESTAMP", "_SYSTEMD_UNIT",
    ]

    private static func line(_ entry: JournalReader.Entry, user: UInt32) -> PostfixLine {
        // The kernel's stamp of when the line was sent: journald may have been busy.
        let written = entry.fields["_SOURCE_REALTIME_TIMESTAMP"].flatMap { Int64($0) } ?? entry.realtime
        return PostfixLine(
            at: Timestamp(milliseconds: written / 1000), recorded: entry.realtime, monotonic: entry.monotonic,
            boot: BootID(entry.bootID), user: user, command: entry.fields["_COMM"],
            identifier: entry.fields["SYSLOG_IDENTIFIER"] ?? "",
            process: entry.fields["_PID"].flatMap { Int32($0) } ?? 0, text: entry.fields["MESSAGE"] ?? "")
    }

    /// What journald says of itself, by the message ids of sd-messages.h.
    private static let stories = [
        "f77379a8490b408bbe5f6940505a777b": "the journal was started anew since",
        "d93fb3c9c24d451a97cea615ce59c00b": "the journal was stopped since",
        "e9bf28e6e834481bb6f48f548ad13606": "the journal has lost messages since",
        suppressed: "journald has left out lines of Postfix (RateLimitBurst= in journald.conf)",
    ]
    private static let suppressed = "a596d6fe7bfa4994828e72309e95d61e"
    /// More gaps than this make no difference.
    private static let gapLimit = 1000

    /// Only what journald itself wrote: its own transport cannot be forged.
    private func gaps(since: Int64, units: Set<String>) throws -> [PostfixTrace.Gap] {
        let query = JournalReader.Query(
            matches: ["_TRANSPORT": ["driver"], "MESSAGE_ID": PostfixJournal.stories.keys.sorted()], since: since,
            fields: ["MESSAGE", "MESSAGE_ID"], limit: PostfixJournal.gapLimit)
        var gaps: [PostfixTrace.Gap] = []
        try reader.read(query) { entry in
            let id = entry.fields["MESSAGE_ID"] ?? ""
            let text = entry.fields["MESSAGE"] ?? ""
            guard id != PostfixJournal.suppressed || PostfixJournal.concerns(text, units) else { return true }
            let why = PostfixJournal.stories[id] ?? "the journal has a gap"
            gaps.append(PostfixTrace.Gap(at: Timestamp(milliseconds: entry.realtime / 1000), why: why))
            return true
        }
        return gaps
    }

    /// Whether “Suppressed 180 messages from UNIT” is about one of these units, or about nobody known.
    static func concerns(_ text: String, _ units: Set<String>) -> Bool {
        guard let range = text.range(of: " messages from "), !units.isEmpty else { return true }
        return units.contains(String(text[range.upperBound...]))
    }

    /// getpwnam_r(3)
    private static func userID(_ name: String) -> UInt32? {
        if let number = UInt32(name) { return number }
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return entry.pw_uid
    }
}

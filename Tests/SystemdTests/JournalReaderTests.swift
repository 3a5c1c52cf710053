import Foundation
import Glibc
import Systemd
import TestSupport
import Testing

@Suite(.enabled(if: PrivateJournal.obstacle == nil, "\(PrivateJournal.obstacle ?? "")"))
struct `The reader of the journal` {
    private static func query(
        _ matches: [String: [String]], since: Int64? = nil, limit: Int = 100
    ) -> JournalReader.Query {
        JournalReader.Query(matches: matches, since: since, fields: ["MESSAGE", "_UID", "_PID"], limit: limit)
    }

    private static func messages(_ query: JournalReader.Query, _ reader: JournalReader) throws -> [String] {
        var found: [String] = []
        try reader.read(query) { entry in
            found.append(entry.fields["MESSAGE"] ?? "")
            return true
        }
        return found
    }

    @Test func `believes the kernel about the writer and not the writer`() async throws {
        let journal = try PrivateJournal()
        let line = "<22>Nov 22 06:07:10 postfix/qmgr[303]: "
        try await journal.write([
            (PrivateJournal.writer, line + "true"), (0, line + "forged"),
            (0, "MESSAGE=forged too\nSYSLOG_IDENTIFIER=postfix/qmgr\n_UID=\(PrivateJournal.writer)\n"),
        ])
        let reader = JournalReader(directory: try journal.files)
        var entries: [JournalReader.Entry] = []
        try reader.read(Self.query(["_UID": ["\(PrivateJournal.writer)"]])) { entry in
            entries.append(entry)
            return true
        }
        let entry = try #require(entries.first)
        #expect(entries.count == 1)
        #expect(entry.fields["MESSAGE"] == "true")
        #expect(entry.fields["_UID"] == "\(PrivateJournal.writer)")
        #expect(Int(entry.fields["_PID"] ?? "") ?? 0 > 1, "not the number that the line names")
        #expect(try Self.messages(Self.query(["SYSLOG_IDENTIFIER": ["postfix/qmgr"]]), reader).count == 3)
    }

    @Test func `takes alternatives within a field and all fields together`() async throws {
        let journal = try PrivateJournal()
        try await journal.write([
            (0, "MESSAGE=1\nLEDGER=a\nKIND=x\n"), (0, "MESSAGE=2\nLEDGER=a\nKIND=y\n"),
            (0, "MESSAGE=3\nLEDGER=b\nKIND=x\n"), (0, "MESSAGE=4\nLEDGER=c\nKIND=x\n"),
        ])
        let reader = JournalReader(directory: try journal.files)
        #expect(try Self.messages(Self.query(["LEDGER": ["a", "b"], "KIND": ["x"]]), reader) == ["1", "3"])
        #expect(try Self.messages(Self.query(["LEDGER": ["nobody"]]), reader).isEmpty)
    }

    @Test func `begins at a moment, ends at the limit, and says whether there is more`() async throws {
        let journal = try PrivateJournal()
        try await journal.write((1...5).map { (0, "MESSAGE=\($0)\nLEDGER=a\n") })
        let reader = JournalReader(directory: try journal.files)
        let all = try reader.latest(Self.query(["LEDGER": ["a"]]))
        #expect(all.map { $0.fields["MESSAGE"] } == ["5", "4", "3", "2", "1"])
        let third = all[2].realtime
        #expect(try Self.messages(Self.query(["LEDGER": ["a"]], since: third), reader) == ["3", "4", "5"])
        #expect(try reader.latest(Self.query(["LEDGER": ["a"]], since: third)).count == 3)
        #expect(try reader.read(Self.query(["LEDGER": ["a"]], limit: 4)) { _ in true })
        #expect(try reader.read(Self.query(["LEDGER": ["a"]], limit: 5)) { _ in true } == false)
        #expect(try reader.read(Self.query(["LEDGER": ["a"]])) { _ in false })
        let boot = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        #expect(all.allSatisfy { $0.bootID == boot.trimmingCharacters(in: .whitespacesAndNewlines) })
        #expect(zip(all, all.dropFirst()).allSatisfy { $0.monotonic >= $1.monotonic && $1.monotonic > 0 })
        let oldest = try #require(try reader.oldest())
        #expect(oldest <= all[4].realtime)
    }

    @Test func `gives the last values of a field, the newest first`() async throws {
        let journal = try PrivateJournal()
        try await journal.write(
            (1...7).map { (0, "MESSAGE=m\nLEDGER=a\nINTENT=\($0)\n") }
                + [
                    (0, "MESSAGE=m\nLEDGER=b\nINTENT=100\n"),
                    (PrivateJournal.writer, "MESSAGE=forged\nLEDGER=a\nINTENT=999\n"), (0, "MESSAGE=m\nLEDGER=a\n"),
                ])
        let reader = JournalReader(directory: try journal.files)
        let values = try reader.lastValues(of: "INTENT", where: ["LEDGER": "a", "_UID": "0"], limit: 4)
        #expect(values == ["7", "6", "5"], "the one without the field counts for the limit")
        #expect(try reader.lastValues(of: "INTENT", where: ["LEDGER": "nobody"], limit: 4).isEmpty)
    }

    @Test func `finds nothing in an empty directory, and says why it cannot read another`() throws {
        let directory = try TemporaryDirectory()
        let reader = JournalReader(directory: directory.path)
        #expect(try reader.oldest() == nil)
        #expect(try reader.latest(Self.query(["_UID": ["0"]])).isEmpty)
        let missing = JournalReader(directory: directory.path("nowhere"))
        let failure = try #require(throws: JournalReader.Failure.self) { try missing.oldest() }
        #expect(failure.description == "the journal cannot be opened: No such file or directory")
    }

    @Test func `names the group that somebody without permission needs`() async throws {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            chmod(directory.path, 0o700)
            becomeUnprivileged()
            do throws(JournalReader.Failure) {
                _ = try JournalReader(directory: directory.path).oldest()
                exit(1)
            } catch {
                exit("\(error)".contains("systemd-journal") ? 0 : 2)
            }
        }
    }
}

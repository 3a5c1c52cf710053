import Mailing
import TestSupport
import Testing

@testable import Daemon

@Suite struct PostfixJournalTests {
    private static var boot: BootID {
        get throws { try SystemClocks().bootID }
    }

    @Test(.enabled(if: PrivateJournal.obstacle == nil, "\(PrivateJournal.obstacle ?? "")"))
    func `lines of Postfix's user are read as the kernel and journald saw them, and no others`() async throws {
        let journal = try PrivateJournal()
        // journald has started, and has said so.
        try await journal.write([])
        let before = try SystemClocks().wall
        let line = "<22>Nov 22 06:07:10 postfix/qmgr[303]: C29ED93: removed"
        try await journal.write([(PrivateJournal.writer, line), (0, line)])
        let reader = PostfixJournal(boot: try Self.boot, directory: try journal.files)
        let reading = try reader.read(user: "nobody", since: before)
        let read = try #require(reading.lines.first)
        #expect(reading.lines.count == 1 && reading.user == UInt32(PrivateJournal.writer))
        #expect(read.user == reading.user && read.text == "C29ED93: removed" && read.identifier == "postfix/qmgr")
        #expect(read.program != "qmgr", "the program is what journald saw, not what the line says")
        #expect(read.at >= before && read.at <= Timestamp(milliseconds: read.recorded / 1000 + 1))
        #expect(read.boot == (try Self.boot) && read.monotonic > 0)
        #expect(!reading.coverage.isCutShort)
        #expect(reading.coverage.gaps.isEmpty, "the journal began before: \(reading.coverage.gaps)")
        #expect(try #require(reading.coverage.oldest) <= read.at)

        let all = try reader.read(user: "\(PrivateJournal.writer)", since: Timestamp(milliseconds: 0))
        #expect(all.coverage.gaps.map(\.why) == ["the journal was started anew since"])
        let narrow = PostfixJournal(boot: try Self.boot, directory: try journal.files, lineLimit: 0)
        #expect(try narrow.read(user: "nobody", since: before).coverage.isCutShort)
    }

    @Test func `it says who is missing and what is not permitted`() throws {
        let directory = try TemporaryDirectory()
        let reader = PostfixJournal(boot: try Self.boot, directory: directory.path)
        let moment = Timestamp(milliseconds: 0)
        let unknown = try #require(throws: PostfixJournal.Unusable.self) {
            try reader.read(user: "no-such-user", since: moment)
        }
        #expect(unknown.description.contains("“no-such-user”") && unknown.description.contains("postfix_user"))
        let empty = try #require(throws: PostfixJournal.Unusable.self) {
            try reader.read(user: "nobody", since: moment)
        }
        #expect(empty.description.contains("systemd-journal"))
    }

    @Test func `lines that journald left out are a gap only if they were Postfix's, or may have been`() {
        let units: Set<String> = ["postfix@-.service"]
        #expect(PostfixJournal.concerns("Suppressed 130 messages from postfix@-.service", units))
        #expect(!PostfixJournal.concerns("Suppressed 130 messages from noisy.service", units))
        #expect(PostfixJournal.concerns("Suppressed 130 messages from noisy.service", []))
        #expect(PostfixJournal.concerns("something else", units))
    }
}

import Foundation
import Glibc
import Mailing
import Testing

@testable import Spool

struct IncomingScanTests {
    @Test(arguments: [".hidden.json", "a.json.tmp", "a.json.part", ".refused-a.json"])
    func `a name that begins with a dot or ends in tmp or part is ignored`(name: String) throws {
        let fixture = try SpoolFixture()
        try fixture.write("{}", to: "incoming/\(name)")
        #expect(try fixture.pending().isEmpty)
    }

    @Test(arguments: ["a.json", "a.txt", "-a.json", "with space.json", "a"])
    func `anything else is a drop, bad names too, so that it is answered`(name: String) throws {
        let fixture = try SpoolFixture()
        try fixture.write("{}", to: "incoming/\(name)")
        #expect(try fixture.pending().map(\.name.description) == [name])
    }

    @Test func `what came by rename is taken at once`() throws {
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        try fixture.drop("a.json", ["": "{}"])
        try fixture.drop("b.job", ["job.json": "{}"])
        var hints = IncomingHints()
        try watcher.drain(into: &hints)
        let scan = try fixture.spool.pending(hints: &hints, now: fixture.moment(secondsFromNow: 0))
        #expect(scan.drops.map(\.name) == ["a.json", "b.job"])
        #expect(scan.nextLook == nil)
    }

    /// Many come before the clock of the file system ticks; their names go the other way.
    @Test func `drops that come at the same moment are taken in the order in which they came`() throws {
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        let names = (100...199).reversed().map { "drop\($0).json" }
        for name in names { try fixture.write("{}", to: "tmp/\(name)") }
        for name in names { #expect(rename("\(fixture.path)/tmp/\(name)", "\(fixture.path)/incoming/\(name)") == 0) }
        var hints = IncomingHints()
        try watcher.drain(into: &hints)
        let scan = try fixture.spool.pending(hints: &hints, now: fixture.moment(secondsFromNow: 0))
        #expect(scan.drops.map(\.name.description) == names)
    }

    @Test func `what is written in place is taken when it is closed and has been quiet for five seconds`() throws {
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        var hints = IncomingHints()
        let number = open("\(fixture.path)/incoming/a.json", O_WRONLY | O_CREAT, 0o644)
        try #require(number >= 0)
        #expect(write(number, "{", 1) == 1)
        try watcher.drain(into: &hints)
        let open = try fixture.spool.pending(hints: &hints, now: fixture.later)
        #expect(open.drops.isEmpty)
        #expect(open.nextLook == nil, "closing it will wake the watcher")

        close(number)
        try watcher.drain(into: &hints)
        #expect(hints.isWorthAScan)
        let early = try fixture.spool.pending(hints: &hints, now: fixture.moment(secondsFromNow: 1))
        #expect(early.drops.isEmpty)
        let wait = try #require(early.nextLook)
        #expect(wait > .seconds(3) && wait <= .seconds(4.1))
        let late = try fixture.spool.pending(hints: &hints, now: fixture.moment(secondsFromNow: 5.1))
        #expect(late.drops.map(\.name) == ["a.json"])
    }

    @Test func `a file that was linked into incoming is taken though nobody closes it`() throws {
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        try fixture.write("{}", to: "tmp/a.json")
        #expect(link("\(fixture.path)/tmp/a.json", "\(fixture.path)/incoming/a.json") == 0)
        var hints = IncomingHints()
        try watcher.drain(into: &hints)
        #expect(try fixture.spool.pending(hints: &hints, now: fixture.later).drops.count == 1)
    }

    @Test func `at start, without any hint, an old entry is taken and a fresh one waits`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        var hints = IncomingHints()
        let fresh = try fixture.spool.pending(hints: &hints, now: fixture.moment(secondsFromNow: 0))
        #expect(fresh.drops.isEmpty)
        #expect(fresh.nextLook != nil)
        #expect(try fixture.spool.pending(hints: &hints, now: fixture.moment(secondsFromNow: 5.1)).drops.count == 1)
    }

    @Test func `a directory written in place waits until every file in it is quiet`() throws {
        let fixture = try SpoolFixture()
        try fixture.write("{}", to: "incoming/a.job/lists/one.csv")
        let lists = try fixture.spool.incoming.openDirectory("a.job").openDirectory("lists")
        let directories = try lists.status().changed
        // The file is changed a little later than everything else.
        while try #require(try lists.status(of: "one.csv")).changed < directories + 3_000_000 {
            #expect(chmod("\(fixture.path)/incoming/a.job/lists/one.csv", 0o600) == 0)
        }
        var hints = IncomingHints()
        let directoriesAreQuiet = Timestamp(milliseconds: directories / 1_000_000 + 5_001)
        #expect(try fixture.spool.pending(hints: &hints, now: directoriesAreQuiet).drops.isEmpty)
        #expect(try fixture.spool.pending(hints: &hints, now: fixture.later).drops.count == 1)
    }

    @Test func `after the clock was set back, what seems to come from the future is taken`() throws {
        let fixture = try SpoolFixture()
        try fixture.write("{}", to: "incoming/a.json")
        var hints = IncomingHints()
        let scan = try fixture.spool.pending(hints: &hints, now: fixture.moment(secondsFromNow: -3600))
        #expect(scan.drops.count == 1)
    }

    @Test func `an empty directory is read again when it changed or the kernel told of it, and else not`() throws {
        let fixture = try SpoolFixture()
        var hints = IncomingHints()
        let quiet = fixture.moment(secondsFromNow: 6)
        _ = try fixture.spool.pending(hints: &hints, now: quiet)
        awaitTick()
        try fixture.write("{}", to: "incoming/a.json")
        #expect(try fixture.spool.pending(hints: &hints, now: fixture.later).drops.count == 1)
        // As if what is there had been overlooked: it stays so until there is a reason to look.
        hints.nothing.wasRead(try fixture.spool.incoming.status(), isEmpty: true, now: fixture.later)
        #expect(try fixture.spool.pending(hints: &hints, now: fixture.later).drops.isEmpty)
        hints.wasClosed("a.json")
        #expect(try fixture.spool.pending(hints: &hints, now: fixture.later).drops.count == 1)
        #expect(try fixture.spool.pending(hints: &hints, now: fixture.later).drops.count == 1)
    }

    @Test func `of a directory that changed less than five seconds ago nothing is known`() throws {
        let fixture = try SpoolFixture()
        let status = try fixture.spool.incoming.status()
        let changed = status.changed / 1_000_000
        var nothing = EmptyDirectory()
        for (milliseconds, isEmpty, isKnown) in [
            (5_001, true, true), (4_999, true, false), (5_001, false, false), (-1, true, false), (5_001, true, true),
        ] as [(Int64, Bool, Bool)] {
            nothing.wasRead(status, isEmpty: isEmpty, now: Timestamp(milliseconds: changed + milliseconds))
            let soon = Timestamp(milliseconds: changed + milliseconds + 30_000)
            #expect(nothing.isStill(status, now: soon) == isKnown, "\(milliseconds) ms, empty: \(isEmpty)")
        }
        let read = changed + 5_001
        let soon = Timestamp(milliseconds: read + 30_000)
        #expect(try !nothing.isStill(fixture.spool.root.status(), now: soon), "another directory")
        for (milliseconds, isKnown) in [(0, true), (599_999, true), (600_000, false), (-1, false)] as [(Int64, Bool)] {
            let now = Timestamp(milliseconds: read + milliseconds)
            #expect(nothing.isStill(status, now: now) == isKnown, "\(milliseconds) ms later")
        }
    }

    @Test func `drops come in the order of their arrival`() throws {
        let fixture = try SpoolFixture()
        for name in ["z.json", "m.json", "a.json"] {
            try fixture.drop(name, ["": "{}"])
            awaitTick()
        }
        #expect(try fixture.pending().map(\.name) == ["z.json", "m.json", "a.json"])
    }

    @Test func `a scan stops at its limit and says so`() throws {
        let fixture = try SpoolFixture()
        for number in 0..<5 { try fixture.drop("a\(number).json", ["": "{}"]) }
        var hints = IncomingHints()
        let scan = try fixture.spool.pending(hints: &hints, now: fixture.later, limit: 3)
        #expect(scan.drops.count == 3)
        #expect(scan.isPartial)
    }

    @Test func `a name that is not UTF-8 is found and keeps its bytes`() throws {
        let fixture = try SpoolFixture()
        let name = DirectoryEntryName(bytes: [0x61, 0xFF, 0x2E] + Array("json".utf8))
        _ = try fixture.spool.incoming.open(name, O_WRONLY | O_CREAT, mode: 0o644)
        let found = try fixture.pending()
        #expect(found.map(\.name) == [name])
        #expect(found.first?.receiptName == "a%FF")
    }
}

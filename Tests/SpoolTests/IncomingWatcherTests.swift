import Foundation
import Glibc
import Testing

@testable import Spool

struct IncomingWatcherTests {
    @Test func `the descriptor becomes readable when something is dropped`() throws {
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        var poller = pollfd(fd: watcher.fileDescriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&poller, 1, 0) == 0)
        try fixture.drop("a.json", ["": "{}"])
        #expect(poll(&poller, 1, 0) == 1)
        var hints = IncomingHints()
        try watcher.drain(into: &hints)
        #expect(Set(hints.renamed.keys) == ["a.json"])
        #expect(poll(&poller, 1, 0) == 0)
    }

    @Test func `scanning wakes nobody`() throws {
        let fixture = try SpoolFixture()
        try fixture.write("{}", to: "incoming/a.job/job.json")
        let watcher = try IncomingWatcher(fixture.spool)
        _ = try fixture.pending()
        var poller = pollfd(fd: watcher.fileDescriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&poller, 1, 0) == 0)
    }

    @Test func `names that are ignored give no hints`() throws {
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        try fixture.write("{}", to: "tmp/x")
        try fixture.rename("tmp/x", "incoming/.x.json")
        var hints = IncomingHints()
        hints.isWorthAScan = false
        try watcher.drain(into: &hints)
        #expect(!hints.isWorthAScan)
    }

    @Test func `moving incoming away asks for a new spool and a new watcher`() throws {
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        try fixture.rename("incoming", "moved")
        var hints = IncomingHints()
        try watcher.drain(into: &hints)
        #expect(hints.mustRearm)
    }

    @Test func `removing incoming asks for a new spool and a new watcher`() throws {
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        #expect(rmdir("\(fixture.path)/incoming") == 0)
        // The kernel says nothing while a descriptor keeps the directory alive: the scan notices.
        var hints = IncomingHints()
        try watcher.drain(into: &hints)
        _ = try fixture.spool.pending(hints: &hints, now: fixture.later)
        #expect(hints.mustRearm)
        _ = try fixture.reopened()
        #expect(fixture.exists("incoming"))
    }

    @Test func `a burst larger than the queue ends in a scan that finds all`() throws {
        let limit = try #require(
            Int(
                String(
                    decoding: try Data(contentsOf: URL(fileURLWithPath: "/proc/sys/fs/inotify/max_queued_events")),
                    as: UTF8.self
                ).trimmingCharacters(in: .whitespacesAndNewlines)))
        let fixture = try SpoolFixture()
        let watcher = try IncomingWatcher(fixture.spool)
        try fixture.write("{}", to: "tmp/a.json")
        // Two names in turn, since equal events in a row are merged.
        for _ in 0..<(limit / 2 + 1) {
            try fixture.rename("tmp/a.json", "incoming/b.json")
            try fixture.rename("incoming/b.json", "incoming/a.json")
            try fixture.rename("incoming/a.json", "tmp/a.json")
        }
        try fixture.drop("last.json", ["": "{}"])
        var hints = IncomingHints()
        hints.isWorthAScan = false
        for _ in 0..<(limit / 16) { try watcher.drain(into: &hints) }
        #expect(hints.isWorthAScan)
        #expect(hints.renamed["last.json"] == nil)
        #expect(try fixture.spool.pending(hints: &hints, now: fixture.later).drops.map(\.name) == ["last.json"])
    }
}

import Foundation
import Glibc
import Testing

@testable import Spool

struct SpoolDirectoryTests {
    @Test func `a new spool has all its directories and work is private`() throws {
        let fixture = try SpoolFixture()
        let names = ["inbound", "incoming", "outbox", "receipts", "rejected", "tmp", "work"]
        #expect(try fixture.list("") == names)
        #expect(try fixture.list("inbound") == ["cur", "new", "tmp"])
        var status = stat()
        #expect(stat("\(fixture.path)/work", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
    }

    @Test func `the modes of directories that are there already are left alone`() throws {
        let fixture = try SpoolFixture()
        #expect(chmod("\(fixture.path)/incoming", 0o1730) == 0)
        _ = try fixture.reopened()
        var status = stat()
        #expect(stat("\(fixture.path)/incoming", &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o1730)
    }

    @Test func `a spool whose incoming is a symbolic link is refused by name`() throws {
        let fixture = try SpoolFixture()
        try fixture.rename("incoming", "elsewhere")
        #expect(symlink("elsewhere", "\(fixture.path)/incoming") == 0)
        let error = #expect(throws: SpoolError.self) { try fixture.reopened() }
        #expect(error?.description.contains("/incoming must be a directory, not a link") == true)
    }

    @Test func `a second daemon is told which process serves the spool`() throws {
        let fixture = try SpoolFixture()
        let lock = try fixture.spool.lock()
        let error = #expect(throws: SpoolError.self) { try fixture.reopened().lock() }
        #expect(error?.description == "\(fixture.path) is already served by process \(getpid()); stop that one first")
        withExtendedLifetime(lock) {}
    }

    @Test func `a lock is free again when its holder is gone`() throws {
        let fixture = try SpoolFixture()
        do { _ = try fixture.spool.lock() }
        _ = try fixture.reopened().lock()
    }

    @Test func `a missing parent directory is named with what the system says`() throws {
        let error = #expect(throws: SpoolError.self) { try SpoolDirectory(path: "/nonexistent/spool") }
        #expect(error?.description == "cannot make the directory /nonexistent/spool: No such file or directory")
    }

    @Test func `free space is known`() throws {
        #expect(try SpoolFixture().spool.freeBytes() > 0)
    }
}

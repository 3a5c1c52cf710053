import Foundation
import Glibc
import Testing

@testable import Spool

@Suite struct ReturnedMailsTests {
    private let fixture: SpoolFixture

    init() throws {
        fixture = try SpoolFixture()
    }

    private func path(_ file: String) -> String { "\(fixture.spool.inboundPath)/\(file)" }

    private func deliver(_ text: String, as name: String) throws {
        try fixture.write(text, to: "inbound/tmp/\(name)")
        try fixture.rename("inbound/tmp/\(name)", "inbound/new/\(name)")
    }

    private func begin(_ name: DirectoryEntryName, limit: Int = 100) throws -> String {
        String(decoding: try fixture.spool.beginningOfReturnedMail(name, limit: limit), as: UTF8.self)
    }

    @Test func `new messages are those in new, without hidden names, at most so many, and only the wanted`() throws {
        for name in ["1.a", "2.b", "3.c", ".hidden"] { try deliver("text", as: name) }
        try fixture.write("half", to: "inbound/tmp/4.d")
        try fixture.write("old", to: "inbound/cur/5.e:2,S")
        #expect(try fixture.spool.newReturnedMails(limit: 9).sorted() == ["1.a", "2.b", "3.c"])
        #expect(try fixture.spool.newReturnedMails(limit: 2).count == 2)
        #expect(try fixture.spool.newReturnedMails(limit: 9) { $0 != "2.b" }.sorted() == ["1.a", "3.c"])
    }

    @Test func `what was empty is not read before it changes, and what has messages is never taken for empty`() throws {
        var nothing = EmptyDirectory()
        func look() throws -> Bool { try fixture.spool.hasNewReturnedMail(knowing: &nothing, now: fixture.later) }
        #expect(try !look())
        awaitTick()
        try deliver("text", as: ".hidden")
        #expect(try !look())
        awaitTick()
        try deliver("text", as: "1.a")
        for _ in 0..<2 { #expect(try look()) }
        nothing.wasRead(
            try fixture.spool.root.openDirectory("inbound").openDirectory("new").status(), isEmpty: true,
            now: fixture.later)
        #expect(try !look(), "as if it had been overlooked")
        awaitTick()
        try fixture.spool.keepReturnedMail("1.a", isSeen: true)
        try deliver("text", as: "2.b")
        #expect(try look())
    }

    @Test func `a message is read up to the limit, however long it is`() throws {
        try deliver("0123456789", as: "1.a")
        #expect(try begin("1.a", limit: 10) == "0123456789")
        #expect(try begin("1.a", limit: 4) == "0123")
        try makeSparse(path("new/2.b"), size: 1 << 40)
        #expect(try fixture.spool.beginningOfReturnedMail("2.b", limit: 1 << 20).count == 1 << 20)
        try deliver("", as: "3.c")
        #expect(try begin("3.c").isEmpty)
    }

    @Test func `a link is not followed, a pipe is not waited for, and a directory is no message`() throws {
        try fixture.write("secret", to: "secret")
        #expect(symlink(fixture.path + "/secret", path("new/link")) == 0)
        #expect(symlink("/dev/zero", path("new/device")) == 0)
        #expect(mkfifo(path("new/pipe"), 0o600) == 0)
        #expect(mkdir(path("new/directory"), 0o700) == 0)
        for name: DirectoryEntryName in ["link", "device"] {
            let error = #expect(throws: SpoolError.self) { try fixture.spool.beginningOfReturnedMail(name, limit: 9) }
            #expect(error?.code == ELOOP)
        }
        for name: DirectoryEntryName in ["pipe", "directory"] {
            let error = #expect(throws: SpoolError.self) { try fixture.spool.beginningOfReturnedMail(name, limit: 9) }
            #expect(error?.description.hasSuffix("is no message but another kind of file; remove it") == true)
        }
        #expect(try fixture.spool.newReturnedMails(limit: 9).count == 4)
    }

    @Test(.enabled(if: !isRoot, "root reads everything"))
    func `a message that may not be read says so, and stays`() throws {
        try deliver("text", as: "1.a")
        #expect(chmod(path("new/1.a"), 0) == 0)
        let error = #expect(throws: SpoolError.self) { try begin("1.a") }
        #expect(error?.code == EACCES)
        #expect(try fixture.list("inbound/new") == ["1.a"])
    }

    @Test func `a message that was looked at is moved to cur, seen or unseen, with its name`() throws {
        for name in ["1.a", "2.b", "3.c:2,"] { try deliver(name, as: name) }
        try fixture.spool.keepReturnedMail("1.a", isSeen: true)
        try fixture.spool.keepReturnedMail("2.b", isSeen: false)
        try fixture.spool.keepReturnedMail("3.c:2,", isSeen: true)
        #expect(try fixture.list("inbound/new").isEmpty)
        #expect(try fixture.list("inbound/cur") == ["1.a:2,S", "2.b:2,", "3.c:2,S"])
        #expect(try fixture.read("inbound/cur/3.c:2,S") == "3.c:2,")
    }

    @Test func `of two messages with one name both are kept`() throws {
        for text in ["first", "second"] {
            try deliver(text, as: "1.a")
            try fixture.spool.keepReturnedMail("1.a", isSeen: true)
        }
        let names = try fixture.list("inbound/cur")
        #expect(names.count == 2)
        #expect(Set(try names.map { try fixture.read("inbound/cur/\($0)") }) == ["first", "second"])
        #expect(names.allSatisfy { $0.hasSuffix(":2,S") })
    }

    @Test func `a message that is gone or has too long a name is told, and nothing else happens`() throws {
        let gone = #expect(throws: SpoolError.self) { try fixture.spool.keepReturnedMail("1.a", isSeen: true) }
        #expect(gone?.code == ENOENT)
        let long = String(repeating: "n", count: 254)
        try deliver("text", as: long)
        let error = #expect(throws: SpoolError.self) {
            try fixture.spool.keepReturnedMail(DirectoryEntryName(long), isSeen: true)
        }
        #expect(error?.code == ENAMETOOLONG)
        #expect(try fixture.list("inbound/new") == [long])
    }

    @Test func `a name of any bytes is read and moved`() throws {
        let name = DirectoryEntryName(bytes: [0xFF, 0x20, 0x0A, 0x41])
        let bytes = path("new/").utf8.map { CChar(bitPattern: $0) } + name.bytes.map { CChar(bitPattern: $0) } + [0]
        let number = open(bytes, O_WRONLY | O_CREAT, 0o600)
        try #require(number >= 0)
        close(number)
        #expect(try fixture.spool.newReturnedMails(limit: 9) == [name])
        #expect(try fixture.spool.beginningOfReturnedMail(name, limit: 9).isEmpty)
        try fixture.spool.keepReturnedMail(name, isSeen: true)
        #expect(try fixture.spool.newReturnedMails(limit: 9).isEmpty)
    }

    @Test(arguments: ["inbound", "inbound/new"])
    func `a directory that is missing or a link is told at each look, and used again when it is back`(
        directory: String
    ) throws {
        try deliver("text", as: "1.a")
        try fixture.rename(directory, "away")
        let missing = #expect(throws: SpoolError.self) { try fixture.spool.newReturnedMails(limit: 9) }
        #expect(missing?.code == ENOENT)
        #expect(symlink("away", fixture.path + "/" + directory) == 0)
        #expect(throws: SpoolError.self) { try fixture.spool.newReturnedMails(limit: 9) }
        #expect(unlink(fixture.path + "/" + directory) == 0)
        try fixture.rename("away", directory)
        #expect(try fixture.spool.newReturnedMails(limit: 9) == ["1.a"])
    }
}

import Foundation
import Glibc
import Mailing
import Testing

@testable import Spool

struct DropOutcomeTests {
    private let id: JobID

    init() throws {
        id = try #require(JobID("job-1"))
    }

    private func receiptName(_ text: String) throws -> ReceiptName { try #require(ReceiptName(text)) }

    // MARK: Accepting

    @Test func `an accepted drop leaves only the copy, under the job's id`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{}", "lists/l.csv": "email"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        #expect(try fixture.spool.accept(drop, as: id) == nil)
        #expect(try fixture.list("work/claimed").isEmpty)
        #expect(try fixture.list("work/removed").isEmpty)
        #expect(try fixture.list("work/kept") == ["job-1"])
        #expect(try fixture.spool.keptJobs() == [id])
        let list = try #require(try fixture.spool.keptFile("lists/l.csv", of: id))
        #expect(try Data(contentsOf: URL(fileURLWithPath: list)) == Data("email".utf8))
    }

    @Test func `accepting again after a crash changes nothing`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        try fixture.spool.keep(drop, as: id)
        for _ in 1...2 { #expect(try fixture.reopened().accept(drop, as: id) == nil) }
        #expect(try fixture.read("work/kept/job-1/job.json") == "{}")
    }

    @Test func `a copy that an uncommitted attempt left under the id is replaced`() throws {
        let fixture = try SpoolFixture()
        for text in ["1", "2"] {
            try fixture.drop("a.json", ["": text])
            let drop = try fixture.claim()
            _ = try fixture.spool.inspect(drop)
            try fixture.spool.keep(drop, as: id)
            try fixture.spool.discard(drop)
        }
        #expect(try fixture.read("work/kept/job-1/job.json") == "2")
        #expect(try fixture.list("work/kept") == ["job-1"])
    }

    @Test(arguments: [
        "../job-1/job.json", "/etc/hostname", "", ".", "..", "link", "lists", "x\0y", "lists/../job.json", "no",
    ])
    func `a file name that leaves the drop or is no file gives none`(name: String) throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{}", "lists/l.csv": "email"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        try fixture.spool.accept(drop, as: id)
        #expect(symlink("/etc/hostname", "\(fixture.path)/work/kept/job-1/link") == 0)
        #expect(try fixture.spool.keptFile(name, of: id) == nil)
    }

    @Test func `a discarded drop is gone with its copy`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{}", "a/b/c": ""])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        for _ in 1...2 { #expect(try fixture.spool.discard(drop) == nil) }
        for directory in ["claimed", "kept", "removed"] { #expect(try fixture.list("work/\(directory)").isEmpty) }
    }

    @Test func `a bundle with directories closed to writing is removed all the same`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{}", "lists/l.csv": "email"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        let bundle = "\(fixture.path)/work/claimed/\(drop.id)/a.job"
        #expect(chmod(bundle + "/lists", 0o500) == 0)
        #expect(chmod(bundle, 0o500) == 0)
        #expect(try fixture.spool.discard(drop) == nil)
        #expect(try fixture.list("work/removed").isEmpty)
    }

    @Test func `what cannot be removed ends the claim all the same and is reported until it is gone`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{}"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        // Its owner goes on adding, deeper than any drop may be.
        let deep = (1...40).map { _ in "d" }.joined(separator: "/")
        try FileManager.default.createDirectory(
            atPath: "\(fixture.path)/work/claimed/\(drop.id)/a.job/\(deep)", withIntermediateDirectories: true)
        #expect(try fixture.spool.discard(drop)?.description.contains("lies too deep; remove it by hand") == true)
        #expect(try fixture.reopened().claimed().isEmpty)
        #expect(try fixture.reopened().sweep().count == 1)
    }

    @Test func `removing a job's copy may be repeated`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        try fixture.spool.accept(drop, as: id)
        for _ in 1...2 { try fixture.spool.removeKept(id) }
        #expect(try fixture.list("work/kept").isEmpty)
    }

    // MARK: Rejecting

    @Test func `a rejected drop lies untouched beside its receipt`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{", "l.csv": "email"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        let receipt = Receipt(job: nil, kind: nil, state: .rejected)
        #expect(try fixture.spool.reject(drop, receipt: receipt, as: receiptName("a")) == "a")
        #expect(try fixture.list("rejected/a") == ["a.job", "receipt.json"])
        #expect(try fixture.read("rejected/a/a.job/job.json") == "{")
        #expect(try fixture.read("rejected/a/receipt.json") == String(decoding: receipt.document, as: UTF8.self))
        #expect(try fixture.spool.claimed().isEmpty)
        #expect(try fixture.list("work/kept").isEmpty)
        var status = stat()
        #expect(stat("\(fixture.path)/rejected/a", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o750)
    }

    @Test func `a second rejected drop of the same name gets a number`() throws {
        let fixture = try SpoolFixture()
        var names: [String] = []
        for text in ["1", "2", "3"] {
            try fixture.drop("a.json", ["": text])
            let receipt = Receipt(job: nil, kind: nil, state: .rejected)
            names.append(try fixture.spool.reject(fixture.claim(), receipt: receipt, as: receiptName("a")))
        }
        #expect(names == ["a", "a.2", "a.3"])
        #expect(try fixture.read("rejected/a.2/a.json") == "2")
    }

    @Test func `a drop that is called receipt json is not covered by its receipt`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("receipt.json", ["": "mine"])
        let receipt = Receipt(job: nil, kind: nil, state: .rejected)
        try fixture.spool.reject(fixture.claim(), receipt: receipt, as: receiptName("receipt"))
        #expect(try fixture.read("rejected/receipt/receipt.json") == "mine")
        #expect(try fixture.read("rejected/receipt/rejection.json").contains("\"rejected\""))
    }

    @Test func `a link, a pipe and a name of other bytes are quarantined as they are`() throws {
        let fixture = try SpoolFixture()
        #expect(symlink("/etc/hostname", "\(fixture.path)/incoming/link.json") == 0)
        #expect(mkfifo("\(fixture.path)/incoming/pipe.json", 0o644) == 0)
        let odd = DirectoryEntryName(bytes: [0xFF, 0x2E] + Array("json".utf8))
        _ = try fixture.spool.incoming.open(odd, O_WRONLY | O_CREAT, mode: 0o644)
        for pending in try fixture.pending() {
            guard case .claimed(let drop) = try fixture.spool.claim(pending) else { continue }
            let name = try receiptName(try fixture.spool.inspect(drop).name)
            try fixture.spool.reject(drop, receipt: Receipt(job: nil, kind: nil, state: .rejected), as: name)
        }
        #expect(try fixture.list("rejected") == ["%FF", "link", "pipe"])
        #expect(try fixture.spool.rejected.openDirectory("%FF").status(of: odd)?.kind == .regular)
        #expect(try fixture.spool.rejected.openDirectory("link").status(of: "link.json")?.kind == .symbolicLink)
    }
}

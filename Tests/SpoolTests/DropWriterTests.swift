import Foundation
import Glibc
import Mailing
import func TestSupport.becomeUnprivileged
import Testing

@testable import Spool

struct DropWriterTests {
    private let fixture: SpoolFixture
    private let writer: DropWriter

    init() throws {
        fixture = try SpoolFixture()
        writer = try DropWriter(spool: fixture.path)
    }

    private func bundle(_ files: [String: String], name: String = "news.job") throws -> String {
        for (file, text) in files { try fixture.write(text, to: "elsewhere/\(name)/\(file)") }
        return "\(fixture.path)/elsewhere/\(name)"
    }

    @Test func `a job is written in tmp and arrives in incoming by one rename`() throws {
        let draft = try writer.draft(Array("{}".utf8), name: "a")
        #expect(try fixture.list("tmp").count == 1)
        #expect(try fixture.list("incoming").isEmpty)
        let dropped = try writer.drop(draft)
        #expect(try fixture.list("tmp").isEmpty)
        #expect(try fixture.read("incoming/a.json") == "{}")
        #expect(dropped.path == fixture.path + "/incoming/a.json")
        #expect(try writer.isWaiting(dropped))
        _ = try fixture.claim()
        #expect(try !writer.isWaiting(dropped))
    }

    @Test func `the daemon drops into its own spool as anybody does`() throws {
        let own = DropWriter(fixture.spool)
        let dropped = try own.drop(own.draft(Array("{}".utf8), name: "a"))
        #expect(try fixture.list("tmp").isEmpty)
        #expect(try fixture.read("incoming/a.json") == "{}")
        _ = try fixture.claim()
        #expect(try !own.isWaiting(dropped))
    }

    @Test func `nothing that waits is replaced, and the draft can be taken back`() throws {
        _ = try writer.drop(writer.draft(Array("first".utf8), name: "a"))
        let second = try writer.draft(Array("second".utf8), name: "a")
        #expect(try writer.isTaken(second.drop))
        do throws(SpoolError) {
            _ = try writer.drop(second)
            Issue.record("the second one replaced the first")
        } catch {
            #expect(error.code == EEXIST)
        }
        #expect(try fixture.read("incoming/a.json") == "first")
        try writer.discard(second)
        #expect(try fixture.list("tmp").isEmpty)
    }

    @Test func `an entry that took the name of a drop later is not taken for it`() throws {
        let dropped = try writer.drop(writer.draft(Array("first".utf8), name: "a"))
        _ = try fixture.claim()
        try fixture.write("other", to: "incoming/a.json")
        #expect(try !writer.isWaiting(dropped))
    }

    @Test func `a bundle is copied whole, and what lies elsewhere stays`() throws {
        let path = try bundle(["job.json": "{}", "lists/readers.csv": "email\n"])
        let (draft, job) = try writer.draft(JobSource(path: path + "/"))
        #expect(job.jobFile == Array("{}".utf8))
        #expect(job.inspection.owner == geteuid())
        _ = try writer.drop(try #require(draft))
        #expect(try fixture.read("incoming/news.job/lists/readers.csv") == "email\n")
        #expect(try fixture.read("elsewhere/news.job/job.json") == "{}")
        #expect(try fixture.list("tmp").isEmpty)
        let inspection = try fixture.inspect()
        #expect(inspection.errors.isEmpty)
        #expect(inspection.sha256 == job.inspection.sha256, "the daemon finds what was copied")
    }

    @Test func `a file of any name is dropped under the name that was said`() throws {
        try fixture.write("{}", to: "elsewhere/ein Brief.txt")
        let source = try JobSource(path: fixture.path + "/elsewhere/ein Brief.txt", name: "letter")
        let (draft, job) = try writer.draft(source)
        _ = try writer.drop(try #require(draft))
        #expect(try fixture.list("incoming") == ["letter.json"])
        #expect(job.inspection.jobFileName == "letter.json")
    }

    @Test(arguments: ["", "..", "a/b", "-x", "ä", String(repeating: "x", count: 129)])
    func `a name that no drop may have makes no draft`(name: String) throws {
        let source = try JobSource(path: try bundle(["job.json": "{}"]), name: name)
        let (draft, job) = try writer.draft(source)
        #expect(draft == nil)
        #expect(job.inspection.errors.count == 1)
        #expect(try fixture.list("tmp").isEmpty)
        #expect(try fixture.list("incoming").isEmpty)
    }

    @Test func `hard links and files of others are copied, symbolic links are not`() throws {
        let path = try bundle(["job.json": "{}", "a.txt": "text"])
        #expect(link(path + "/a.txt", path + "/b.txt") == 0)
        let (draft, job) = try writer.draft(JobSource(path: path))
        #expect(job.inspection.errors.isEmpty)
        try writer.discard(try #require(draft))
        #expect(symlink("/etc/hostname", path + "/c.txt") == 0)
        let (none, faulty) = try writer.draft(JobSource(path: path))
        #expect(none == nil)
        #expect(faulty.inspection.errors.map(\.file) == ["c.txt"])
        #expect(try fixture.list("tmp").isEmpty, "nothing is left of the draft")
    }

    @Test func `a job that is judged where it lies has the identity of its copy`() throws {
        let source = try JobSource(path: try bundle(["job.json": "{}", "a.txt": "text"]))
        let here = try source.examine(as: 4711)
        let (draft, there) = try writer.draft(source)
        try writer.discard(try #require(draft))
        #expect(here.inspection.sha256 == there.inspection.sha256)
        #expect(here.inspection.owner == 4711)
        #expect(here.jobFile == there.jobFile)
        #expect(try fixture.read("elsewhere/news.job/a.txt") == "text")
    }

    @Test func `a relative path, a dot and slashes at the end name the same bundle`() throws {
        let path = try bundle(["job.json": "{}"])
        for spelling in [path, path + "///", path + "/.", path + "/../news.job"] {
            #expect(try JobSource(path: spelling).drop.text == "news.job")
        }
    }

    @Test(arguments: ["nothing.json", "missing/a.json", ""])
    func `what is not there is said to be missing`(path: String) throws {
        do throws(SpoolError) {
            _ = try JobSource(path: path.isEmpty ? "" : fixture.path + "/" + path)
            Issue.record("there is such a job")
        } catch {
            #expect(error.code == ENOENT)
        }
    }

    @Test func `a spool that is not there is said to be missing`() throws {
        do throws(SpoolError) {
            _ = try DropWriter(spool: fixture.path + "/none")
            Issue.record("there is such a spool")
        } catch {
            #expect(error.code == ENOENT)
        }
    }

    @Test func `who may make entries needs no right to list them, and others are refused`() async {
        await #expect(processExitsWith: .success) {
            becomeUnprivileged()
            let fixture = try SpoolFixture()
            try fixture.write("{}", to: "elsewhere/a.json")
            let source = try JobSource(path: fixture.path + "/elsewhere/a.json")
            for name in ["tmp", "incoming"] { try #require(chmod("\(fixture.path)/\(name)", 0o300) == 0) }
            let writer = try DropWriter(spool: fixture.path)
            let dropped = try writer.drop(try #require(try writer.draft(source).draft))
            try #require(try writer.isWaiting(dropped))
            try #require(chmod("\(fixture.path)/tmp", 0o500) == 0)
            var code: Int32 = 0
            do throws(SpoolError) {
                _ = try writer.draft(Array("{}".utf8), name: "b")
            } catch {
                code = error.code
            }
            try #require(code == EACCES)
        }
    }
}

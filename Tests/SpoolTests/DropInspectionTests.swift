import Foundation
import Glibc
import Mailing
import Testing

@testable import Spool

struct DropInspectionTests {
    @Test func `one file is copied as job json with its owner and its identity`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("news.json", ["": "{}"])
        let inspection = try fixture.inspect()
        #expect(inspection.errors.isEmpty)
        #expect(inspection.name == "news")
        #expect(inspection.form == .single)
        #expect(inspection.owner == geteuid())
        #expect(inspection.files.map(\.path) == ["job.json"])
        #expect(try fixture.spool.jobFile(of: inspection) == Array("{}".utf8))
    }

    @Test func `a bundle is copied whole, its files sorted by path`() throws {
        let fixture = try SpoolFixture()
        let files = ["job.json": "{}", "b/leden.csv": "email", "a.txt": "", "b/c/Folder 2026 é.pdf": "pdf"]
        try fixture.drop("news.job", files)
        let inspection = try fixture.inspect()
        #expect(inspection.errors.isEmpty)
        #expect(inspection.form == .bundle)
        #expect(inspection.files.map(\.path) == ["a.txt", "b/c/Folder 2026 é.pdf", "b/leden.csv", "job.json"])
        for (path, text) in files {
            let copy = try Data(contentsOf: URL(fileURLWithPath: "\(inspection.directory)/\(path)"))
            #expect(copy == Data(text.utf8))
        }
    }

    @Test func `the identity is what the recipe says`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("news.job", ["job.json": "{}", "b/x.csv": "email\n", "a.txt": "hi"])
        // find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum
        #expect(
            try fixture.inspect().sha256 == "a83020d57b68599e23d5ada19551e4e6afd4e41ed07c5ec8ae57ab1b81eae5ff")
    }

    @Test func `one file and a bundle that holds it as job json are the same`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{ }"])
        let single = try fixture.inspect()
        try fixture.drop("b.job", ["job.json": "{ }"])
        let bundle = try fixture.inspect()
        #expect(single.sha256 == bundle.sha256)
        #expect(single.sha256 != nil)
    }

    @Test func `a changed byte, a changed name and a moved boundary each change the identity`() throws {
        let fixture = try SpoolFixture()
        var seen: Set<String?> = []
        for files in [["x": "1", "y": "2"], ["x": "1", "y": "3"], ["x": "1", "z": "2"], ["x": "12", "y": ""]] {
            try fixture.drop("a.job", files.merging(["job.json": "{}"]) { $1 })
            seen.insert(try fixture.inspect().sha256)
        }
        #expect(seen.count == 4 && !seen.contains(nil))
    }

    @Test func `inspecting again after a crash gives the same and leaves one copy`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{}", "x/y": "z"])
        let drop = try fixture.claim()
        let first = try fixture.spool.inspect(drop)
        let second = try fixture.reopened().inspect(drop)
        #expect(first.sha256 == second.sha256)
        #expect(try fixture.list("work/kept").count == 1)
        #expect(try fixture.list("work/removed").isEmpty)
    }

    @Test func `the copy stays as it was though the producer goes on writing`() throws {
        let fixture = try SpoolFixture()
        try fixture.write("{}", to: "tmp/a.json")
        let number = open("\(fixture.path)/tmp/a.json", O_WRONLY | O_APPEND)
        try #require(number >= 0)
        defer { close(number) }
        try fixture.rename("tmp/a.json", "incoming/a.json")
        let inspection = try fixture.inspect()
        #expect(write(number, "more", 4) == 4)
        #expect(try fixture.spool.jobFile(of: inspection) == Array("{}".utf8))
    }

    @Test func `a list of five megabytes, many buffers long, is copied whole`() throws {
        let fixture = try SpoolFixture()
        let list = String(repeating: "jan@example.org;Jan Jansen;9401\n", count: 160_000)
        try fixture.drop("a.job", ["job.json": "{}", "leden.csv": list])
        let drop = try fixture.claim()
        let inspection = try fixture.spool.inspect(drop)
        #expect(inspection.files.last?.size == Int64(list.utf8.count))
        let copy = try Data(contentsOf: URL(fileURLWithPath: inspection.directory + "/leden.csv"))
        #expect(copy == Data(list.utf8))
    }
}

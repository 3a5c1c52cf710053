import Foundation
import Glibc
import Mailing
import Synchronization
import func TestSupport.becomeUnprivileged
import Testing

@testable import Spool

/// Runs `background` in a thread of its own while `body` runs, and returns when both have ended.
private func withThread(_ background: @escaping @Sendable () -> Void, while body: () throws -> Void) rethrows {
    let thread = Thread(block: background)
    thread.start()
    defer { while !thread.isFinished { sched_yield() } }
    try body()
}

/// Everything that a hostile or careless program may put where a job is expected.
struct DropInspectorTests {
    /// Makes a claim with a bundle that `build` fills, given its path, and inspects it.
    private func inspect(
        limits: DropLimits = DropLimits(), jobFile: String? = "{}", _ build: (String) throws -> Void
    ) throws -> Inspection {
        let fixture = try SpoolFixture(limits: limits)
        try fixture.write("", to: "tmp/a.job/.keep")
        #expect(unlink("\(fixture.path)/tmp/a.job/.keep") == 0)
        if let jobFile { try fixture.write(jobFile, to: "tmp/a.job/job.json") }
        try build("\(fixture.path)/tmp/a.job")
        try fixture.rename("tmp/a.job", "incoming/a.job")
        return try fixture.inspect()
    }

    private func inspectSingle(
        limits: DropLimits = DropLimits(), name: String = "a.json", _ build: (String) throws -> Void
    ) throws -> Inspection {
        let fixture = try SpoolFixture(limits: limits)
        try build("\(fixture.path)/incoming/\(name)")
        return try fixture.inspect()
    }

    private func expectOnly(
        _ inspection: Inspection, _ file: String, _ words: String, _ line: SourceLocation = #_sourceLocation
    ) {
        #expect(inspection.sha256 == nil, sourceLocation: line)
        #expect(inspection.errors.map(\.file) == [file], sourceLocation: line)
        #expect(inspection.errors.first?.message.contains(words) == true, "\(inspection.errors)", sourceLocation: line)
    }

    // MARK: What is not a file

    @Test func `a symbolic link is refused, even to a readable file`() throws {
        let single = try inspectSingle { #expect(symlink("/etc/hostname", $0) == 0) }
        expectOnly(single, "a.json", "is a symbolic link")
        let inside = try inspect { #expect(symlink("/etc/hostname", $0 + "/list.csv") == 0) }
        expectOnly(inside, "list.csv", "is a symbolic link")
        #expect(inside.files.map(\.path) == ["job.json"])
    }

    @Test func `a symbolic link to a directory is refused as a bundle and inside one`() throws {
        let bundle = try inspectSingle(name: "a.job") { #expect(symlink("/etc", $0) == 0) }
        expectOnly(bundle, "a.job", "must be a directory, and is a symbolic link")
        let inside = try inspect { #expect(symlink("/etc", $0 + "/lists") == 0) }
        expectOnly(inside, "lists", "is a symbolic link")
    }

    @Test(.timeLimit(.minutes(5))) func `a named pipe is refused without waiting for its writer`() throws {
        expectOnly(try inspectSingle { #expect(mkfifo($0, 0o644) == 0) }, "a.json", "is a named pipe")
        expectOnly(try inspect { #expect(mkfifo($0 + "/x", 0o644) == 0) }, "x", "is a named pipe")
        expectOnly(try inspectSingle(name: "a.job") { #expect(mkfifo($0, 0o644) == 0) }, "a.job", "is a named pipe")
    }

    @Test func `a socket is refused`() throws {
        let inspection = try inspect { path in
            let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(number) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            // The path may be longer than a socket's address can hold, so it is bound nearby and moved.
            let short = FileManager.default.temporaryDirectory.path + "/s\(UInt32.random(in: .min ... .max))"
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
            let bound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            #expect(bound == 0)
            #expect(rename(short, path + "/x") == 0)
        }
        expectOnly(inspection, "x", "is a socket")
    }

    @Test(.enabled(if: isRoot, "only root may make devices"))
    func `a device is refused`() throws {
        expectOnly(try inspect { #expect(mknod($0 + "/x", S_IFCHR | 0o644, 0x0105) == 0) }, "x", "is a device")
    }

    @Test func `a hard link is refused, since its other name may belong to anyone`() throws {
        let fixture = try SpoolFixture()
        try fixture.write("{}", to: "tmp/other")
        #expect(link("\(fixture.path)/tmp/other", "\(fixture.path)/incoming/a.json") == 0)
        expectOnly(try fixture.inspect(), "a.json", "has 2 hard links")
    }

    @Test func `a directory named json and a file named job are refused`() throws {
        expectOnly(try inspectSingle { #expect(mkdir($0, 0o755) == 0) }, "a.json", "and is a directory")
        let file = try inspectSingle(name: "a.job") { try Data("{}".utf8).write(to: URL(fileURLWithPath: $0)) }
        expectOnly(file, "a.job", "must be a directory, and is a regular file")
    }

    // MARK: What is too much

    @Test func `a sparse file of twenty gigabytes is refused by its size alone`() throws {
        let start = ContinuousClock.now
        expectOnly(try inspectSingle { try makeSparse($0, size: 20 << 30) }, "a.json", "has 21474836480 bytes")
        expectOnly(try inspect { try makeSparse($0 + "/x", size: 20 << 30) }, "x", "67108864 are allowed")
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func `job json of a bundle has a limit of its own`() throws {
        var limits = DropLimits()
        limits.jobFile = 10
        expectOnly(
            try inspect(limits: limits, jobFile: "{          }") { _ in }, "job.json",
            "has 12 bytes, and 10 are allowed")
        #expect(try inspect(limits: limits, jobFile: "{        }") { _ in }.errors.isEmpty)
    }

    @Test func `a bundle is refused when its files together are too large`() throws {
        var limits = DropLimits()
        limits.bundle = 100
        let inspection = try inspect(limits: limits) { path in
            try makeSparse(path + "/a", size: 60)
            try makeSparse(path + "/b", size: 60)
        }
        expectOnly(inspection, "a.job", "more than 100 bytes in all")
    }

    @Test func `a bundle of a hundred files is good and one of a hundred and one is refused once`() throws {
        let good = try inspect { path in for number in 1..<100 { try makeSparse("\(path)/\(number)", size: 0) } }
        #expect(good.errors.isEmpty)
        #expect(good.files.count == 100)
        let bad = try inspect { path in for number in 1...100 { try makeSparse("\(path)/\(number)", size: 0) } }
        expectOnly(bad, "a.job", "holds more than 100 files")
    }

    @Test func `a path of four parts is good and one of five is refused`() throws {
        let good = try inspect { path in
            try FileManager.default.createDirectory(atPath: path + "/a/b/c", withIntermediateDirectories: true)
            try makeSparse(path + "/a/b/c/d", size: 1)
        }
        #expect(good.errors.isEmpty)
        let bad = try inspect { path in
            try FileManager.default.createDirectory(atPath: path + "/a/b/c/d", withIntermediateDirectories: true)
            try makeSparse(path + "/a/b/c/d/e", size: 1)
        }
        expectOnly(bad, "a/b/c/d", "lies too deep")
    }

    // MARK: What is missing

    @Test func `a bundle without job json and an empty one are refused`() throws {
        expectOnly(
            try inspect(jobFile: nil) { try makeSparse($0 + "/x", size: 1) }, "a.job", "must have a file job.json")
        expectOnly(try inspect(jobFile: nil) { _ in }, "a.job", "is an empty directory")
    }

    @Test func `an empty directory inside a bundle is refused`() throws {
        expectOnly(try inspect { #expect(mkdir($0 + "/lists", 0o755) == 0) }, "lists", "is an empty directory")
    }

    @Test func `every fault of a bundle is told at once`() throws {
        let inspection = try inspect { path in
            #expect(symlink("/etc/hostname", path + "/link") == 0)
            #expect(mkfifo(path + "/pipe", 0o644) == 0)
            #expect(mkdir(path + "/void", 0o755) == 0)
        }
        #expect(inspection.errors.map(\.file) == ["link", "pipe", "void"])
    }

    // MARK: Names

    @Test func `a drop whose name is not UTF-8 is refused and its name spelled out`() throws {
        let fixture = try SpoolFixture()
        let name = DirectoryEntryName(bytes: [0xFF] + Array(".json".utf8))
        _ = try fixture.spool.incoming.open(name, O_WRONLY | O_CREAT, mode: 0o644)
        let inspection = try fixture.inspect()
        expectOnly(inspection, "%FF.json", "must be 1 to 128 letters")
        #expect(inspection.name == "%FF")
    }

    @Test func `a file name with a line break inside a bundle is refused`() throws {
        let inspection = try inspect { try makeSparse($0 + "/a\nb", size: 1) }
        expectOnly(inspection, "a%0Ab", "without control characters")
    }

    @Test func `a file name inside a bundle that is not UTF-8 is refused`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{}"])
        let bundle = try fixture.spool.incoming.openDirectory("a.job")
        _ = try bundle.open(DirectoryEntryName(bytes: [0x61, 0xFE]), O_WRONLY | O_CREAT, mode: 0o644)
        expectOnly(try fixture.inspect(), "a%FE", "must be UTF-8")
    }

    @Test func `NAME json and NAME job are two drops that are answered apart`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "1"])
        try fixture.drop("a.job", ["job.json": "2"])
        var receipts: Set<String> = []
        for pending in try fixture.pending() {
            guard case .claimed(let drop) = try fixture.spool.claim(pending) else { continue }
            let inspection = try fixture.spool.inspect(drop)
            #expect(inspection.name == "a")
            receipts.insert(try fixture.spool.reserveReceipt(inspection.name, owner: drop.id).text)
        }
        #expect(receipts == ["a", "a.2"])
    }

    // MARK: Owners and permissions

    @Test(.enabled(if: isRoot, "only root may give files away"))
    func `the owner is the one of the drop, and a file of another inside it is refused`() throws {
        let single = try inspectSingle { path in
            try makeSparse(path, size: 2)
            #expect(chown(path, 1234, 1234) == 0)
        }
        #expect(single.errors.isEmpty)
        #expect(single.owner == 1234)
        let mixed = try inspect { path in
            try makeSparse(path + "/x", size: 2)
            #expect(chown(path + "/x", 1234, 1234) == 0)
        }
        expectOnly(mixed, "x", "belongs to uid 1234 and the drop to uid 0")
    }

    @Test func `what the daemon may not read is refused with the mode that it needs`() async {
        await #expect(processExitsWith: .success) {
            becomeUnprivileged()
            let tests = DropInspectorTests()
            let single = try tests.inspectSingle { path in
                try makeSparse(path, size: 2)
                try #require(chmod(path, 0) == 0)
            }
            try #require(single.errors.first?.message.contains("cannot be read by the daemon") == true)
            let directory = try tests.inspect { path in
                try #require(mkdir(path + "/lists", 0) == 0)
            }
            try #require(directory.errors.contains { $0.file == "lists" && $0.message.contains("cannot be read") })
        }
    }

    // MARK: What changes meanwhile

    @Test(.timeLimit(.minutes(5))) func `a file that grows while it is copied is refused or copied as it was`() throws {
        let fixture = try SpoolFixture()
        var refused = 0
        // The writer need not meet the copy every time.
        while refused == 0 {
            try fixture.drop("a.json", ["": String(repeating: " ", count: 4 << 20)])
            let drop = try fixture.claim()
            let file = "\(fixture.path)/work/claimed/\(drop.id)/a.json"
            let isDone = Mutex(false)
            try withThread {
                let number = open(file, O_WRONLY | O_APPEND)
                while !isDone.withLock({ $0 }) { _ = write(number, "x", 1) }
                close(number)
            } while: {
                defer { isDone.withLock { $0 = true } }
                let inspection = try fixture.spool.inspect(drop)
                if inspection.errors.isEmpty {
                    let copy = try Data(contentsOf: URL(fileURLWithPath: inspection.directory + "/job.json"))
                    #expect(Int64(copy.count) == inspection.files.first?.size)
                } else {
                    refused += 1
                    expectOnly(inspection, "a.json", "changed while it was being read")
                }
            }
            try fixture.spool.discard(drop)
        }
    }

    @Test(.timeLimit(.minutes(5))) func `a directory that is swapped for a link never leads out of the drop`() throws {
        let fixture = try SpoolFixture()
        for _ in 0..<30 {
            try fixture.write("secret", to: "private/list.csv")
            try fixture.drop("a.job", ["job.json": "{}", "x/list.csv": "mine", "x/y": ""])
            let drop = try fixture.claim()
            let bundle = "\(fixture.path)/work/claimed/\(drop.id)/a.job"
            let outside = "\(fixture.path)/private"
            try withThread {
                for _ in 0..<200 {
                    rename(bundle + "/x", bundle + "/.y")
                    symlink(outside, bundle + "/x")
                    unlink(bundle + "/x")
                    rename(bundle + "/.y", bundle + "/x")
                }
            } while: {
                let inspection = try fixture.spool.inspect(drop)
                let copy = inspection.directory + "/x/list.csv"
                if let data = FileManager.default.contents(atPath: copy) { #expect(data != Data("secret".utf8)) }
            }
            try fixture.spool.discard(drop)
        }
    }
}

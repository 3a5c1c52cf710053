import Glibc
import Mailing
import Synchronization
import func TestSupport.becomeUnprivileged
import Testing

@testable import Spool

struct DropClaimTests {
    @Test func `a claimed drop has left incoming and keeps its name`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        let drop = try fixture.claim()
        #expect(drop.name == "a.json")
        #expect(drop.receiptName == "a")
        #expect(drop.attempts == 0)
        #expect(try fixture.list("incoming").isEmpty)
        #expect(try fixture.read("work/claimed/\(drop.id)/a.json") == "{}")
    }

    @Test func `what is claimed cannot be claimed again`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        let pending = try fixture.pending()[0]
        guard case .claimed = try fixture.spool.claim(pending) else {
            Issue.record("the first claim failed")
            return
        }
        #expect(try fixture.spool.claim(pending) == .gone)
        #expect(try fixture.reopened().claim(pending) == .gone)
        #expect(try fixture.spool.claimed().count == 1)
    }

    @Test func `two drops of the same name are two claims`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "1"])
        let first = try fixture.claim()
        try fixture.drop("a.json", ["": "2"])
        let second = try fixture.claim()
        #expect(first.id != second.id)
        #expect(try fixture.spool.claimed().map(\.id) == [first.id, second.id])
    }

    @Test func `after a crash claims that were made at the same moment are found in their order`() throws {
        let fixture = try SpoolFixture()
        for number in 100...199 { try fixture.write("{}", to: "incoming/drop\(number).json") }
        let pending = try fixture.pending().reversed()
        let claims = try pending.map { drop in
            guard case .claimed(let claim) = try fixture.spool.claim(drop) else {
                throw SpoolError("claim", "\(drop.name)", code: 0)
            }
            return claim
        }
        #expect(claims.count == 100)
        #expect(try fixture.reopened().claimed() == claims)
        #expect(claims.map(\.id) == claims.map(\.id).sorted(), "also where the times of the files are the same")
    }

    @Test func `after a crash what was claimed is found again under its name`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.job", ["job.json": "{}"])
        let drop = try fixture.claim()
        #expect(try fixture.reopened().claimed() == [drop])
    }

    @Test func `a claim that ends while others read the claims is no trouble to them`() async throws {
        let fixture = try SpoolFixture()
        for number in 0..<40 { try fixture.write("", to: "work/claimed/claim\(number)/a.json") }
        let looks = Mutex(0)
        let hasEnded = Mutex(false)
        let reading = Task { [spool = fixture.spool] in
            defer { hasEnded.withLock { $0 = true } }
            while !Task.isCancelled {
                _ = try spool.claimed()
                looks.withLock { $0 += 1 }
                await Task.yield()
            }
        }
        while looks.withLock({ $0 }) == 0, !hasEnded.withLock({ $0 }) { await Task.yield() }
        let before = looks.withLock { $0 }
        var rounds = 0
        while !hasEnded.withLock({ $0 }), rounds < 60 || looks.withLock({ $0 }) < before + 10 {
            try fixture.drop("a.json", ["": "{}"])
            #expect(try fixture.spool.discard(fixture.claim()) == nil)
            rounds += 1
            await Task.yield()
        }
        reading.cancel()
        try await reading.value
    }

    @Test func `a crash between making the claim and the rename leaves the drop where it was`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        _ = try fixture.spool.claims.makeDirectory("0123", mode: 0o700)
        let again = try fixture.reopened()
        #expect(try again.claimed().isEmpty)
        #expect(try again.sweep().isEmpty)
        #expect(try fixture.list("work/claimed").isEmpty)
        #expect(try fixture.pending().count == 1)
    }

    @Test func `each inspection that did not end in a plan is counted over crashes`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        let drop = try fixture.claim()
        for attempt in 1...3 {
            let again = try fixture.reopened()
            _ = try again.inspect(drop)
            #expect(try again.claimed().map(\.attempts) == [attempt])
        }
        try fixture.spool.planned(drop)
        try fixture.spool.planned(drop)
        #expect(try fixture.reopened().claimed().map(\.attempts) == [0])
    }

    @Test func `trouble of the machine is not counted against the drop`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        // In the way of the copy lies what can be neither replaced nor removed.
        let deep = (1...40).map { _ in "d" }.joined(separator: "/")
        try fixture.write("", to: "work/kept/.\(drop.id)/\(deep)/x")
        #expect(throws: SpoolError.self) { try fixture.spool.inspect(drop) }
        #expect(try fixture.spool.claimed().map(\.attempts) == [1])
    }

    @Test func `a name that is not UTF-8 survives claiming and a crash`() throws {
        let fixture = try SpoolFixture()
        let name = DirectoryEntryName(bytes: [0xC3, 0x28, 0x2E] + Array("job".utf8))
        #expect(try fixture.spool.incoming.makeDirectory(name, mode: 0o755))
        let drop = try fixture.claim()
        #expect(try fixture.reopened().claimed() == [drop])
        #expect(drop.name == name)
    }

    @Test func `a bundle that the daemon may not move is answered and put aside in place`() async {
        await #expect(processExitsWith: .success) {
            becomeUnprivileged()
            let fixture = try SpoolFixture()
            try fixture.drop("a.job", ["job.json": "{}"])
            try #require(chmod("\(fixture.path)/incoming/a.job", 0o500) == 0)
            let pending = try fixture.pending()[0]
            guard case .unclaimable(let error) = try fixture.spool.claim(pending) else {
                return try #require(Bool(false), "it was claimed all the same")
            }
            try #require(error.file == "a.job")
            try #require(error.message.contains("may not move it"))
            try #require(try fixture.pending() == [pending], "a crash here finds it again under the same identity")
            try fixture.spool.refuse(pending)
            try #require(try fixture.list("incoming") == [".refused-a.job"])
            try #require(try fixture.list("work/claimed").isEmpty)
        }
    }

    @Test func `what is refused never replaces what was refused before`() throws {
        let fixture = try SpoolFixture()
        for _ in 1...2 {
            try fixture.drop("a.json", ["": "{}"])
            try fixture.spool.refuse(fixture.pending()[0])
        }
        let names = try fixture.list("incoming")
        #expect(names.count == 2)
        #expect(names.allSatisfy { $0.hasPrefix(".refused-") })
    }

    @Test func `refusing the longest name there is works`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop(String(repeating: "a", count: 250) + ".json", ["": "{}"])
        try fixture.spool.refuse(fixture.pending()[0])
        #expect(try fixture.pending().isEmpty)
        #expect(try fixture.list("incoming").count == 1)
    }
}

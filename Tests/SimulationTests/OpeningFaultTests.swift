import Foundation
import GRDB
import Ledger
import TestSupport
import Testing

/// A ledger that is opened after a crash, on a disk that fails.
struct OpeningFaultTests {
    /// A ledger as a crash leaves it, with everything in the write-ahead log still; and what is in it.
    private func crashed(_ directory: TemporaryDirectory) async throws -> (path: String, contents: [String]) {
        let whole = directory.path("whole")
        try FileManager.default.createDirectory(atPath: whole, withIntermediateDirectories: true)
        let ledger = try DeliveryLedger(path: whole + "/ledger.sqlite")
        let path = directory.path("crashed")
        try FileManager.default.copyItem(atPath: whole, toPath: path)
        try await ledger.close()
        return (path, try contents(whole))
    }

    /// The schema, and the facts, which are written last.
    private func contents(_ directory: String) throws -> [String] {
        let queue = try DatabaseQueue(path: directory + "/ledger.sqlite")
        defer { #expect(throws: Never.self) { try queue.close() } }
        return try queue.read { database in
            try String.fetchAll(database, sql: "SELECT name FROM sqlite_schema ORDER BY name")
                + String.fetchAll(database, sql: "SELECT name || ' ' || value FROM facts ORDER BY name")
        }
    }

    /// Opens a copy with these steps failing. Returns how many steps there were.
    private func open(
        _ path: String, in directory: TemporaryDirectory, contents: [String], reason: Int32, failing: [ClosedRange<Int>]
    ) throws -> Int {
        let copy = directory.path("copy")
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        let faults = failing.map { SimulatedDisk.Fault(first: $0.lowerBound, last: $0.upperBound, reason: reason) }
        let disk = SimulatedDisk(crashAt: nil, faults: faults)
        var isOpen = false
        disk.watch {
            // That it cannot be opened is as it should be; what counts is what is left.
            isOpen = (try? DeliveryLedger(path: copy + "/ledger.sqlite")) != nil
        }
        #expect(isOpen || disk.failed > 0)
        #expect(try self.contents(copy) == contents, "the steps \(failing) fail, opened: \(isOpen)")
        try FileManager.default.removeItem(atPath: copy)
        return disk.steps
    }

    @Test(arguments: [EIO, ENOSPC, EROFS])
    func `whatever fails while it is opened, nothing of it is lost`(reason: Int32) async throws {
        let directory = try TemporaryDirectory()
        let (path, contents) = try await crashed(directory)
        try #require(contents.count > 10 && contents.contains { $0.hasPrefix("key ") })
        var steps = try open(path, in: directory, contents: contents, reason: reason, failing: [])
        #expect(steps > 20, "\(steps) steps that may fail")
        var first = 1
        while first <= steps {
            let long = (0..<4).map { [first...(first + $0)] }
            let apart = first + 2 <= steps ? ((first + 2)...steps).map { [first...first, $0...$0] } : []
            for failing in long + apart {
                let taken = try open(path, in: directory, contents: contents, reason: reason, failing: failing)
                steps = max(steps, taken)
            }
            first += 1
        }
    }
}

import Foundation
import GRDB
import Ledger
import TestSupport
import Testing

/// A ledger that is opened after a crash, on a disk that fails.
struct OpeningFaultTests {
    /// A ledger as a crash leaves it, with everything in the write-ahead log still; and how many tables it has.
    private func crashed(_ directory: TemporaryDirectory) async throws -> (path: String, tables: Int) {
        let whole = directory.path("whole")
        try FileManager.default.createDirectory(atPath: whole, withIntermediateDirectories: true)
        let ledger = try DeliveryLedger(path: whole + "/ledger.sqlite")
        let path = directory.path("crashed")
        try FileManager.default.copyItem(atPath: whole, toPath: path)
        try await ledger.close()
        return (path, try tables(whole))
    }

    private func tables(_ directory: String) throws -> Int {
        let queue = try DatabaseQueue(path: directory + "/ledger.sqlite")
        defer { #expect(throws: Never.self) { try queue.close() } }
        return try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_schema") ?? 0 }
    }

    @Test(arguments: [EIO, ENOSPC, EROFS])
    func `whatever fails while it is opened, nothing of it is lost`(reason: Int32) async throws {
        let directory = try TemporaryDirectory()
        let (path, tables) = try await crashed(directory)
        try #require(tables > 10)
        // None fails in the first of them, which tells how many steps there are.
        var (first, steps) = (0, 0)
        while first <= steps {
            for length in first == 0 ? [1] : [1, 2, 3, 4] {
                let copy = directory.path("copy")
                try FileManager.default.copyItem(atPath: path, toPath: copy)
                let fault = SimulatedDisk.Fault(first: first, last: first + length - 1, reason: reason)
                let disk = SimulatedDisk(crashAt: nil, faults: [fault])
                var isOpen = false
                disk.watch {
                    // That it cannot be opened is as it should be; what counts is what is left.
                    isOpen = (try? DeliveryLedger(path: copy + "/ledger.sqlite")) != nil
                }
                #expect(isOpen || disk.failed > 0)
                steps = max(steps, disk.steps)
                #expect(try self.tables(copy) == tables, "\(length) faults from step \(first), opened: \(isOpen)")
                try FileManager.default.removeItem(atPath: copy)
            }
            first += 1
        }
        #expect(steps > 20, "\(steps) steps that may fail")
    }
}

import Logging
import Testing

@testable import Daemon

struct StorageWatchTests {
    private struct Away: Error {}

    /// What is free, as the file system says it.
    private final class Disk {
        var free: Int64? = StorageWatch.reserve

        func freeBytes() throws -> Int64 {
            guard let free else { throw Away() }
            return free
        }
    }

    private let fixture: DaemonFixture
    private let disk = Disk()
    private var warnings: [String] { fixture.context.progress.warnings.values.sorted() }
    private var told: [Logger.Level] {
        fixture.log.lines.filter { $0.metadata["MESSAGE_ID"] == DaemonJournal.Event.scarce.rawValue }.map(\.level)
    }

    init() throws {
        fixture = try DaemonFixture()
    }

    private func watch() -> StorageWatch {
        StorageWatch(
            places: [.init(name: "spool", path: "/s", freeBytes: disk.freeBytes)], journal: fixture.context.journal,
            progress: fixture.context.progress)
    }

    @Test func `a disk is told of once when it is nearly full, and once when it has room again`() {
        var watch = watch()
        watch.look()
        #expect(warnings == [])
        disk.free = StorageWatch.reserve - 1
        for _ in 0..<3 { watch.look() }
        #expect(warnings == ["the file system of the spool (/s) is nearly full: make room"])
        #expect(told == [.warning])
        #expect(fixture.log.messages.last?.contains("255 MiB are free") == true)
        disk.free = StorageWatch.reserve + 1
        watch.look()
        #expect(warnings.count == 1, "a little room does not make news")
        disk.free = StorageWatch.reserve / 8 * 9
        for _ in 0..<3 { watch.look() }
        #expect(warnings == [])
        #expect(told == [.warning, .notice])
    }

    @Test func `a disk that cannot be asked is not called full`() {
        var watch = watch()
        disk.free = 5
        watch.look()
        disk.free = nil
        watch.look()
        #expect(warnings == [])
    }
}

import Foundation
import Glibc
import Ledger
import Logging
import Mailing
import Spool

/// Keeps the file that Prometheus' node_exporter reads: soon after something changed, seldom where nothing does.
///
/// Trouble with it is told, and never keeps anything else from its work.
actor MetricsFile {
    private let context: DaemonContext
    let executor: any SerialExecutor
    /// Where the file is unless the configuration says so: the service's directory for what lives as long as it does.
    private let runtimeDirectory: String?
    private let startedAt: Timestamp
    /// Rings at a reload and at the end.
    private nonisolated let bell = Bell()
    private var written: String?
    private var failure: String?
    /// Campaigns that were seen open, and when last: they are shown for an hour after that.
    private var open: [Int64: BootInstant] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    static let name = "campaignd.prom"
    /// At most so many campaigns are shown one by one, each by relay.
    private static let limit = 200
    /// In nanoseconds: how often the file is replaced at most, and at least while something is due and while not.
    private static let pause: Int64 = 10_000_000_000
    private static let busyInterval: Int64 = 60_000_000_000
    private static let idleInterval: Int64 = 300_000_000_000
    /// What ended is shown for so long, in seconds.
    private static let remembrance: Int64 = 3600

    init(context: DaemonContext, executor: any SerialExecutor, runtimeDirectory: String?) {
        self.context = context
        self.executor = executor
        self.runtimeDirectory = runtimeDirectory
        startedAt = context.clocks.wall
    }

    /// The configuration changed, or the daemon is about to stop.
    nonisolated func wake() {
        bell.ring()
        context.meters.changed()
    }

    private var path: String? {
        let path = context.settings.current.metricsFile ?? runtimeDirectory.map { "\($0)/\(MetricsFile.name)" }
        return path?.isEmpty == true ? nil : path
    }

    /// Learns from the ledger what was sent in the last hour, before anything is sent.
    func prepare() async {
        guard path != nil else { return }
        let now = (wall: context.clocks.wall, boot: context.clocks.boot)
        do throws(LedgerError) {
            for (relay, moments) in try await context.ledger.recentHandOvers(now: now.wall) {
                let instants = moments.map {
                    now.boot.adding(nanoseconds: min(0, $0.milliseconds - now.wall.milliseconds) * 1_000_000)
                }
                context.meters.remember(relay, instants, now: now.boot)
            }
        } catch {
            tell("the metrics begin without what was sent in the last hour: \(error)")
        }
    }

    /// Returns when the daemon stops; then there is no file.
    func run() async {
        while !context.stopping.isSet {
            guard let path else {
                remove()
                context.progress.hindered("metrics", by: nil)
                failure = nil
                await bell.wait()
                continue
            }
            if written != path { remove() }
            await write(to: path)
            let now = context.clocks.boot
            let isBusy = context.meters.isAnythingDue
            let interval = isBusy ? MetricsFile.busyInterval : MetricsFile.idleInterval
            await context.meters.bell.wait(until: now.adding(nanoseconds: interval), clocks: context.clocks)
            let soonest = now.adding(nanoseconds: MetricsFile.pause)
            guard !context.stopping.isSet, context.clocks.boot < soonest else { continue }
            await bell.wait(until: soonest, clocks: context.clocks)
        }
        remove()
    }

    private func write(to path: String) async {
        let page = await page()
        do throws(WholeFile.Failed) {
            try WholeFile.replace(path, by: Array(page.text.utf8))
            written = path
            if failure != nil { context.journal.note(.notice, .metricsWork, "the metrics are written again: \(path)") }
            failure = nil
            context.progress.hindered("metrics", by: nil)
        } catch {
            // What stands there is no longer true.
            written = path
            let why = "the metrics cannot be written: \(error)"
            context.progress.hindered("metrics", by: why)
            tell(why)
        }
    }

    /// Once, until it changes.
    private func tell(_ why: String) {
        if failure != why { context.journal.noteSeldom(.warning, .metricsTrouble, why, now: context.clocks.boot) }
        failure = why
    }

    func page() async -> MetricsPage {
        let clocks = context.clocks
        let (now, boot) = (clocks.wall, clocks.boot)
        open = open.filter { boot.nanoseconds - $0.value.nanoseconds <= MetricsFile.remembrance * 1_000_000_000 }
        var page = MetricsPage(
            now: now, boot: boot, startedAt: startedAt, configuration: context.settings.current,
            meters: context.meters.values(now: boot), isLedgerUsable: context.progress.ledgerTrouble == nil)
        do throws(LedgerError) {
            let figures = try await context.ledger.figures(
                since: now.adding(seconds: -MetricsFile.remembrance), also: Set(open.keys), limit: MetricsFile.limit)
            for campaign in figures.campaigns where !campaign.state.isFinal { open[campaign.number] = boot }
            page.figures = figures
            page.sizes = try context.ledger.sizes()
        } catch {
            page.isLedgerUsable = false
        }
        // The intake tells of trouble with the spool; here its numbers are missing then.
        page.spoolFree = try? context.spool.freeBytes()
        page.waitingDrops = try? context.spool.waitingDrops()
        page.claimedDrops = try? context.spool.claimed().count
        return page
    }

    private func remove() {
        guard let path = written else { return }
        written = nil
        do throws(WholeFile.Failed) {
            try WholeFile.remove(path)
        } catch {
            context.journal.note(.warning, .metricsTrouble, "old metrics stay behind: \(error)")
        }
    }
}

/// A file that others see whole, as it was or as it is.
enum WholeFile {
    struct Failed: Error, Equatable, CustomStringConvertible {
        let path: String
        let reason: String

        init(_ path: String, code: Int32) {
            self.path = path
            reason = String(cString: strerror(code))
        }

        var description: String { "\(path): \(reason)" }
    }

    /// Replaces the file, readable by everybody. Not durable: it is worth nothing after a reboot.
    static func replace(_ path: String, by contents: [UInt8]) throws(Failed) {
        let draft = draft(of: path)
        guard unlink(draft) == 0 || errno == ENOENT else { throw Failed(draft, code: errno) }
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Failed(draft, code: errno) }
        do throws(Failed) {
            defer { close(descriptor) }
            try write(contents, to: descriptor, draft)
            guard fchmod(descriptor, 0o644) == 0 else { throw Failed(draft, code: errno) }
        } catch {
            unlink(draft)
            throw error
        }
        guard rename(draft, path) == 0 else {
            let failed = Failed(path, code: errno)
            unlink(draft)
            throw failed
        }
    }

    /// Removes the file and what a crash may have left beside it.
    static func remove(_ path: String) throws(Failed) {
        for file in [draft(of: path), path] where unlink(file) != 0 && errno != ENOENT {
            throw Failed(file, code: errno)
        }
    }

    private static func write(_ contents: [UInt8], to descriptor: Int32, _ path: String) throws(Failed) {
        var rest = contents[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                throw Failed(path, code: count == 0 ? EIO : errno)
            }
            rest = rest.dropFirst(count)
        }
    }

    private static func draft(of path: String) -> String {
        let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
        return "\(path[..<slash]).\(path[slash...]).tmp"
    }
}

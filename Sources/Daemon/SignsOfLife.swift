import Ledger
import Logging
import Mailing
import Spool
import Systemd

/// What the service manager is told while the daemon works: that it lives, how it is, that it needs more time.
///
/// Nobody is woken for it but twice in the time of the watchdog, and where something has changed.
struct SignsOfLife: Sendable {
    let context: DaemonContext
    let notifier: ServiceNotifier
    private let keepsSmall: Bool
    private let bell = Bell()

    /// - Parameter keepsSmall: Whether this process is the daemon alone, so that its memory may be looked after.
    init(context: DaemonContext, notifier: ServiceNotifier, keepsSmall: Bool) {
        self.context = context
        self.notifier = notifier
        self.keepsSmall = keepsSmall
    }

    /// Nanoseconds between two signs of life where nobody asks for more.
    private static let interval: Int64 = 60_000_000_000
    /// Nanoseconds until the next look where a loop seems to be stuck.
    private static let stuckInterval: Int64 = 5_000_000_000
    /// Nanoseconds until the next look where pages of the program were given back.
    private static let rehearsal: Int64 = 100_000_000
    /// Nanoseconds between two requests for more time to stop, and the time that is asked for, in microseconds.
    private static let stopInterval: Int64 = 10_000_000_000
    private static let stopExtension: UInt64 = 30_000_000
    /// A stop may take so long, in nanoseconds, unless the reply to a final dot is awaited.
    private static let stopLimit: Int64 = 120_000_000_000
    /// Nanoseconds between two status lines; and until the next look where the ledger could not be read.
    private static let statusPause: Int64 = 1_000_000_000
    private static let statusRetry: Int64 = 3_000_000_000

    /// The daemon begins to stop.
    func wake() {
        bell.ring()
        context.progress.news.ring()
    }

    /// Tells systemd that the work loops live, and asks for time while the last reply is awaited.
    ///
    /// - Parameter rehearse: Has the other parts do what an idle daemon does now and then. It follows when pages of the
    ///   program were given back: what is used again at once need not be read from the disk, and is kept.
    func keepAlive(rehearse: @Sendable () -> Void) async {
        let interval = interval
        var stoppedAt: BootInstant?
        var told: Set<String> = []
        var storage = storageWatch
        var memory = IdleMemory()
        while !Task.isCancelled {
            let now = context.clocks.boot
            let stuck = context.progress.stuck(at: now)
            if stuck.isEmpty { tell { () throws(NotificationError) in try notifier.watchdog() } }
            for loop in stuck where !told.contains(loop) {
                context.journal.note(
                    .critical, .stuck,
                    "“\(loop)” shows no sign of life any more; systemd's watchdog is left to restart the daemon",
                    ["LOOP": loop])
            }
            told = Set(stuck)
            storage.look()
            // What only looked stuck, as after the machine slept, must not miss its time.
            var next = stuck.isEmpty ? interval : min(interval, SignsOfLife.stuckInterval)
            let isBusy = context.stopping.isSet || context.meters.isAnythingDue
            if keepsSmall, memory.look(isBusy: isBusy) {
                rehearse()
                next = min(next, SignsOfLife.rehearsal)
            }
            if context.stopping.isSet {
                let since = stoppedAt ?? now
                stoppedAt = since
                let isInTime = now.nanoseconds - since.nanoseconds < SignsOfLife.stopLimit
                if context.progress.isAwaitingReply || isInTime {
                    tell { () throws(NotificationError) in
                        try notifier.extendTimeout(microseconds: SignsOfLife.stopExtension)
                    }
                }
                next = min(next, SignsOfLife.stopInterval)
            }
            let common = context.clocks.commonMoment(every: interval)
            await bell.wait(until: min(now.adding(nanoseconds: next), common), clocks: context.clocks)
        }
    }

    /// Looked at whenever there is a sign of life to give, so that nobody is woken for it.
    private var storageWatch: StorageWatch {
        let ledger = StorageWatch.Place(
            name: "ledger", path: context.settings.current.ledgerPath,
            freeBytes: { [context] in try context.ledger.sizes().free })
        let spool = StorageWatch.Place(
            name: "spool", path: context.spool.path, freeBytes: { [context] in try context.spool.freeBytes() })
        return StorageWatch(places: [spool, ledger], journal: context.journal, progress: context.progress)
    }

    /// Half of what the watchdog allows.
    private var interval: Int64 {
        do throws(NotificationError) {
            guard let watchdog = try notifier.watchdogInterval else { return SignsOfLife.interval }
            let (seconds, rest) = watchdog.components
            return min(SignsOfLife.interval, (seconds * 1_000_000_000 + rest / 1_000_000_000) / 2)
        } catch {
            context.journal.note(.warning, .serviceManagerTrouble, "\(error)")
            return SignsOfLife.interval
        }
    }

    /// Keeps the line in `systemctl status` true.
    func showStatus() async {
        var last = ""
        while !Task.isCancelled {
            let (line, isWhole) = await statusLine()
            if line != last { tell { () throws(NotificationError) in try notifier.status(line) } }
            last = line
            let now = context.clocks.boot
            // A busy daemon is not asked for its status with each message.
            let pause = Bell()
            await pause.wait(until: now.adding(nanoseconds: SignsOfLife.statusPause), clocks: context.clocks)
            await context.progress.news.wait(
                until: isWhole ? nil : now.adding(nanoseconds: SignsOfLife.statusRetry), clocks: context.clocks)
        }
    }

    private func statusLine() async -> (text: String, isWhole: Bool) {
        if context.stopping.isSet {
            let isAwaiting = context.progress.isAwaitingReply
            return (isAwaiting ? "Stopping: waiting for the reply to a final dot" : "Stopping", true)
        }
        do {
            let open = try await context.ledger.openDeliveries()
            var line = "\(open.queued) queued, \(context.progress.sent) sent since start, \(open.uncertain) uncertain"
            if let trouble = context.progress.ledgerTrouble { line += "; nothing is sent: \(trouble)" }
            let hindrances = context.progress.hindrances.sorted { $0.key < $1.key }
            if let (_, why) = hindrances.first { line += "; \(why)" }
            let waits = context.progress.waits.sorted { $0.key < $1.key }
            if let (_, what) = waits.first { line += "; \(what)" }
            let troubles = context.progress.troubles.sorted { $0.key < $1.key }
            if let (relay, why) = troubles.first { line += "; relay \(relay): \(why)" }
            for (_, why) in context.progress.warnings.sorted(by: { $0.key < $1.key }) { line += "; \(why)" }
            return (line, true)
        } catch {
            return ("Nothing can be counted, and nothing is sent: \(error)", false)
        }
    }

    func tell(_ message: () throws(NotificationError) -> Void) {
        do throws(NotificationError) {
            try message()
        } catch {
            context.journal.noteSeldom(
                .warning, .serviceManagerTrouble, "\(error)", now: context.clocks.boot, about: "notification")
        }
    }
}

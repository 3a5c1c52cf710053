import Ledger
import Logging
import Mailing
import ServiceLifecycle
import Spool
import Systemd
import UnixSignals

/// The daemon from recovery to its last word.
struct CampaignDaemon: Service {
    private let path: String
    private let context: DaemonContext
    private let fleet: Fleet
    private let board: LaneBoard
    private let keeper: CampaignKeeper
    private let intake: Intake
    private let notifier = ServiceNotifier()
    private let lock: SpoolLock
    private let started: Configuration

    /// Locks, opens, recovers. Throws what makes a start impossible.
    init(configuration: Configuration, path: String, clocks: any Clocks, logger: Logger) async throws {
        self.path = path
        started = configuration
        let settings = Settings(configuration)
        let spool = try SpoolDirectory(path: configuration.spoolDirectory)
        lock = try spool.lock()
        let ledger = try DeliveryLedger(path: configuration.ledgerPath)
        let journal = DaemonJournal(logger: logger, key: ledger.key, settings: settings)
        context = DaemonContext(
            ledger: ledger, spool: spool, clocks: clocks, settings: settings, journal: journal, progress: Progress(),
            stopping: StopFlag())
        let recovery = try await ledger.recover()
        CampaignDaemon.report(recovery, journal)
        try await CampaignDaemon.tidy(spool, ledger, clocks: clocks, journal: journal)
        board = LaneBoard()
        let library = CampaignLibrary(spool: spool)
        keeper = CampaignKeeper(context: context, wakeLanes: { [board] in board.wakeAll() })
        fleet = try await Fleet(context: context, library: library, recovered: recovery.relays, board: board)
        intake = Intake(
            context: context, library: library, keeper: keeper, wakeLanes: { [board] in board.wakeAll() })
        try await fleet.begin(keeper: keeper)
    }

    private static func report(_ recovery: Recovery, _ journal: DaemonJournal) {
        if recovery.uncertain > 0 {
            journal.note(
                .warning, .recovered,
                "\(recovery.uncertain) deliveries were in flight when the daemon ended; they are uncertain and will "
                    + "not be sent again", ["UNCERTAIN": "\(recovery.uncertain)"])
        }
        if recovery.isRestored {
            journal.note(
                .error, .recovered,
                "the ledger is older than the counter of intents beside it: it was restored from a copy, so all "
                    + "campaigns are paused. Resume each by a control job once you know what was sent")
        }
    }

    /// Removes what earlier runs and careless submitters left behind.
    private static func tidy(
        _ spool: SpoolDirectory, _ ledger: DeliveryLedger, clocks: any Clocks, journal: DaemonJournal
    ) async throws {
        var leftovers = try spool.sweep()
        leftovers += try spool.removeStale(now: clocks.wall).left
        if try spool.claimed().isEmpty {
            for id in try spool.keptJobs() where try await ledger.job(id) == nil { try spool.removeKept(id) }
        }
        for leftover in leftovers { journal.note(.warning, nil, "\(leftover)") }
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            await work()
        } onGracefulShutdown: {
            context.stopping.set()
            notify { () throws(NotificationError) in try notifier.stopping() }
            intake.wake()
            board.wakeAll()
        }
    }

    private func work() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await intake.run() }
            group.addTask { await intake.runHeavyWork() }
            group.addTask { await rewriteReceipts() }
            group.addTask { await keeper.run() }
            group.addTask { await watchReloads() }
            group.addTask { await keepAlive() }
            notify { () throws(NotificationError) in try notifier.ready() }
            context.journal.note(.notice, nil, "campaignd serves \(context.spool.path)")
            await untilStopped()
            await fleet.end()
            await keeper.finish()
            group.cancelAll()
        }
        context.journal.note(.notice, nil, "campaignd has stopped; everything is recorded")
    }

    private func untilStopped() async {
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled: the same as a stop.
            context.stopping.set()
        }
    }

    /// Receipts are derived: whatever was lost of them is written again.
    private func rewriteReceipts() async {
        var after = ""
        do {
            while !context.stopping.isSet {
                let page = try await context.ledger.jobs(after: after, limit: 200)
                for record in page {
                    if context.stopping.isSet { return }
                    if record.kind == .campaign {
                        try await keeper.refresh(job: record.id)
                    } else if let name = ReceiptName(record.receipt) {
                        try context.spool.write(JobReceipts.receipt(of: record), to: name)
                    }
                }
                guard let last = page.last else { return }
                after = last.id.text
            }
        } catch {
            context.journal.note(.error, nil, "receipts cannot be written again: \(error)")
        }
    }

    private func watchReloads() async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            if context.stopping.isSet { return }
            notify { () throws(NotificationError) in try notifier.reloading() }
            await reload()
            notify { () throws(NotificationError) in try notifier.ready() }
        }
    }

    /// A bad file keeps the old configuration and says why.
    private func reload() async {
        do {
            let new = try ConfigurationFile.load(path)
            guard new.spoolDirectory == started.spoolDirectory, new.ledgerPath == started.ledgerPath else {
                throw RelayFactory.Unusable(
                    description: "[spool] directory and [ledger] path change only by a restart")
            }
            for (name, relay) in new.relays {
                do {
                    _ = try RelayFactory.connection(relay)
                } catch {
                    throw RelayFactory.Unusable(description: "relays.\(name): \(error)")
                }
            }
            context.settings.replace(by: new)
            try await fleet.reload(new, keeper: keeper)
            board.wakeAll()
            context.journal.note(.notice, .reloaded, "the configuration \(path) is in force")
        } catch {
            context.journal.note(
                .error, .reloadRefused, "the configuration is not reloaded, the old one stays in force: \(error)")
        }
    }

    /// Tells systemd how things are, and that the work loops live.
    private func keepAlive() async {
        var interval: Int64 = 2_000_000_000
        do throws(NotificationError) {
            if let watchdog = try notifier.watchdogInterval {
                let (seconds, rest) = watchdog.components
                interval = min(interval, (seconds * 1_000_000_000 + rest / 1_000_000_000) / 3)
            }
        } catch {
            context.journal.note(.warning, nil, "\(error)")
        }
        var last = ""
        while !Task.isCancelled {
            if isAlive { notify { () throws(NotificationError) in try notifier.watchdog() } }
            if context.stopping.isSet {
                notify { () throws(NotificationError) in try notifier.extendTimeout(microseconds: 30_000_000) }
            }
            let line = await statusLine()
            if line != last {
                notify { () throws(NotificationError) in try notifier.status(line) }
                last = line
            }
            do {
                try await context.clocks.sleep(until: context.clocks.boot.adding(nanoseconds: interval))
            } catch {
                return
            }
        }
    }

    /// Loops wait 30 s at most, but for one that waits for the reply to a final dot.
    private var isAlive: Bool {
        guard let oldest = context.progress.oldestBeat() else { return true }
        let silence = context.clocks.boot.nanoseconds - oldest.at.nanoseconds
        return silence < 90_000_000_000 || context.progress.isAwaitingReply
    }

    private func statusLine() async -> String {
        if context.stopping.isSet {
            return context.progress.isAwaitingReply
                ? "Stopping: waiting for the reply to a final dot" : "Stopping"
        }
        do {
            let open = try await context.ledger.openDeliveries()
            var line = "\(open.queued) queued, \(context.progress.sent) sent since start, \(open.uncertain) uncertain"
            let troubles = context.progress.troubles.sorted { $0.key < $1.key }
            if let (relay, why) = troubles.first { line += "; relay \(relay): \(why)" }
            return line
        } catch {
            return "The ledger cannot be read: \(error)"
        }
    }

    private func notify(_ message: () throws(NotificationError) -> Void) {
        do throws(NotificationError) {
            try message()
        } catch {
            context.journal.note(.warning, nil, "\(error)")
        }
    }
}

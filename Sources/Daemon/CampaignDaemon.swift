import Ledger
import Logging
import Mailing
import ServiceLifecycle
import Spool
import Systemd

/// The daemon from recovery to its last word.
struct CampaignDaemon: Service {
    private let path: String
    private let context: DaemonContext
    private let fleet: Fleet
    private let board: LaneBoard
    private let keeper: CampaignKeeper
    private let intake: Intake
    private let inbound: Inbound
    /// Nil where there is no journal.
    private let settler: JournalSettler?
    private let metrics: MetricsFile
    private let notifier = ServiceNotifier()
    private let signs: SignsOfLife
    private let lock: SpoolLock
    private let started: Configuration
    private let surroundings: Surroundings
    /// Of all that has no thread of its own, and of what is planned and imported.
    private let executor: any SerialExecutor
    private let planning: any SerialExecutor
    /// Of the signs of life: no part that is stuck keeps them from naming it, and a service manager that does not
    /// listen keeps nothing else back.
    private let watching: any SerialExecutor

    /// Locks, opens, recovers. Throws what makes a start impossible.
    init(configuration: Configuration, path: String, surroundings: Surroundings) async throws {
        self.path = path
        self.surroundings = surroundings
        executor = surroundings.executor("campaignd")
        planning = surroundings.executor("campaignd.planning")
        watching = surroundings.steadyExecutor("campaignd.signs")
        started = configuration
        let clocks = surroundings.clocks
        let settings = Settings(configuration)
        let spool = try SpoolDirectory(path: configuration.spoolDirectory)
        lock = try spool.lock()
        let ledger = try DeliveryLedger(
            path: configuration.ledgerPath, rules: surroundings.rules, zoneRule: TimeZones.rule,
            executor: surroundings.executor("campaignd.ledger"))
        let identity = try await ledger.identity()
        let journal = DaemonJournal(
            logger: surroundings.logger, key: ledger.key, ledger: identity, settings: settings)
        context = DaemonContext(
            ledger: ledger, spool: spool, clocks: clocks, settings: settings, journal: journal, progress: Progress(),
            stopping: StopFlag())
        signs = SignsOfLife(context: context, notifier: notifier, keepsSmall: surroundings.keepsSmall)
        let recovery = try await ledger.recover(
            StartingPoint(
                now: clocks.wall, machine: surroundings.machine,
                intentsInJournal: surroundings.intentsInJournal(identity),
                holdAfterDowntime: configuration.holdAfterDowntime))
        CampaignDaemon.report(recovery, journal)
        try await CampaignDaemon.tidy(spool, ledger, clocks: clocks, journal: journal)
        board = LaneBoard()
        let library = CampaignLibrary(spool: spool, executor: surroundings.executor("campaignd.templates"))
        keeper = CampaignKeeper(
            context: context, executor: surroundings.executor("campaignd.keeper"),
            wakeLanes: { [board] in board.wakeAll() })
        fleet = try await Fleet(
            context: context, library: library, recovered: recovery.relays.union(recovery.domains), board: board,
            connection: surroundings.connection, executor: surroundings.executor)
        intake = Intake(
            context: context, library: library, keeper: keeper, surroundings: surroundings,
            wakeLanes: { [board] in board.wakeAll() })
        inbound = Inbound(context: context, keeper: keeper, executor: surroundings.executor("campaignd.inbound"))
        metrics = MetricsFile(
            context: context, executor: surroundings.executor("campaignd.metrics"),
            runtimeDirectory: surroundings.runtimeDirectory)
        settler = surroundings.postfixReading.map { [context, keeper, board] reading in
            JournalSettler(
                context: context, executor: surroundings.executor("campaignd.settler"), keeper: keeper,
                wakeLanes: { board.wakeAll() }, read: reading)
        }
    }

    /// Ends the daemon as a stop by the service manager does.
    func stop() { context.stopping.set() }

    /// Something was dropped: looks at once where the kernel does not tell.
    func wake() { intake.wake() }

    private static func report(_ recovery: Recovery, _ journal: DaemonJournal) {
        if recovery.uncertain > 0 {
            journal.note(
                .warning, .recovered,
                "\(recovery.uncertain) deliveries were in flight when the daemon ended; they are uncertain and will "
                    + "not be sent again", ["UNCERTAIN": "\(recovery.uncertain)"])
        }
        if let hold = recovery.hold {
            journal.note(
                .error, .held, "\(recovery.paused) campaigns are paused: \(hold.because)",
                ["PAUSED": "\(recovery.paused)"])
        }
    }

    /// Removes what earlier runs and careless submitters left behind.
    private static func tidy(
        _ spool: SpoolDirectory, _ ledger: DeliveryLedger, clocks: any Clocks, journal: DaemonJournal
    ) async throws {
        var leftovers = try spool.sweep()
        leftovers += try spool.removeStale(now: clocks.wall).left
        // After a restore these copies are the only trace of what was accepted since.
        let mayLackJobs = try await ledger.mayLackJobs()
        if try mayLackJobs || spool.claimed().isEmpty {
            for id in try spool.keptJobs() where try await ledger.job(id) == nil {
                guard mayLackJobs else {
                    try spool.removeKept(id)
                    continue
                }
                journal.note(
                    .warning, .unknownCopy,
                    "job \(id) stands in work/kept of the spool and not in the ledger, which was "
                        + "restored: find out what was sent of it before you drop it again",
                    ["CAMPAIGN": id.text, "JOB": id.text])
            }
        }
        for leftover in leftovers { journal.note(.warning, .spoolTrouble, "\(leftover)") }
    }

    func run() async throws {
        let door = try ReloadDoor(directory: surroundings.runtimeDirectory, executor: executor.forTasks)
        defer { door.close() }
        try await withGracefulShutdownHandler {
            try await work(reloads: door.reloads)
        } onGracefulShutdown: {
            context.stopping.set()
        }
    }

    /// Works until it is told to stop.
    ///
    /// - Parameter reloads: Tells that the configuration file is to be read again.
    func work(reloads: AsyncStream<Reload>) async throws {
        for settings in started.relays.values { _ = try surroundings.connection(settings) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            await metrics.prepare()
            await intake.watch()
            try await fleet.begin(keeper: keeper)
            let own = executor.forTasks
            let alive = Task(executorPreference: watching.forTasks) { [intake] in
                await signs.keepAlive { intake.lookNow() }
            }
            let status = Task(executorPreference: own) { await signs.showStatus() }
            group.addTask(executorPreference: intake.executor.forTasks) { await intake.run() }
            group.addTask(executorPreference: planning.forTasks) { await intake.runHeavyWork() }
            group.addTask(executorPreference: own) { await rewriteReceipts() }
            group.addTask(executorPreference: inbound.executor.forTasks) { await inbound.run() }
            group.addTask(executorPreference: settler?.executor.forTasks) { await settler?.run() }
            group.addTask(executorPreference: own) { [context] in await ConsentWatch(context: context).run() }
            group.addTask(executorPreference: keeper.executor.forTasks) { await keeper.run() }
            group.addTask(executorPreference: metrics.executor.forTasks) { await metrics.run() }
            // A directory service may let a reload wait for long, and a stop waits for what runs on the queue above.
            let reading = surroundings.executor("campaignd.reloading").forTasks
            let reloads = Task(executorPreference: reading) { await watch(reloads) }
            signs.tell { () throws(NotificationError) in try notifier.ready() }
            context.journal.note(.notice, .started, "campaignd serves \(context.spool.path)")
            await context.stopping.wait()
            signs.tell { () throws(NotificationError) in try notifier.stopping() }
            signs.wake()
            intake.wake()
            inbound.wake()
            settler?.wake()
            metrics.wake()
            board.wakeAll()
            await fleet.end()
            await keeper.finish()
            try await group.waitForAll()
            for task in [alive, status, reloads] { task.cancel() }
        }
        var isWell = true
        do {
            try await context.ledger.markAlive(now: context.clocks.wall)
        } catch {
            isWell = false
            context.journal.note(.error, .ledgerTrouble, "the ledger cannot be written at the end: \(error)")
        }
        try await context.ledger.close()
        if let failure = context.stopping.failure { throw Failed(description: failure) }
        context.journal.note(
            .notice, .stopped, isWell ? "campaignd has stopped; everything is recorded" : "campaignd stopped")
    }

    /// What made the daemon end by itself.
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// Receipts are derived: whatever was lost of them is written again. A job that is being worked on gets its own
    /// when that is done.
    private func rewriteReceipts() async {
        var after = ""
        do {
            while !context.stopping.isSet {
                let page = try await context.ledger.jobs(after: after, limit: 200)
                for record in page {
                    if context.stopping.isSet { return }
                    if record.kind == .campaign {
                        try await keeper.refresh(job: record.id)
                    } else if record.isFinished, let name = ReceiptName(record.receipt) {
                        try context.spool.write(JobReceipts.receipt(of: record), to: name)
                    }
                }
                guard let last = page.last else { return }
                after = last.id.text
            }
        } catch {
            context.journal.note(.error, .spoolTrouble, "receipts cannot be written again: \(error)")
        }
    }

    private func watch(_ reloads: AsyncStream<Reload>) async {
        for await request in reloads {
            if context.stopping.isSet { return request.refused(["campaignd is being stopped"]) }
            signs.tell { () throws(NotificationError) in try notifier.reloading() }
            let mistakes = await reload(request)
            // Before the answer: who has heard it finds the service as it is.
            signs.tell { () throws(NotificationError) in try notifier.ready() }
            if mistakes.isEmpty { request.ended() } else { request.refused(mistakes) }
        }
    }

    /// A bad file keeps the old configuration. Returns what is wrong with it.
    private func reload(_ request: Reload) async -> [String] {
        var kept = "the configuration is not reloaded, the old one stays in force"
        do {
            let new = try loadAgain()
            context.settings.replace(by: new)
            kept = "the configuration is only in force in part, reload it once more"
            request.accepted()
            try await fleet.reload(new, keeper: keeper)
            await keeper.touchAll()
            settler?.wake()
            metrics.wake()
            board.wakeAll()
            context.meters.reloaded(true, at: context.clocks.wall)
            context.journal.note(.notice, .reloaded, "the configuration \(path) is in force")
            return []
        } catch {
            context.meters.reloaded(false, at: context.clocks.wall)
            let mistakes = (error as? ConfigurationFile.Invalid)?.mistakes ?? ["\(error)"]
            context.journal.note(
                .error, .reloadRefused, "\(kept): \(mistakes.joined(separator: "; "))",
                ["MISTAKES": "\(mistakes.count)"])
            return mistakes
        }
    }

    /// The configuration as it is now in its file, if it can be put into force.
    private func loadAgain() throws -> Configuration {
        let new = try ConfigurationFile.load(path)
        guard new.spoolDirectory == started.spoolDirectory, new.ledgerPath == started.ledgerPath else {
            throw RelayFactory.Unusable(
                description: "\(path): [spool] directory and [ledger] path change only by a restart")
        }
        for (name, relay) in new.relays.sorted(by: { $0.key < $1.key }) {
            do {
                _ = try surroundings.connection(relay)
            } catch {
                throw RelayFactory.Unusable(description: "\(path): relays.\(name): \(error)")
            }
        }
        return new
    }
}

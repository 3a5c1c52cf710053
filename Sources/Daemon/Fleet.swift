import Ledger
import Mailing
import Relay
import Synchronization
import Systemd

/// All relay lanes: begins, wakes, changes and ends them.
actor Fleet {
    private let context: DaemonContext
    private let library: CampaignLibrary
    private let overall: OverallPace
    private let records = RecordGate()
    /// The relays, and the domains that they limit, to which something was in flight at the start.
    private let recovered: Set<String>
    private var lanes: [String: (lane: RelayLane, settings: Configuration.Relay, task: Task<Void, Never>)] = [:]
    private let board: LaneBoard
    private let connection: @Sendable (Configuration.Relay) throws -> any RelayConnection
    private let executor: @Sendable (String) -> any SerialExecutor
    /// Each lane has a thread of its own, so that nothing but its own work makes its dots late.
    private var executors: [String: any SerialExecutor] = [:]
    private var isEnding = false

    init(
        context: DaemonContext, library: CampaignLibrary, recovered: Set<String>, board: LaneBoard,
        connection: @escaping @Sendable (Configuration.Relay) throws -> any RelayConnection,
        executor: @escaping @Sendable (String) -> any SerialExecutor
    ) async throws {
        self.connection = connection
        self.executor = executor
        self.context = context
        self.library = library
        self.recovered = recovered
        self.board = board
        let clocks = context.clocks
        var pacer: Pacer?
        if let rate = context.settings.current.messagesPerHour {
            pacer = Pacer(
                messagesPerHour: rate, stored: try await context.ledger.storedSlot(relay: OverallPace.name),
                wasInFlight: !recovered.isEmpty, bootID: clocks.bootID, now: clocks.boot)
        }
        overall = OverallPace(pacer: pacer)
    }

    /// Begins a lane for each configured relay. Throws before any begins if one of them cannot be made.
    func begin(keeper: CampaignKeeper) async throws {
        for settings in context.settings.current.relays.values { _ = try connection(settings) }
        for (name, settings) in context.settings.current.relays.sorted(by: { $0.key < $1.key }) {
            let clocks = context.clocks
            let pacer = Pacer(
                messagesPerHour: settings.messagesPerHour, stored: try await context.ledger.storedSlot(relay: name),
                wasInFlight: recovered.contains(name), bootID: clocks.bootID, now: clocks.boot)
            try launch(name, settings, pacer: pacer, keeper: keeper)
        }
    }

    /// Takes a new configuration into force. Connections whose settings changed are begun anew; their pace goes on.
    func reload(_ new: Configuration, keeper: CampaignKeeper) async throws {
        let clocks = context.clocks
        overall.change(messagesPerHour: new.messagesPerHour, bootID: clocks.bootID, now: clocks.boot)
        for (name, settings) in new.relays.sorted(by: { $0.key < $1.key }) {
            guard let known = lanes[name] else {
                let stored = try await context.ledger.storedSlot(relay: name)
                let pacer = Pacer(
                    messagesPerHour: settings.messagesPerHour, stored: stored, wasInFlight: recovered.contains(name),
                    bootID: clocks.bootID, now: clocks.boot)
                try launch(name, settings, pacer: pacer, keeper: keeper)
                continue
            }
            if known.settings.messagesPerHour != settings.messagesPerHour {
                await known.lane.change(messagesPerHour: settings.messagesPerHour)
            }
            guard !known.settings.hasSameConnection(as: settings) else {
                lanes[name]?.settings = settings
                continue
            }
            await end(known.lane, known.task)
            try launch(name, settings, pacer: await known.lane.paceSoFar, keeper: keeper)
        }
        for (name, known) in lanes where new.relays[name] == nil {
            await end(known.lane, known.task)
            lanes[name] = nil
        }
        board.replace(by: lanes.values.map(\.lane))
    }

    /// Ends all lanes: what is before its dot is dropped, what is after it is waited for.
    func end() async {
        isEnding = true
        await withTaskGroup(of: Void.self) { group in
            for (lane, _, task) in lanes.values { group.addTask { await self.end(lane, task) } }
        }
        lanes = [:]
        board.replace(by: [])
    }

    private nonisolated func end(_ lane: RelayLane, _ task: Task<Void, Never>) async {
        // An interruption reaches only the call that is under way, so it is repeated until the lane is gone.
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [clocks = context.clocks] in
                while !Task.isCancelled {
                    lane.end()
                    try? await clocks.sleep(until: clocks.boot.adding(nanoseconds: 50_000_000))
                }
            }
            await task.value
            group.cancelAll()
        }
    }

    private func launch(
        _ name: String, _ settings: Configuration.Relay, pacer: Pacer, keeper: CampaignKeeper
    ) throws {
        guard !isEnding else { return }
        let connection = try connection(settings)
        let lane = RelayLane(
            name: name, context: context, library: library, keeper: keeper, overall: overall, records: records,
            connection: connection, pacer: pacer, recovered: recovered)
        let executor = executors[name] ?? executor("campaignd.lane \(name)")
        executors[name] = executor
        lanes[name] = (lane, settings, Task(executorPreference: executor.forTasks) { await lane.run() })
        board.replace(by: lanes.values.map(\.lane))
    }
}

/// Lets anybody wake all lanes without waiting for the fleet.
final class LaneBoard: Sendable {
    private let lanes = Mutex<[RelayLane]>([])

    func replace(by lanes: [RelayLane]) {
        self.lanes.withLock { $0 = lanes }
    }

    func wakeAll() {
        for lane in lanes.withLock({ $0 }) { lane.wake() }
    }
}

/// Makes connections from the configuration.
enum RelayFactory {
    /// A relay that cannot even be tried.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    static func connection(_ settings: Configuration.Relay) throws -> any RelayConnection {
        switch try RelayURL.parse(url: settings.url) {
        case .maildir(let directory): return MaildirConnection(directory: directory)
        case .smtp(let host, let port, let implicitTLS):
            var smtp = SMTPRelaySettings(host: host, port: port, implicitTLS: implicitTLS)
            if let name = settings.helloName { smtp.helloName = name }
            // Whoever names authorities to believe wants certificates to be checked, also on this machine.
            smtp.requireTLS = settings.requiresTLS ?? (settings.certificateAuthorityFile == nil ? nil : true)
            smtp.username = settings.username
            smtp.password = try password(settings)
            smtp.caFile = settings.certificateAuthorityFile
            smtp.connectSeconds = settings.connectSeconds
            smtp.timeouts.dot = settings.finalReplySeconds
            if let problem = smtp.problem { throw Unusable(description: problem) }
            return SMTPConnection(settings: smtp)
        }
    }

    private static func password(_ settings: Configuration.Relay) throws -> String? {
        if let name = settings.passwordCredential { return try Credentials.read(name: name) }
        guard let path = settings.passwordFile else { return nil }
        return try PasswordFile.read(path)
    }
}

extension Configuration.Relay {
    /// Whether a connection made with these settings serves the others too.
    fileprivate func hasSameConnection(as other: Configuration.Relay) -> Bool {
        var copy = other
        copy.messagesPerHour = messagesPerHour
        copy.senders = senders
        copy.idleSeconds = idleSeconds
        copy.idempotencyHeader = idempotencyHeader
        copy.idempotencySeconds = idempotencySeconds
        copy.settlesByJournal = settlesByJournal
        copy.window = window
        copy.domains = domains
        // What a password file holds may have changed without its name.
        return copy == self && passwordFile == nil
    }
}

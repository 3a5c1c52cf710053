import Foundation
import Ledger
import Logging
import Mailing
import Spool
import Synchronization
import TestSupport

@testable import Daemon

/// One run of a daemon, from its start to its end or its crash, on a disk of its own.
final class Machine: Sendable {
    let disk: SimulatedDisk
    let clock: SimulatedClock
    let directory: String
    private let scheduler: Scheduler
    private let relays: [String: SimulatedRelay]
    private let mutant: Mutant?
    /// What to add to the boot clock for the true time, in nanoseconds.
    private let offset: Int64
    private let observer: Observer
    private let state = Mutex(State())

    private struct State {
        var daemon: CampaignDaemon?
        var failure: String?
        var hasEnded = false
        var reload: AsyncStream<Reload>.Continuation?
        var journal: [String] = []
        var recovery: Int?
    }

    init(
        directory: String, disk: SimulatedDisk, moment: Moment, scheduler: Scheduler,
        relays: [String: SimulatedRelay], mutant: Mutant?, observer: Observer
    ) {
        self.directory = directory
        self.disk = disk
        clock = SimulatedClock(
            boot: BootInstant(nanoseconds: moment.boot), wall: moment.wall, bootID: moment.bootID)
        offset = moment.true - moment.boot
        self.scheduler = scheduler
        self.relays = relays
        self.mutant = mutant
        self.observer = observer
    }

    var trueTime: Int64 { clock.boot.nanoseconds + offset }
    var moment: Moment {
        let boot = clock.boot.nanoseconds
        return Moment(true: boot + offset, boot: boot, bootID: clock.bootID, wall: clock.wall)
    }
    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    /// Why the daemon could not start or go on; nil if it did.
    var failure: String? { state.withLock { $0.failure } }
    var journal: [String] { state.withLock { $0.journal } }
    private var configurationPath: String { directory + "/campaignd.toml" }

    func note(_ dot: SimulatedRelay.Dot, at relay: SimulatedRelay) {
        relay.note(dot)
        observer.saw(dot)
    }

    /// Lets so many nanoseconds pass for the caller.
    func pass(_ nanoseconds: Int64) async {
        // A cancelled wait is over, too.
        try? await clock.sleep(until: clock.boot.adding(nanoseconds: nanoseconds))
    }

    /// Begins; nothing runs before `drain`.
    func start() {
        let (reloads, reload) = AsyncStream.makeStream(of: Reload.self)
        state.withLock { $0.reload = reload }
        Task.detached {
            do {
                let configuration = try ConfigurationFile.load(self.configurationPath)
                let daemon = try await CampaignDaemon(
                    configuration: configuration, path: self.configurationPath, surroundings: self.surroundings)
                self.state.withLock { $0.daemon = daemon }
                try await daemon.work(reloads: reloads)
                self.end(nil)
            } catch {
                self.end("\(error)")
            }
        }
    }

    private func end(_ failure: String?) {
        state.withLock { state in
            (state.hasEnded, state.failure, state.daemon, state.reload) = (true, failure, nil, nil)
        }
    }

    private var surroundings: Surroundings {
        var surroundings = Surroundings(clocks: clock, logger: logger)
        surroundings.connection = { settings in
            let host = settings.url.dropFirst("smtp://".count).split(separator: ".").first ?? ""
            guard let relay = self.relays[String(host)] else { throw TestSupportError("there is no relay \(host)") }
            return SimulatedConnection(relay, on: self, isEarly: self.mutant?.isEarly ?? false)
        }
        surroundings.executor = { _ in self.scheduler }
        surroundings.steadyExecutor = { _ in self.scheduler }
        surroundings.rules = mutant?.rules ?? HandOverRules()
        surroundings.watchesIncoming = false
        return surroundings
    }

    /// Runs whatever is ready, with the disk watched.
    func drain() {
        disk.watch { _ = scheduler.drain() }
        state.withLock { $0.recovery = $0.recovery ?? disk.steps }
    }

    /// How many steps it took before it waited for anything: it opened the ledger and went on with what it found.
    var recovery: Int { state.withLock { $0.recovery ?? 0 } }

    func wake() { state.withLock { $0.daemon }?.wake() }
    func reload() { _ = state.withLock { $0.reload }?.yield(Reload()) }
    func stop() { state.withLock { $0.daemon }?.stop() }

    private var logger: Logger {
        Logger(label: "simulation") { _ in Journal(machine: self) }
    }

    /// Keeps the lines for whoever has to understand a failure.
    private struct Journal: LogHandler {
        let machine: Machine
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let moment = machine.trueTime
            // A reload has no other answer where nobody waits for it.
            if event.message.description.hasSuffix("is in force") { machine.observer.configured(at: moment) }
            machine.state.withLock { $0.journal.append("\(moment / 1_000_000) \(event.level): \(event.message)") }
        }
    }
}

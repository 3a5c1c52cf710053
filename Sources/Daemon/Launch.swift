import Dispatch
import Foundation
import Glibc
import Ledger
import Logging
import Mailing
import ServiceLifecycle
import Spool
import Systemd
import UnixSignals

/// Begins the daemon: configuration, locks, ledger, recovery; then it runs until it is told to stop.
package enum Launch {
    /// `EX_CONFIG` of sysexits.h: the configuration or the installation must be mended first.
    package static let configurationStatus: Int32 = 78
    /// `EX_TEMPFAIL`: it may work later.
    package static let temporaryStatus: Int32 = 75

    /// Checks a configuration file and says what is wrong with it. Returns the exit status.
    package static func check(configuration path: String) -> Int32 {
        do throws(ConfigurationFile.Invalid) {
            _ = try ConfigurationFile.load(path)
            return 0
        } catch {
            complain(error.description)
            return status(of: error)
        }
    }

    /// With 78 systemd lets a service be until somebody mends it, with 75 it tries again.
    static func status(of invalid: ConfigurationFile.Invalid) -> Int32 {
        invalid.mayPass ? temporaryStatus : configurationStatus
    }

    /// Asks the running daemon to read its configuration again, waits, and says what is wrong with it if it is refused.
    /// Returns the exit status: 0 if the new configuration is in force, else 1.
    package static func reload() -> Int32 {
        do {
            let (words, isAccepted) = ReloadCommand.run(directory: runtimeDirectory, clocks: try SystemClocks())
            for line in words { complain(line) }
            return isAccepted ? 0 : 1
        } catch {
            complain("the machine's clocks cannot be used: \(error)")
            return 1
        }
    }

    /// The first of those that systemd made; nil without systemd.
    private static var runtimeDirectory: String? {
        let list = ProcessInfo.processInfo.environment["RUNTIME_DIRECTORY"] ?? ""
        return list.split(separator: ":").first.map(String.init)
    }

    /// Runs the daemon and exits with its status.
    ///
    /// The work is not that of an asynchronous `main`, which would run above the default priority: a hardened service
    /// is refused that. Nor is it that of Swift's shared threads: see `QueueExecutor`.
    package static func serve(configuration path: String) -> Never {
        // Few threads are at work at once. With more arenas, memory would grow for an hour until each has had its most.
        _ = Heap.limitArenas(to: 2)
        let executor = QueueExecutor(label: "campaignd.main")
        Task.detached(executorPreference: executor.forTasks, priority: .medium) {
            exit(await run(configuration: path))
        }
        dispatchMain()
    }

    /// Runs the daemon. Returns the exit status.
    static func run(configuration path: String) async -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        // Until it is known what a reload means: the configuration is being read anyway.
        signal(SIGHUP, SIG_IGN)
        let clocks: SystemClocks
        let configuration: Configuration
        do {
            configuration = try ConfigurationFile.load(path)
            clocks = try SystemClocks()
        } catch let error as ConfigurationFile.Invalid {
            return fail(logger(clock: nil), error.mistakes.joined(separator: "; "), status(of: error))
        } catch {
            return fail(
                logger(clock: nil), "the machine's clocks cannot be used: \(error)", temporaryStatus)
        }
        let logger = logger(clock: clocks)
        do {
            var surroundings = Surroundings(clocks: clocks, logger: logger, machine: MachineIdentity.here)
            surroundings.keepsSmall = true
            let postfix = PostfixJournal(boot: clocks.bootID)
            surroundings.postfixReading = { user, since in try postfix.read(user: user, since: since) }
            surroundings.runtimeDirectory = runtimeDirectory
            surroundings.intentsInJournal = { intentsInJournal(ledger: $0, logger: logger) }
            askForTime(logger)
            let daemon = try await CampaignDaemon(
                configuration: configuration, path: path, surroundings: surroundings)
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [.init(service: daemon, successTerminationBehavior: .gracefullyShutdownGroup)],
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
            try await group.run()
            return 0
        } catch let error as LedgerError {
            return fail(logger, "\(error)", error.isConfiguration ? configurationStatus : temporaryStatus)
        } catch let error as RelayFactory.Unusable {
            return fail(logger, "\(path): a relay cannot be used: \(error)", configurationStatus)
        } catch let error as CredentialError {
            return fail(logger, "\(path): \(error)", configurationStatus)
        } catch let error as CampaignDaemon.Failed {
            return fail(logger, "\(error)", temporaryStatus, .brokeOff)
        } catch {
            return fail(logger, "\(error)", temporaryStatus)
        }
    }

    /// A large ledger is checked from its beginning to its end, and after an upgrade perhaps changed.
    private static func askForTime(_ logger: Logger) {
        do throws(NotificationError) {
            try ServiceNotifier().status("Opening the ledger and checking it")
            try ServiceNotifier().extendTimeout(microseconds: 900_000_000)
        } catch {
            logger.info("\(error)")
        }
    }

    private static func fail(
        _ logger: Logger, _ why: String, _ status: Int32, _ event: DaemonJournal.Event = .startFailed
    ) -> Int32 {
        logger.critical("\(why)", metadata: ["MESSAGE_ID": "\(event.rawValue)", "EXIT_STATUS": "\(status)"])
        do throws(NotificationError) {
            try ServiceNotifier().status("It has ended, and sends nothing: \(why)")
        } catch {
            logger.info("\(error)")
        }
        return status
    }

    /// The highest number of an intent in what this user wrote into the journal of late about this ledger.
    ///
    /// Lanes write one after another, so the highest is among the latest. Without a journal that may be read nothing is
    /// known, which is no fault: the counter beside the ledger is the first witness.
    private static func intentsInJournal(ledger: String, logger: Logger) -> Int64? {
        do {
            return try JournalReader().lastValues(
                of: "INTENT", where: ["LEDGER": ledger, "_UID": "\(geteuid())"], limit: 200
            ).compactMap { Int64($0) }.max()
        } catch {
            logger.info("the journal is not asked whether the ledger is the newest one: \(error)")
            return nil
        }
    }

    /// The lifecycle library's own remarks are of no use to an operator.
    private static var quiet: Logger {
        Logger(label: "campaignd.lifecycle", factory: { _ in SwiftLogNoOpLogHandler() })
    }

    private static func logger(clock: SystemClocks?) -> Logger {
        Logger(label: "campaignd") { _ in
            JournalLogHandler(time: { clock?.wall.rfc3339 ?? "start" })
        }
    }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}

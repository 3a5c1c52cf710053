import Foundation
import Ledger
import Logging
import Mailing
import Spool
import Synchronization
import Systemd

/// What all parts of the daemon share.
struct DaemonContext: Sendable {
    let ledger: DeliveryLedger
    let spool: SpoolDirectory
    let clocks: any Clocks
    let settings: Settings
    let journal: DaemonJournal
    let progress: Progress
    let stopping: StopFlag
    let meters = Meters()
    /// A delivery became uncertain, or what settles doubt changed.
    let doubts = Bell()
    /// Something came back into the Maildir for that.
    let returnedMail = Bell()
}

/// The configuration in force; replaced as a whole by a reload.
final class Settings: Sendable {
    private let state: Mutex<Configuration>

    init(_ configuration: Configuration) {
        state = Mutex(configuration)
    }

    var current: Configuration { state.withLock { $0 } }

    func replace(by configuration: Configuration) {
        state.withLock { $0 = configuration }
    }
}

/// Whether the daemon is on its way out.
final class StopFlag: Sendable {
    private let state = Atomic(false)
    private let reason = Mutex<String?>(nil)
    private let bell = Bell()

    var isSet: Bool { state.load(ordering: .acquiring) }

    /// Why the daemon cannot go on; nil if it was told to stop.
    var failure: String? { reason.withLock { $0 } }

    func set(because failure: String? = nil) {
        if let failure { reason.withLock { $0 = failure } }
        state.store(true, ordering: .releasing)
        bell.ring()
    }

    /// Returns when the flag is set, to one caller, or when the task is cancelled.
    func wait() async {
        while !isSet, !Task.isCancelled { await bell.wait() }
    }
}

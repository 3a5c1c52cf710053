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

/// What the work loops last did: feeds the watchdog and the status line.
final class Progress: Sendable {
    private struct State {
        /// When each loop last showed that it lives, and how long it may be silent.
        var beats: [String: BootInstant] = [:]
        /// Relays that wait for the reply to a final dot.
        var awaiting: Set<String> = []
        /// Relays that cannot be used now, and why.
        var trouble: [String: String] = [:]
        var sent = 0
        /// What keeps a loop from its work, by the loop.
        var hindrances: [String: String] = [:]
        /// What waits for its window, by campaign or relay.
        var waits: [String: String] = [:]
        /// What somebody should know of though everything goes on, by what it is about.
        var warnings: [String: String] = [:]
        /// Why nothing is sent at present: the ledger cannot be used.
        var ledgerTrouble: String?
    }

    private let state = Mutex(State())

    func beat(_ loop: String, at now: BootInstant) {
        state.withLock { $0.beats[loop] = now }
    }

    /// The loop waits for something that may rightly take long.
    func rests(_ loop: String) {
        state.withLock { $0.beats[loop] = nil }
    }

    func gone(_ loop: String) {
        state.withLock {
            $0.beats[loop] = nil
            $0.trouble[loop] = nil
            $0.waits[loop] = nil
        }
    }

    func awaiting(_ relay: String, _ isAwaiting: Bool) {
        state.withLock { state in
            if isAwaiting { state.awaiting.insert(relay) } else { state.awaiting.remove(relay) }
        }
    }

    func trouble(_ relay: String, _ why: String?) {
        state.withLock { $0.trouble[relay] = why }
    }

    func counted() {
        state.withLock { $0.sent += 1 }
    }

    /// What keeps a loop from its work; nil if nothing does any more.
    func hindered(_ loop: String, by why: String?) {
        state.withLock { $0.hindrances[loop] = why }
    }

    /// What waits for its window, as the status shows it; nil if it does not any more.
    func waits(_ subject: String, _ what: String?) {
        state.withLock { $0.waits[subject] = what }
    }

    var waits: [String: String] { state.withLock { $0.waits } }
    var hindrances: [String: String] { state.withLock { $0.hindrances } }

    /// What somebody should see to before it is too late; nil if all is well.
    func warning(_ subject: String, _ why: String?) {
        state.withLock { $0.warnings[subject] = why }
    }

    var warnings: [String: String] { state.withLock { $0.warnings } }

    /// Nothing is sent while the ledger cannot be used. Returns whether that is news.
    @discardableResult
    func ledgerTrouble(_ why: String?) -> Bool {
        state.withLock { state in
            defer { state.ledgerTrouble = why }
            return (state.ledgerTrouble == nil) != (why == nil)
        }
    }

    var ledgerTrouble: String? { state.withLock { $0.ledgerTrouble } }
    var isAwaitingReply: Bool { state.withLock { !$0.awaiting.isEmpty } }
    var troubles: [String: String] { state.withLock { $0.trouble } }
    var sent: Int { state.withLock { $0.sent } }

    /// The loop that has been silent for longest.
    func oldestBeat() -> (loop: String, at: BootInstant)? {
        state.withLock { state in
            state.beats.min { $0.value < $1.value }.map { ($0.key, $0.value) }
        }
    }
}

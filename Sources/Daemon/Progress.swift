import Mailing
import Synchronization

/// What the work loops last did: feeds the watchdog and the status line.
final class Progress: Sendable {
    private struct State {
        /// When each loop last showed that it lives, and until when it may be silent.
        var beats: [String: (at: BootInstant, silentUntil: BootInstant)] = [:]
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
    /// Rings when the status line may have changed.
    let news = Bell()

    /// A loop shows a sign of life at least so often, in nanoseconds, unless it has said that it will be silent.
    static let patience: Int64 = 90_000_000_000

    func beat(_ loop: String, at now: BootInstant) {
        state.withLock { $0.beats[loop] = (now, now.adding(nanoseconds: Progress.patience)) }
    }

    /// The loop waits for something that may rightly take until then, and not much longer.
    func rests(_ loop: String, from now: BootInstant, until end: BootInstant) {
        state.withLock { $0.beats[loop] = (now, max(now, end).adding(nanoseconds: Progress.patience)) }
    }

    /// The loop waits for something that may rightly take for ever.
    func rests(_ loop: String) {
        state.withLock { $0.beats[loop] = nil }
    }

    func gone(_ loop: String) {
        tell { state in
            state.beats[loop] = nil
            state.trouble[loop] = nil
            state.waits[loop] = nil
        }
    }

    func awaiting(_ relay: String, _ isAwaiting: Bool) {
        tell { state in
            if isAwaiting { state.awaiting.insert(relay) } else { state.awaiting.remove(relay) }
        }
    }

    func trouble(_ relay: String, _ why: String?) {
        tell { $0.trouble[relay] = why }
    }

    func counted() {
        tell { $0.sent += 1 }
    }

    /// What keeps a loop from its work; nil if nothing does any more.
    func hindered(_ loop: String, by why: String?) {
        let isNews = state.withLock { state in
            defer { state.hindrances[loop] = why }
            return state.hindrances[loop] != why
        }
        if isNews { news.ring() }
    }

    /// What waits for its window, as the status shows it; nil if it does not any more.
    func waits(_ subject: String, _ what: String?) {
        let isNews = state.withLock { state in
            defer { state.waits[subject] = what }
            return state.waits[subject] != what
        }
        if isNews { news.ring() }
    }

    var waits: [String: String] { state.withLock { $0.waits } }
    var hindrances: [String: String] { state.withLock { $0.hindrances } }

    /// What somebody should see to before it is too late; nil if all is well.
    func warning(_ subject: String, _ why: String?) {
        let isNews = state.withLock { state in
            defer { state.warnings[subject] = why }
            return state.warnings[subject] != why
        }
        if isNews { news.ring() }
    }

    var warnings: [String: String] { state.withLock { $0.warnings } }

    /// Nothing is sent while the ledger cannot be used. Returns whether that is news.
    @discardableResult
    func ledgerTrouble(_ why: String?) -> Bool {
        let isNews = state.withLock { state in
            defer { state.ledgerTrouble = why }
            return (state.ledgerTrouble == nil) != (why == nil)
        }
        news.ring()
        return isNews
    }

    var ledgerTrouble: String? { state.withLock { $0.ledgerTrouble } }
    var isAwaitingReply: Bool { state.withLock { !$0.awaiting.isEmpty } }
    var troubles: [String: String] { state.withLock { $0.trouble } }
    var sent: Int { state.withLock { $0.sent } }

    /// The loop that has been silent for longest.
    func oldestBeat() -> (loop: String, at: BootInstant)? {
        state.withLock { state in
            state.beats.min { $0.value.at < $1.value.at }.map { ($0.key, $0.value.at) }
        }
    }

    /// The loops that have been silent for longer than they may, in the order of their names.
    func stuck(at now: BootInstant) -> [String] {
        state.withLock { state in state.beats.filter { $0.value.silentUntil < now }.keys.sorted() }
    }

    private func tell(_ change: (inout State) -> Void) {
        state.withLock { change(&$0) }
        news.ring()
    }
}

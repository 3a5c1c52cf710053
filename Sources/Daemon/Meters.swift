import Mailing
import Synchronization

/// What is counted in memory for the metrics: what lanes, the intake and reloads did since the start.
final class Meters: Sendable {
    struct Relay: Equatable {
        /// Dots of the last 3600 s, the oldest first.
        var dots: [BootInstant] = []
        /// When the next dot should have left; nil if nothing is due.
        var expected: BootInstant?
        /// Since when it cannot be used; nil if it can.
        var troubleSince: Timestamp?
    }

    struct Values: Equatable {
        var relays: [String: Relay] = [:]
        var accepted = 0
        var rejected = 0
        /// Whether the latest reload came into force; true before the first.
        var isReloaded = true
        /// When the configuration in force was read by a reload; nil before the first good one.
        var reloadedAt: Timestamp?
    }

    /// Rings when something changed that metrics show.
    let bell = Bell()
    private let state = Mutex(Values())

    /// An hour, in nanoseconds.
    private static let hour: Int64 = 3_600_000_000_000

    /// Something changed that others keep.
    func changed() { bell.ring() }

    /// What a lane looks at has a message for it, whose dot may leave at `slot`; nil if it has none.
    func due(_ relay: String, slot: BootInstant?) {
        state.withLock { state in
            guard let slot else {
                state.relays[relay]?.expected = nil
                return
            }
            if state.relays[relay]?.expected == nil { state.relays[relay, default: Relay()].expected = slot }
        }
    }

    /// A dot left, or may have left.
    func dot(_ relay: String, at instant: BootInstant) {
        state.withLock { state in
            state.relays[relay, default: Relay()].expected = nil
            state.relays[relay]?.dots.append(instant)
            Meters.prune(&state.relays[relay, default: Relay()].dots, now: instant)
        }
        bell.ring()
    }

    /// A refusal took a slot without a dot.
    func tookSlot(_ relay: String) {
        state.withLock { $0.relays[relay]?.expected = nil }
        bell.ring()
    }

    /// Dots that an earlier run wrote, the oldest first.
    func remember(_ relay: String, _ instants: [BootInstant], now: BootInstant) {
        state.withLock { state in
            var dots = instants + (state.relays[relay]?.dots ?? [])
            Meters.prune(&dots, now: now)
            state.relays[relay, default: Relay()].dots = dots
        }
    }

    func trouble(_ relay: String, _ isInTrouble: Bool, at now: Timestamp) {
        let isNews = state.withLock { state in
            let since = state.relays[relay]?.troubleSince
            guard (since != nil) != isInTrouble else { return false }
            state.relays[relay, default: Relay()].troubleSince = isInTrouble ? now : nil
            return true
        }
        if isNews { bell.ring() }
    }

    /// The lane has ended; what it sent counts on.
    func gone(_ relay: String) {
        state.withLock { state in
            state.relays[relay]?.expected = nil
            state.relays[relay]?.troubleSince = nil
        }
    }

    func job(isAccepted: Bool) {
        state.withLock { state in
            if isAccepted { state.accepted += 1 } else { state.rejected += 1 }
        }
        bell.ring()
    }

    /// The configuration was read again, and is in force if it could be used.
    func reloaded(_ isInForce: Bool, at now: Timestamp) {
        state.withLock { state in
            state.isReloaded = isInForce
            if isInForce { state.reloadedAt = now }
        }
        bell.ring()
    }

    /// Whether any lane has a message that waits for its slot.
    var isAnythingDue: Bool { state.withLock { $0.relays.values.contains { $0.expected != nil } } }

    func values(now: BootInstant) -> Values {
        state.withLock { state in
            for relay in state.relays.keys { Meters.prune(&state.relays[relay, default: Relay()].dots, now: now) }
            return state
        }
    }

    private static func prune(_ dots: inout [BootInstant], now: BootInstant) {
        let old = dots.prefix { now.nanoseconds - $0.nanoseconds >= hour }.count
        if old > 0 { dots.removeFirst(old) }
    }
}

extension DaemonContext {
    /// Whether a relay can be used; what prevents it, or nil.
    func trouble(_ relay: String, _ why: String?) {
        progress.trouble(relay, why)
        meters.trouble(relay, why != nil, at: clocks.wall)
    }
}

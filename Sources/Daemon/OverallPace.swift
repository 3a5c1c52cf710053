import Mailing
import Synchronization

/// The limit over all relays together: one dot at a time, each a full interval after the one before.
final class OverallPace: Sendable {
    /// Under this name the ledger keeps its slot.
    static let name = ""

    private let gate = Gate()
    private let pacer: Mutex<Pacer?>

    /// How many lanes wait for their turn.
    var waiting: Int { gate.waiting }
    /// Nanoseconds between two dots; nil if there is no such limit.
    var interval: Int64? { pacer.withLock { $0?.interval } }

    init(pacer: Pacer?) {
        self.pacer = Mutex(pacer)
    }

    /// A reload changed the limit, or took it away.
    func change(messagesPerHour: Int?, bootID: BootID, now: BootInstant) {
        pacer.withLock { pacer in
            guard let messagesPerHour else {
                pacer = nil
                return
            }
            if pacer == nil {
                pacer = Pacer(
                    messagesPerHour: messagesPerHour, stored: nil, wasInFlight: true, bootID: bootID, now: now)
            } else {
                pacer?.change(messagesPerHour: messagesPerHour)
            }
        }
    }

    /// Waits for the turn of a relay, which must leave it again.
    ///
    /// - Parameter again: Whether its server waits for a dot already: then it passes the others, each once.
    /// - Returns: nil if there is no such limit, or if the relay was sent away.
    func enter(as relay: String, again: Bool = false) async -> OverallTurn? {
        guard interval != nil, await gate.enter(as: relay, isAhead: again) else { return nil }
        guard interval != nil else {
            gate.leave()
            return nil
        }
        return OverallTurn(pace: self)
    }

    /// The relay that waits for its turn does not want it any more.
    func sendAway(_ relay: String) { gate.sendAway(relay) }

    fileprivate func slot(now: BootInstant) -> BootInstant {
        pacer.withLock { $0?.slot(now: now) } ?? now
    }

    fileprivate func leave(writtenAt: BootInstant?) {
        if let writtenAt { pacer.withLock { $0?.dotWritten(at: writtenAt) } }
        gate.leave()
    }
}

/// The right to write the next dot of all relays. A reload may change the limit while somebody has it.
final class OverallTurn: Sendable {
    private let pace: OverallPace
    private let left = Atomic(false)

    /// Whether the turn is another's by now.
    var hasLeft: Bool { left.load(ordering: .acquiring) }
    /// Nanoseconds from the dot before; nil if the limit was taken away.
    var interval: Int64? { pace.interval }

    fileprivate init(pace: OverallPace) {
        self.pace = pace
    }

    /// The earliest moment for the dot.
    func slot(now: BootInstant) -> BootInstant { pace.slot(now: now) }

    /// Gives the turn to the next one. Only the first call counts.
    ///
    /// - Parameter writtenAt: When a dot was written; nil if none was.
    func leave(writtenAt: BootInstant?) {
        guard !left.exchange(true, ordering: .acquiringAndReleasing) else { return }
        pace.leave(writtenAt: writtenAt)
    }
}

import Mailing
import Synchronization
import Testing

/// Counts what all relays together were given, over connections and restarts: the promise, held from outside.
///
/// A message whose dot was answered with 2yz or 5yz, or not at all, must never be handed over again.
final class RelayAuditor: Sendable {
    /// One final dot.
    struct Dot: Sendable {
        var relay: String
        var recipient: String
        var messageID: String
        var message: String
        var at: BootInstant
    }

    private struct State {
        var dots: [Dot] = []
        var settled: Set<String> = []
    }

    private let state = Mutex(State())

    var dots: [Dot] { state.withLock { $0.dots } }
    var recipients: [String] { dots.map(\.recipient) }

    /// - Parameter isSettled: whether this dot leaves no right to a further one.
    func note(_ dot: Dot, isSettled: Bool) {
        let isSecond = state.withLock { state in
            let isSecond = state.settled.contains(dot.messageID)
            state.dots.append(dot)
            if isSettled { state.settled.insert(dot.messageID) }
            return isSecond
        }
        if isSecond { Issue.record("\(dot.messageID) to \(dot.recipient) was handed over a second time") }
    }

    /// Nanoseconds between each dot and the next.
    var gaps: [Int64] {
        let times = dots.map(\.at.nanoseconds)
        return zip(times.dropFirst(), times).map { $0 - $1 }
    }
}

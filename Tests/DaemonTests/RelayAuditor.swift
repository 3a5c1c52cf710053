import Foundation
import Mailing
import Synchronization
import Testing

/// Counts what all relays together were given, over connections and restarts: the promise, held from outside.
///
/// A message whose dot was answered with 2yz or 5yz, or not at all, must never be handed over again. There are two
/// exceptions, and both are only for silence: a person said that it did not arrive, or the relay knows the message by
/// the key that it carries.
final class RelayAuditor: Sendable {
    /// One final dot.
    struct Dot: Sendable {
        var relay: String
        var recipient: String
        var messageID: String
        var message: String
        var at: BootInstant

        /// The value of a header field, unfolded; nil if it is not there.
        func field(_ name: String) -> String? {
            let head = message.components(separatedBy: "\r\n\r\n")[0].replacing("\r\n ", with: " ")
            let line = head.components(separatedBy: "\r\n").first {
                $0.lowercased().hasPrefix(name.lowercased() + ":")
            }
            return line?.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
        }
    }

    /// What a dot leaves behind.
    enum Ending: Sendable {
        /// A 2yz: there is no right to a further one.
        case accepted
        /// A 5yz: the same, but of a message in doubt it says nothing.
        case refused
        /// Nobody knows.
        case silent
        /// It may come again.
        case open
    }

    private struct State {
        var dots: [Dot] = []
        var answered: Set<String> = []
        /// The first dot of each message in doubt.
        var silent: [String: Dot] = [:]
        var pardoned: Set<String> = []
        var keyHeader: String?
        var keyNanoseconds: Int64 = 0
    }

    private let state = Mutex(State())

    var dots: [Dot] { state.withLock { $0.dots } }
    var recipients: [String] { dots.map(\.recipient) }

    /// The relays know a message again, for so long after its first dot, by what stands in this header.
    func knowsKeys(in header: String, seconds: Int64) {
        state.withLock { ($0.keyHeader, $0.keyNanoseconds) = (header, seconds * 1_000_000_000) }
    }

    /// A person said that the message in doubt to this recipient did not arrive: one more dot is right.
    func pardon(_ recipient: String) {
        _ = state.withLock { $0.pardoned.insert(recipient) }
    }

    func note(_ dot: Dot, ending: Ending) {
        let isWrong = state.withLock { state in
            let isWrong = RelayAuditor.isWrong(dot, &state)
            state.dots.append(dot)
            switch ending {
            case .accepted: state.answered.insert(dot.messageID)
            case .refused: if state.silent[dot.messageID] == nil { state.answered.insert(dot.messageID) }
            case .silent: if state.silent[dot.messageID] == nil { state.silent[dot.messageID] = dot }
            case .open: break
            }
            return isWrong
        }
        if isWrong { Issue.record("\(dot.messageID) to \(dot.recipient) was handed over a second time") }
    }

    private static func isWrong(_ dot: Dot, _ state: inout State) -> Bool {
        if state.answered.contains(dot.messageID) { return true }
        guard let first = state.silent[dot.messageID] else { return false }
        if state.pardoned.remove(dot.recipient) != nil {
            state.silent[dot.messageID] = nil
            return false
        }
        guard let header = state.keyHeader, let key = dot.field(header), key == first.field(header) else { return true }
        return dot.at >= first.at.adding(nanoseconds: state.keyNanoseconds)
    }

    /// Nanoseconds between each dot and the next.
    var gaps: [Int64] {
        let times = dots.map(\.at.nanoseconds)
        return zip(times.dropFirst(), times).map { $0 - $1 }
    }
}

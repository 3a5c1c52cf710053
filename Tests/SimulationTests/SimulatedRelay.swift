import Foundation
import Mailing
import Synchronization

/// What the world outside got to see of one relay: over all connections, crashes and restarts.
final class SimulatedRelay: Sendable {
    /// What becomes of one attempt.
    enum Answer: Hashable, Sendable {
        case accept
        /// A reply at a phase before the dot, or to the dot.
        case reply(SMTPPhase, Int, String)
        /// The connection is lost before the dot.
        case lost
        /// The dot is taken, or not taken, and nothing comes back.
        case silent(taken: Bool)
        /// The connection is found dead when the dot is to be written.
        case notWritten
        /// Nobody listens.
        case unreachable

        /// Whether the daemon meets it before the dot.
        var isBeforeDot: Bool {
            switch self {
            case .lost, .unreachable: true
            case .reply(let phase, _, _): phase != .dot
            case .accept, .silent, .notWritten: false
            }
        }

        /// Whether it says that no later attempt will do better.
        var isForGood: Bool { if case .reply(_, 500..., _) = self { true } else { false } }
    }

    /// One final dot.
    struct Dot: Hashable, Sendable {
        var relay: String
        var recipient: String
        var campaign: String
        /// Nanoseconds of the true time, which no reboot sets back.
        var at: Int64
        /// What the daemon's wall clock showed.
        var wall: Timestamp
        /// Whether the message is the relay's now.
        var isTaken: Bool
        /// Whether the daemon may try again after this one.
        var mayRepeat: Bool
        /// No reply comes, though nothing crashes.
        var isSilent = false
        /// The idempotency key, if there was one.
        var key: String?

        var domain: String { String(recipient.drop { $0 != "@" }.dropFirst()) }
    }

    private struct State {
        var dots: [Dot] = []
        var answers: [String: [Answer]] = [:]
        var keys: Set<String> = []
    }

    let name: String
    /// Whether it takes a message only once that comes twice under one key.
    let knowsKeys: Bool
    /// How long a round trip takes, in nanoseconds.
    let roundTrip: Int64
    private let state = Mutex(State())

    init(_ relay: Scenario.Relay) {
        name = relay.name
        knowsKeys = relay.knowsKeys
        roundTrip = relay.milliseconds * 1_000_000
    }

    /// The answers to the attempts for one recipient, one after another; after the last one each is accepted.
    func answer(_ recipient: String, _ answers: [Answer]) {
        state.withLock { $0.answers[recipient, default: []] += answers }
    }

    var dots: [Dot] { state.withLock { $0.dots } }

    /// The answer to the present attempt.
    func answer(for recipient: String) -> Answer { state.withLock { $0.answers[recipient]?.first ?? .accept } }

    /// The present attempt met its answer.
    func answered(_ recipient: String) {
        state.withLock { state in
            if state.answers[recipient]?.isEmpty == false { state.answers[recipient]?.removeFirst() }
        }
    }

    func note(_ dot: Dot) {
        state.withLock { state in
            var dot = dot
            if knowsKeys, let key = dot.key, dot.isTaken, !state.keys.insert(key).inserted { dot.isTaken = false }
            state.dots.append(dot)
        }
    }
}

/// One connection of a daemon to a relay. It goes with the crash of its machine.
final class SimulatedConnection: RelayConnection {
    private enum Phase {
        case closed, idle, armed
    }

    private struct State {
        var phase = Phase.closed
        var current: (envelope: Envelope, message: [UInt8], answer: SimulatedRelay.Answer)?
        /// The mutant's dot, which left before its time.
        var early: RelayHandOver?
    }

    private let relay: SimulatedRelay
    private let machine: Machine
    /// A mutant writes the dot together with the body, before the intent is recorded.
    private let isEarly: Bool
    private let state = Mutex(State())

    init(_ relay: SimulatedRelay, on machine: Machine, isEarly: Bool = false) {
        self.relay = relay
        self.machine = machine
        self.isEarly = isEarly
    }

    func open() async -> RelayOpening {
        if state.withLock({ $0.phase }) == .idle { return .ready(fresh: false) }
        await machine.pass(relay.roundTrip)
        guard !machine.disk.hasCrashed else { return .failed(.connect, "the machine has crashed") }
        state.withLock { $0.phase = .idle }
        return .ready(fresh: true)
    }

    func localPort() async -> Int? { 40_000 }

    func offer(_ envelope: Envelope, message: [UInt8]) async -> RelayOffer {
        let answer = relay.answer(for: envelope.recipient.text)
        await machine.pass(relay.roundTrip)
        guard !machine.disk.hasCrashed else { return lost(.mail, "the machine has crashed") }
        if answer.isBeforeDot { relay.answered(envelope.recipient.text) }
        switch answer {
        case .reply(let phase, let code, let text) where phase != .dot:
            if code == 421 { state.withLock { $0.phase = .closed } }
            return .refused(phase, SMTPReply(code: code, lines: [text]))
        case .lost: return lost(.body, "the connection was lost")
        case .unreachable: return lost(.mail, "nobody is there")
        default:
            state.withLock { $0.phase = .armed }
            state.withLock { $0.current = (envelope, message, answer) }
            if isEarly {
                let early = await writeDot()
                state.withLock { $0.early = early }
            }
            return .armed
        }
    }

    func handOver(written: @Sendable (BootInstant?) -> Void) async -> RelayHandOver {
        let early = state.withLock { $0.early }
        let ended = if let early { early } else { await writeDot() }
        state.withLock { $0.early = nil }
        written(ended.writtenAt)
        return ended
    }

    private func writeDot() async -> RelayHandOver {
        let current = state.withLock { state in
            defer { (state.phase, state.current) = (.idle, nil) }
            return state.phase == .armed ? state.current : nil
        }
        if let current { relay.answered(current.envelope.recipient.text) }
        guard let current, current.answer != .notWritten, machine.disk.take(.dot) == 0 else {
            state.withLock { $0.phase = .closed }
            return RelayHandOver(ending: .notWritten("the connection is gone"), writtenAt: nil)
        }
        let at = machine.clock.boot
        machine.note(dot(current.envelope, current.message, current.answer), at: relay)
        await machine.pass(relay.roundTrip)
        guard machine.disk.take(.reply) == 0 else { return silent("the machine has crashed", at) }
        switch current.answer {
        case .silent: return silent("the connection ended without a reply", at)
        case .reply(_, let code, let text):
            if code == 421 { state.withLock { $0.phase = .closed } }
            return RelayHandOver(ending: .answered(SMTPReply(code: code, lines: [text])), writtenAt: at)
        default:
            return RelayHandOver(
                ending: .answered(SMTPReply(code: 250, lines: ["2.0.0 Ok: queued as 4F3"])), writtenAt: at)
        }
    }

    func close() async {
        state.withLock { ($0.phase, $0.current) = (.closed, nil) }
    }

    func interrupt() {}

    private func lost(_ phase: SMTPPhase, _ why: String) -> RelayOffer {
        state.withLock { $0.phase = .closed }
        return .lost(phase, why)
    }

    private func silent(_ why: String, _ at: BootInstant) -> RelayHandOver {
        state.withLock { $0.phase = .closed }
        return RelayHandOver(ending: .silent(why), writtenAt: at)
    }

    private func dot(_ envelope: Envelope, _ message: [UInt8], _ answer: SimulatedRelay.Answer) -> SimulatedRelay.Dot {
        let header = MessageHeader(message)
        let subject = header["subject"] ?? ""
        let words = subject.split(separator: " ")
        let isReport = words.count > 2 && words[0] == "Campaign" && words[2] == "is"
        let campaign = isReport ? "\(words[1]) report" : subject.split(separator: "(").last.map { $0.dropLast() } ?? ""
        var dot = SimulatedRelay.Dot(
            relay: relay.name, recipient: envelope.recipient.text, campaign: String(campaign),
            at: machine.trueTime, wall: machine.clock.wall, isTaken: true, mayRepeat: false, key: header["x-key"])
        switch answer {
        case .silent(let taken): (dot.isTaken, dot.isSilent) = (taken, true)
        case .reply(_, let code, let text):
            dot.isTaken = code / 100 == 2
            dot.mayRepeat = code / 100 == 4 || text.hasPrefix("5.7.")
        default: break
        }
        return dot
    }
}

/// The fields of a message that the judge has to know.
private struct MessageHeader {
    private let fields: [String: String]

    init(_ message: [UInt8]) {
        let text = String(decoding: message, as: UTF8.self)
        let head = text.components(separatedBy: "\r\n\r\n")[0].replacing("\r\n ", with: " ")
        var fields: [String: String] = [:]
        for line in head.components(separatedBy: "\r\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields[line[..<colon].lowercased()] = String(value)
        }
        self.fields = fields
    }

    subscript(name: String) -> String? { fields[name] }
}

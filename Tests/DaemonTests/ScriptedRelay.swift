import Foundation
import Mailing
import Synchronization
import Testing

@testable import Daemon

/// A relay that does as its script says, and argues back: calls out of order fail the test.
final class ScriptedRelay: RelayConnection {
    /// What becomes of one attempt.
    enum Answer: Sendable {
        case accept
        /// A reply at a phase before the dot, or to the dot.
        case reply(SMTPPhase, Int, String)
        /// The connection is lost before the dot.
        case lost
        /// The dot is written, and nothing comes back.
        case silent
        /// The connection is found dead when the dot is to be written.
        case notWritten
    }

    /// What happened, in its order.
    enum Event: Hashable, Sendable {
        case opened
        case armed(String)
        case dot(String)
        case closed
        /// A call has reached the phase at which it is held.
        case held(SMTPPhase)
        case interrupted
    }

    private enum Phase {
        case closed
        case idle
        case armed
    }

    private struct State {
        var phase = Phase.closed
        var openings: [RelayOpening] = []
        var answers: [String: [Answer]] = [:]
        var hold: SMTPPhase?
        var isHeld = false
        var wasInterrupted = false
        var current: (envelope: Envelope, message: [UInt8], answer: Answer)?
        var events: [Event] = []
        var watchers: [(event: Event, continuation: CheckedContinuation<Void, Never>)] = []
        var afterArming: (@Sendable (String) async -> Void)?
        var beforeReply: (@Sendable (String) async -> Void)?
    }

    let name: String
    private let clock: VirtualClock
    private let auditor: RelayAuditor
    /// How long the greeting, the envelope and the body take, in nanoseconds.
    private let duration: Int64
    private let release = Bell()
    private let state = Mutex(State())

    init(
        name: String = "default", clock: VirtualClock, auditor: RelayAuditor, milliseconds duration: Int64 = 0
    ) {
        self.name = name
        self.clock = clock
        self.auditor = auditor
        self.duration = duration * 1_000_000
    }

    // MARK: The script

    /// The answers to the attempts for one recipient, one after another; after the last one each is accepted.
    func answer(_ recipient: String, _ answers: Answer...) {
        state.withLock { $0.answers[recipient, default: []] += answers }
    }

    /// How the next attempts to connect end; after the last one each succeeds.
    func refuseToOpen(_ openings: RelayOpening...) {
        state.withLock { $0.openings += openings }
    }

    /// What happens while a message waits for its dot.
    func afterArming(_ act: @escaping @Sendable (String) async -> Void) {
        state.withLock { $0.afterArming = act }
    }

    /// What happens between a dot and its reply.
    func beforeReply(_ act: @escaping @Sendable (String) async -> Void) {
        state.withLock { $0.beforeReply = act }
    }

    /// The next call that comes to this phase stays there until it is interrupted or let go.
    func hold(at phase: SMTPPhase) {
        state.withLock { $0.hold = phase }
    }

    func letGo() { release.ring() }

    var events: [Event] { state.withLock { $0.events } }

    /// Returns when that has happened, or when the test is cancelled by its time limit.
    func happened(_ event: Event) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.events.contains(event) || Task.isCancelled { return true }
                    state.watchers.append((event, continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                defer { state.watchers = [] }
                return state.watchers.map(\.continuation)
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    // MARK: RelayConnection

    func open() async -> RelayOpening {
        let (phase, scripted) = state.withLock { state in
            (state.phase, state.openings.isEmpty ? nil : state.openings.removeFirst())
        }
        switch phase {
        case .idle: return .ready(fresh: false)
        case .armed: Issue.record("the connection was opened while a message waited for its dot")
        case .closed: break
        }
        guard await pass(.connect) else { return .failed(.connect, "interrupted") }
        if let scripted { return scripted }
        state.withLock { $0.phase = .idle }
        note(.opened)
        return .ready(fresh: true)
    }

    func localPort() async -> Int? { nil }

    func offer(_ envelope: Envelope, message: [UInt8]) async -> RelayOffer {
        let recipient = envelope.recipient.text
        let answer = state.withLock { state in
            if state.phase != .idle { Issue.record("a message was offered on a connection that is \(state.phase)") }
            return state.answers[recipient]?.first ?? .accept
        }
        guard await pass(.body) else {
            state.withLock { $0.phase = .closed }
            return .lost(.body, "interrupted")
        }
        state.withLock { state in
            if state.answers[recipient]?.isEmpty == false { state.answers[recipient]?.removeFirst() }
        }
        switch answer {
        case .reply(let phase, let code, let text) where phase != .dot:
            if code == 421 { state.withLock { $0.phase = .closed } }
            return .refused(phase, SMTPReply(code: code, lines: [text]))
        case .lost:
            state.withLock { $0.phase = .closed }
            return .lost(.body, "the connection was lost")
        default:
            let act = state.withLock { state in
                state.phase = .armed
                state.current = (envelope, message, answer)
                return state.afterArming
            }
            await act?(recipient)
            note(.armed(recipient))
            return .armed
        }
    }

    func handOver(written: @Sendable (BootInstant?) -> Void) async -> RelayHandOver {
        let (phase, current, act) = state.withLock { state in
            defer {
                state.current = nil
                state.phase = .idle
            }
            return (state.phase, state.current, state.beforeReply)
        }
        guard phase == .armed, let current else {
            Issue.record("a dot was asked for, and no message waits for it")
            written(nil)
            return RelayHandOver(ending: .notWritten("out of order"), writtenAt: nil)
        }
        let recipient = current.envelope.recipient.text
        if case .notWritten = current.answer {
            state.withLock { $0.phase = .closed }
            written(nil)
            return RelayHandOver(ending: .notWritten("the server had gone"), writtenAt: nil)
        }
        let at = clock.boot
        let dot = RelayAuditor.Dot(
            relay: name, recipient: recipient, messageID: messageID(of: current.message),
            message: String(decoding: current.message, as: UTF8.self), at: at)
        auditor.note(dot, ending: current.answer.ending)
        written(at)
        note(.dot(recipient))
        _ = await pass(.dot)
        await act?(recipient)
        switch current.answer {
        case .reply(_, let code, let text):
            if code == 421 { state.withLock { $0.phase = .closed } }
            return RelayHandOver(ending: .answered(SMTPReply(code: code, lines: [text])), writtenAt: at)
        case .silent:
            state.withLock { $0.phase = .closed }
            return RelayHandOver(ending: .silent("no reply within 600 s"), writtenAt: at)
        default:
            return RelayHandOver(
                ending: .answered(SMTPReply(code: 250, lines: ["2.0.0 Ok: queued as 4F3"])), writtenAt: at)
        }
    }

    func close() async {
        state.withLock { state in
            state.phase = .closed
            state.current = nil
        }
        note(.closed)
    }

    func interrupt() {
        let isHeld = state.withLock { state in
            guard state.isHeld else { return false }
            state.wasInterrupted = true
            return true
        }
        guard isHeld else { return }
        note(.interrupted)
        release.ring()
    }

    // MARK: Its own affairs

    /// Takes the time that a phase takes, or waits to be let go. False if it was interrupted.
    private func pass(_ phase: SMTPPhase) async -> Bool {
        let isToBeHeld = state.withLock { state in
            guard state.hold == phase else { return false }
            state.hold = nil
            // After the dot an interruption has no effect.
            state.isHeld = phase != .dot
            state.wasInterrupted = false
            return true
        }
        if isToBeHeld {
            note(.held(phase))
            await release.wait()
            return state.withLock { state in
                state.isHeld = false
                return !state.wasInterrupted
            }
        }
        guard duration > 0, phase != .dot else { return true }
        await release.wait(until: clock.boot.adding(nanoseconds: duration), clocks: clock)
        return true
    }

    private func note(_ event: Event) {
        let waiting = state.withLock { state in
            state.events.append(event)
            let waiting = state.watchers.filter { $0.event == event }.map(\.continuation)
            state.watchers.removeAll { $0.event == event }
            return waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func messageID(of message: [UInt8]) -> String {
        let head = String(decoding: message, as: UTF8.self).components(separatedBy: "\r\n\r\n")[0]
        let line = head.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix("message-id:") }
        if line == nil { Issue.record("a message without a Message-ID was handed over") }
        return line?.dropFirst("message-id:".count).trimmingCharacters(in: .whitespaces) ?? ""
    }
}

extension ScriptedRelay.Answer {
    /// What a dot that is answered so leaves behind: only a 4yz, and a dot never written, leave a right to another one.
    fileprivate var ending: RelayAuditor.Ending {
        switch self {
        case .accept: .accepted
        case .silent: .silent
        case .reply(_, let code, _) where code / 100 == 2: .accepted
        case .reply(_, let code, let text): code / 100 != 4 && !text.hasPrefix("5.7.") ? .refused : .open
        case .lost, .notWritten: .open
        }
    }
}

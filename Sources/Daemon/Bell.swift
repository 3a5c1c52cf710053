package import Mailing
import Synchronization

/// Wakes one waiting task. Rings while nobody waits are kept as one.
package final class Bell: Sendable {
    private struct State {
        var isRung = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    /// Ends the wait that is under way, or the next one.
    package func ring() {
        let waiter = state.withLock { state in
            guard let waiter = state.waiter else {
                state.isRung = true
                return nil as CheckedContinuation<Void, Never>?
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    /// Returns at the next ring, or when the task is cancelled.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRung = state.withLock { state in
                    if state.isRung || Task.isCancelled {
                        state.isRung = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isRung { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }
    }

    /// Returns at the next ring, when the clock reaches the deadline, or when the task is cancelled.
    package func wait(until deadline: BootInstant?, clocks: any Clocks) async {
        guard let deadline else { return await wait() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            group.addTask { try? await clocks.sleep(until: deadline) }
            await group.next()
            group.cancelAll()
        }
    }
}

/// Lets one task in at a time, in the order of asking, but for who may go ahead.
final class Gate: Sendable {
    private struct Waiter {
        var name: String
        var isAhead: Bool
        var wasPassed = false
        /// Given whether it is inside.
        var enters: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var isTaken = false
        var waiters: [Waiter] = []
    }

    private let state = Mutex(State())

    /// How many wait outside.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// Returns inside, which is to be left again.
    func enter() async { _ = await enter(as: "") }

    /// Returns true inside, which is to be left again; false if whoever has that name was sent away.
    ///
    /// - Parameter isAhead: Whether it goes in before those who are not, each of whom is passed once only.
    func enter(as name: String, isAhead: Bool = false) async -> Bool {
        await withCheckedContinuation { enters in
            let isIn = state.withLock { state in
                guard state.isTaken else {
                    state.isTaken = true
                    return true
                }
                let last = state.waiters.lastIndex { !isAhead || $0.isAhead || $0.wasPassed }
                let place = last.map { $0 + 1 } ?? 0
                for passed in place..<state.waiters.count { state.waiters[passed].wasPassed = true }
                state.waiters.insert(Waiter(name: name, isAhead: isAhead, enters: enters), at: place)
                return false
            }
            if isIn { enters.resume(returning: true) }
        }
    }

    func leave() {
        let next = state.withLock { state in
            state.isTaken = !state.waiters.isEmpty
            return state.isTaken ? state.waiters.removeFirst() : nil
        }
        next?.enters.resume(returning: true)
    }

    /// Whoever waits under that name gets no turn. Who is inside stays there.
    func sendAway(_ name: String) {
        let gone = state.withLock { state in
            let gone = state.waiters.filter { $0.name == name }
            state.waiters.removeAll { $0.name == name }
            return gone
        }
        for waiter in gone { waiter.enters.resume(returning: false) }
    }
}

import Synchronization

/// Two clocks that stand still until a test moves them, and who sleeps on them: what clocks of tests are made of.
package final class VirtualTime: Sendable {
    private struct Sleeper {
        var deadline: Int64
        var wake: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var boot: Int64
        var wall: Int64
        var sleepers: [Int: Sleeper] = [:]
        var count = 0
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - boot: nanoseconds of a clock that nobody sets.
    ///   - wall: milliseconds since 1970.
    package init(boot: Int64, wall: Int64) {
        state = Mutex(State(boot: boot, wall: wall))
    }

    /// Nanoseconds of the clock that nobody sets.
    package var boot: Int64 { state.withLock { $0.boot } }
    /// Milliseconds since 1970.
    package var wall: Int64 { state.withLock { $0.wall } }
    /// How many sleep.
    package var sleeping: Int { state.withLock { $0.sleepers.count } }
    /// When the first of them wakes, by the boot clock.
    package var nextDeadline: Int64? { state.withLock { $0.sleepers.values.map(\.deadline).min() } }

    /// Somebody sets the wall clock; the other one does not notice.
    package func stepWall(milliseconds: Int64) {
        state.withLock { $0.wall += milliseconds }
    }

    /// Sleeps until the boot clock has reached a moment.
    ///
    /// - Parameter hasBegun: is called when this task really sleeps.
    /// - Returns: false if the task was cancelled before that.
    package func sleep(until deadline: Int64, hasBegun: @Sendable () -> Void = {}) async -> Bool {
        let id = state.withLock { state in
            state.count += 1
            return state.count
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (wake: CheckedContinuation<Bool, Never>) in
                let isReached = state.withLock { state in
                    if Task.isCancelled { return false as Bool? }
                    if state.boot >= deadline { return true }
                    state.sleepers[id] = Sleeper(deadline: deadline, wake: wake)
                    return nil
                }
                if let isReached { wake.resume(returning: isReached) } else { hasBegun() }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: id) }?.wake.resume(returning: false)
        }
    }

    /// Moves both clocks on, never back, and wakes who has slept long enough, in the order of going to sleep. Returns
    /// how many that were.
    @discardableResult
    package func advance(to moment: Int64) -> Int {
        let woken = state.withLock { state in
            if moment > state.boot {
                state.wall += moment / 1_000_000 - state.boot / 1_000_000
                state.boot = moment
            }
            let due = state.sleepers.filter { $0.value.deadline <= state.boot }.sorted { $0.key < $1.key }
            for (id, _) in due { state.sleepers[id] = nil }
            return due.map(\.value.wake)
        }
        for wake in woken { wake.resume(returning: true) }
        return woken.count
    }
}

import Mailing
import Synchronization

/// The clocks of a simulated machine. They stand still until the simulation moves them.
final class SimulatedClock: Clocks {
    private struct Sleeper {
        var deadline: BootInstant
        var wake: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var boot: BootInstant
        var wall: Timestamp
        var sleepers: [Int: Sleeper] = [:]
        var count = 0
    }

    let bootID: BootID
    private let state: Mutex<State>

    init(boot: BootInstant, wall: Timestamp, bootID: BootID) {
        self.bootID = bootID
        state = Mutex(State(boot: boot, wall: wall))
    }

    var boot: BootInstant { state.withLock { $0.boot } }
    var wall: Timestamp { state.withLock { $0.wall } }
    var nextDeadline: BootInstant? { state.withLock { $0.sleepers.values.map(\.deadline).min() } }

    /// Somebody sets the wall clock; the other one does not notice.
    func stepWall(seconds: Int64) {
        state.withLock { $0.wall = $0.wall.adding(seconds: seconds) }
    }

    func sleep(until instant: BootInstant) async throws {
        let id = state.withLock { state in
            state.count += 1
            return state.count
        }
        let isReached = await withTaskCancellationHandler {
            await withCheckedContinuation { (wake: CheckedContinuation<Bool, Never>) in
                let isReached = state.withLock { state in
                    if Task.isCancelled { return false as Bool? }
                    if state.boot >= instant { return true }
                    state.sleepers[id] = Sleeper(deadline: instant, wake: wake)
                    return nil
                }
                if let isReached { wake.resume(returning: isReached) }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: id) }?.wake.resume(returning: false)
        }
        guard isReached else { throw CancellationError() }
    }

    /// Moves both clocks on and wakes who has slept long enough, in the order of going to sleep.
    func advance(to instant: BootInstant) {
        let woken = state.withLock { state in
            if instant > state.boot {
                let before = state.boot.nanoseconds / 1_000_000
                state.boot = instant
                state.wall.milliseconds += instant.nanoseconds / 1_000_000 - before
            }
            let due = state.sleepers.filter { $0.value.deadline <= state.boot }.sorted { $0.key < $1.key }
            for (id, _) in due { state.sleepers[id] = nil }
            return due.map(\.value.wake)
        }
        for wake in woken { wake.resume(returning: true) }
    }
}

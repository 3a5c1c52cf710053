import Mailing
import Synchronization

/// Time that stands still until a test moves it.
///
/// `run` moves it from one sleeper to the next, each time only when as many tasks sleep as have joined: work takes no
/// time at all, and nothing depends on how fast the machine is.
final class VirtualClock: Clocks {
    private struct Sleeper {
        var deadline: BootInstant
        var wake: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var boot: BootInstant
        var wall: Timestamp
        var members = 0
        var sleepers: [Int: Sleeper] = [:]
        var count = 0
        var watcher: CheckedContinuation<Void, Never>?

        /// The watcher, if everybody sleeps.
        mutating func takeWatcher() -> CheckedContinuation<Void, Never>? {
            guard sleepers.count >= members else { return nil }
            defer { watcher = nil }
            return watcher
        }
    }

    let bootID = BootID("a-boot-of-the-tests")
    private let state: Mutex<State>

    /// - Parameter wall: RFC 3339; well before the real time, so that files look old.
    init(wall: String = "2025-06-02T09:00:00Z", boot: Int64 = 1_000_000_000_000) {
        let wall = Timestamp(rfc3339: wall) ?? Timestamp(milliseconds: 0)
        state = Mutex(State(boot: BootInstant(nanoseconds: boot), wall: wall))
    }

    var boot: BootInstant { state.withLock { $0.boot } }
    var wall: Timestamp { state.withLock { $0.wall } }

    /// Somebody stepped the wall clock; the boot clock does not notice.
    func stepWall(seconds: Int64) {
        state.withLock { $0.wall = $0.wall.adding(seconds: seconds) }
    }

    /// One more task has to sleep before time moves.
    func join() {
        state.withLock { $0.members += 1 }
    }

    /// One task ended, or waits for something else than time.
    func leave() {
        let watcher = state.withLock { state in
            state.members -= 1
            return state.takeWatcher()
        }
        watcher?.resume()
    }

    func sleep(until instant: BootInstant) async throws {
        let id = state.withLock { state in
            state.count += 1
            return state.count
        }
        let isReached = await withTaskCancellationHandler {
            await withCheckedContinuation { (wake: CheckedContinuation<Bool, Never>) in
                let (result, watcher) = state.withLock { state in
                    if Task.isCancelled { return (false as Bool?, nil as CheckedContinuation<Void, Never>?) }
                    if state.boot >= instant { return (true, nil) }
                    state.sleepers[id] = Sleeper(deadline: instant, wake: wake)
                    return (nil, state.takeWatcher())
                }
                if let result { wake.resume(returning: result) }
                watcher?.resume()
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: id) }?.wake.resume(returning: false)
        }
        guard isReached else { throw CancellationError() }
    }

    /// Waits until everybody who joined sleeps, or the test is cancelled by its time limit.
    func settle() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isSettled = state.withLock { state in
                    if state.sleepers.count >= state.members || Task.isCancelled { return true }
                    state.watcher = continuation
                    return false
                }
                if isSettled { continuation.resume() }
            }
        } onCancel: {
            let watcher = state.withLock { state in
                defer { state.watcher = nil }
                return state.watcher
            }
            watcher?.resume()
        }
    }

    /// Lets so many seconds pass, sleeper after sleeper, and settles.
    func run(seconds: Double) async {
        await run(until: boot.adding(nanoseconds: Int64(seconds * 1_000_000_000)))
    }

    /// Lets time pass up to a moment, sleeper after sleeper, and settles.
    func run(until limit: BootInstant) async {
        while !Task.isCancelled {
            await settle()
            let woken = state.withLock { state in
                let next = state.sleepers.values.map(\.deadline).min()
                VirtualClock.move(&state, to: min(next ?? limit, limit))
                guard let next, next <= limit else { return nil as [CheckedContinuation<Bool, Never>]? }
                let due = state.sleepers.filter { $0.value.deadline <= state.boot }
                for id in due.keys { state.sleepers[id] = nil }
                return due.values.map(\.wake)
            }
            guard let woken else { return }
            for wake in woken { wake.resume(returning: true) }
        }
    }

    private static func move(_ state: inout State, to instant: BootInstant) {
        guard instant > state.boot else { return }
        let before = state.boot.nanoseconds / 1_000_000
        state.boot = instant
        state.wall.milliseconds += instant.nanoseconds / 1_000_000 - before
    }
}

import Mailing
import Synchronization
import TestSupport

/// Time that stands still until a test moves it.
///
/// `run` moves it from one sleeper to the next, each time only when as many tasks sleep as have joined: work takes no
/// time at all, and nothing depends on how fast the machine is.
final class VirtualClock: Clocks {
    private struct State {
        var members = 0
        var watcher: CheckedContinuation<Void, Never>?
    }

    let bootID = BootID("a-boot-of-the-tests")
    private let time: VirtualTime
    private let state = Mutex(State())

    /// - Parameter wall: RFC 3339; well before the real time, so that files look old.
    init(wall: String = "2025-06-02T09:00:00Z", boot: Int64 = 1_000_000_000_000) {
        time = VirtualTime(boot: boot, wall: Timestamp(rfc3339: wall)?.milliseconds ?? 0)
    }

    var boot: BootInstant { BootInstant(nanoseconds: time.boot) }
    var wall: Timestamp { Timestamp(milliseconds: time.wall) }

    /// Somebody stepped the wall clock; the boot clock does not notice.
    func stepWall(seconds: Int64) { time.stepWall(milliseconds: seconds * 1000) }

    /// One more task has to sleep before time moves.
    func join() {
        state.withLock { $0.members += 1 }
    }

    /// One task ended, or waits for something else than time.
    func leave() {
        state.withLock { $0.members -= 1 }
        wakeWatcher()
    }

    func sleep(until instant: BootInstant) async throws {
        let isReached = await time.sleep(until: instant.nanoseconds, hasBegun: { self.wakeWatcher() })
        guard isReached else { throw CancellationError() }
    }

    /// Wakes who waits for it, if everybody sleeps.
    private func wakeWatcher() {
        let watcher = state.withLock { state in
            guard time.sleeping >= state.members else { return nil as CheckedContinuation<Void, Never>? }
            defer { state.watcher = nil }
            return state.watcher
        }
        watcher?.resume()
    }

    /// Waits until everybody who joined sleeps, or the test is cancelled by its time limit.
    func settle() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isSettled = state.withLock { state in
                    if time.sleeping >= state.members || Task.isCancelled { return true }
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
            let next = time.nextDeadline
            time.advance(to: min(next ?? limit.nanoseconds, limit.nanoseconds))
            guard let next, next <= limit.nanoseconds else { return }
        }
    }
}

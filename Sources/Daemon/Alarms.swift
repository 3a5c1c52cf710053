import Dispatch
import Glibc
import Mailing
import Synchronization
import Systemd

/// Wakes tasks that sleep until a moment of the boot clock, all by one timer of the kernel.
///
/// Not Task.sleep, which goes by way of Swift's shared threads (see `QueueExecutor`). A thread of its own waits for the
/// timer: a source of libdispatch would wake two. Who sleeps until the same moment is woken together.
final class Alarms: Sendable {
    private struct Sleeper {
        var deadline: BootInstant
        /// Given whether the deadline was reached; if not, the task was cancelled.
        var wake: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var sleepers: [Int: Sleeper] = [:]
        var count = 0
        /// When the timer goes off.
        var next: BootInstant?
    }

    private let state = Mutex(State())
    private let timer: BootTimer
    private let now: @Sendable () -> BootInstant

    /// - Parameter now: The boot clock.
    init(now: @escaping @Sendable () -> BootInstant) throws(BootTimerError) {
        self.now = now
        let timer = try BootTimer()
        self.timer = timer
        DispatchQueue(label: "campaignd.alarms").async { [weak self] in
            while true {
                Alarms.wait(for: timer)
                guard let self else { return }
                self.ring()
            }
        }
    }

    /// Ends the thread, which finds nobody.
    deinit { timer.set(to: 0) }

    private static func wait(for timer: BootTimer) {
        var count: UInt64 = 0
        while read(timer.fileDescriptor, &count, MemoryLayout<UInt64>.size) < 0 {
            precondition(errno == EINTR, "a timer that was made can be read")
        }
    }

    /// How many tasks sleep.
    var sleeping: Int { state.withLock { $0.sleepers.count } }

    /// Returns when the boot clock has reached `instant`, or throws CancellationError as soon as the task is cancelled.
    func sleep(until instant: BootInstant) async throws(CancellationError) {
        let id = state.withLock { state in
            state.count += 1
            return state.count
        }
        let isReached = await withTaskCancellationHandler {
            await withCheckedContinuation { wake in
                let isAwake = state.withLock { state in
                    // Who is cancelled after this finds the sleeper.
                    if Task.isCancelled { return true }
                    state.sleepers[id] = Sleeper(deadline: instant, wake: wake)
                    set(&state)
                    return false
                }
                if isAwake { wake.resume(returning: false) }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                let sleeper = state.sleepers.removeValue(forKey: id)
                set(&state)
                return sleeper
            }
            sleeper?.wake.resume(returning: false)
        }
        guard isReached else { throw CancellationError() }
    }

    /// The timer went off.
    private func ring() {
        let due = state.withLock { state in
            state.next = nil
            let now = now()
            let due = state.sleepers.filter { $0.value.deadline <= now }
            for id in due.keys { state.sleepers[id] = nil }
            set(&state)
            return due.values.sorted { $0.deadline < $1.deadline }
        }
        for sleeper in due { sleeper.wake.resume(returning: true) }
    }

    /// To the earliest deadline: nobody is woken for one who does not sleep any more.
    private func set(_ state: inout State) {
        let next = state.sleepers.values.map(\.deadline).min()
        guard next != state.next else { return }
        state.next = next
        timer.set(to: next?.nanoseconds)
    }
}

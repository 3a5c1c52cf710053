import Foundation
import Glibc
import Synchronization
import TestSupport

/// Runs every task and every actor of one simulated daemon on one thread, one job at a time.
///
/// Which of the ready jobs comes next is drawn from a seed, so that a run can be repeated to the last step.
final class Scheduler: SerialExecutor {
    private enum Job: Sendable {
        /// Of an actor that was given this scheduler as its executor.
        case ofActor(UnownedJob)
        /// Of all other tasks and actors.
        case common(UnownedJob)
    }

    /// Stands for the thread pool of the language.
    private final class Pool: TaskExecutor {
        func enqueue(_ job: consuming ExecutorJob) { Scheduler.current?.add(.common(UnownedJob(job))) }
    }

    private struct State {
        var ready: [Job] = []
        var generator: SeededGenerator?
    }

    private let state: Mutex<State>
    private let pool = Pool()

    /// - Parameter seed: nil for first come, first served.
    init(seed: UInt64?) {
        state = Mutex(State(generator: seed.map(SeededGenerator.init(seed:))))
    }

    func enqueue(_ job: consuming ExecutorJob) { add(.ofActor(UnownedJob(job))) }

    private func add(_ job: Job) { state.withLock { $0.ready.append(job) } }

    /// Makes this scheduler the one of the present thread while `work` runs.
    func own<Value>(_ work: () throws -> Value) rethrows -> Value {
        _ = Scheduler.isHooked
        pthread_setspecific(Scheduler.key, Unmanaged.passUnretained(self).toOpaque())
        defer { pthread_setspecific(Scheduler.key, nil) }
        return try work()
    }

    /// Runs jobs until none is ready, or until `isOver` says so. Returns how many ran.
    @discardableResult
    func drain(isOver: () -> Bool = { false }) -> Int {
        var count = 0
        while !isOver(), let job = next() {
            switch job {
            case .ofActor(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .common(let job): job.runSynchronously(on: pool.asUnownedTaskExecutor())
            }
            count += 1
        }
        return count
    }

    private func next() -> Job? {
        state.withLock { state in
            guard !state.ready.isEmpty else { return nil }
            guard state.ready.count > 1, var generator = state.generator else { return state.ready.removeFirst() }
            let index = Int.random(in: 0..<state.ready.count, using: &generator)
            state.generator = generator
            return state.ready.remove(at: index)
        }
    }

    // MARK: The thread

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        precondition(pthread_key_create(&key, nil) == 0, "the machine has no room for another thread's own value")
        return key
    }()

    private static var current: Scheduler? {
        pthread_getspecific(key).map { Unmanaged<Scheduler>.fromOpaque($0).takeUnretainedValue() }
    }

    private typealias Original = @convention(thin) (UnownedJob) -> Void
    private typealias Hook = @convention(thin) (UnownedJob, Original) -> Void

    /// The runtime's own hook for whoever brings executors of his own: jobs that a simulated daemon makes ready go to
    /// its scheduler, all others where they always go.
    private static let isHooked: Bool = {
        let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "swift_task_enqueueGlobal_hook")
        guard let symbol else { preconditionFailure("this Swift runtime has no hook for executors") }
        symbol.assumingMemoryBound(to: Hook?.self).pointee = { job, original in
            if let scheduler = Scheduler.current {
                scheduler.add(.common(job))
            } else {
                original(job)
            }
        }
        return true
    }()
}

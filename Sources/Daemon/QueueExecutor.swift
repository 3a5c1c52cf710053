import Dispatch
import Synchronization

/// Runs the work of one part of the daemon on a thread of its own, which it has only while there is something to do,
/// unless it keeps it.
///
/// An actor may take it because it reads and writes files, and a task (`forTasks`) so that what it does outside of any
/// actor runs there too. Nothing of the daemon runs on Swift's shared threads: once those have worked, libdispatch
/// looks after them every second for as long as the process lives.
final class QueueExecutor: SerialExecutor {
    /// Gives its thread; one that is kept is for what is enqueued here alone.
    let queue: DispatchQueue
    private let tasks: TaskQueue

    /// - Parameter keepsThread: For a part that is woken again and again. libdispatch lets a thread wait five seconds
    ///   for more work and wakes it once more to end it, so a short look would cost two wake-ups.
    init(label: String, keepsThread: Bool = false) {
        queue = DispatchQueue(label: label)
        tasks = TaskQueue(queue: queue, thread: keepsThread ? KeptThread(queue: queue) : nil)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        tasks.run { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    fileprivate var taskExecutor: any TaskExecutor { tasks }

    private final class TaskQueue: TaskExecutor {
        private let queue: DispatchQueue
        private let thread: KeptThread?

        init(queue: DispatchQueue, thread: KeptThread?) {
            self.queue = queue
            self.thread = thread
        }

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            run { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }

        func run(_ work: @escaping @Sendable () -> Void) {
            if let thread { thread.run(work) } else { queue.async(execute: work) }
        }
    }
}

/// Keeps the thread of a queue waiting for work until nobody needs it any more.
private final class KeptThread: Sendable {
    private let work = Work()

    init(queue: DispatchQueue) {
        queue.async { [work] in
            while let next = work.next() { next() }
        }
    }

    deinit { work.add(nil) }

    func run(_ work: @escaping @Sendable () -> Void) { self.work.add(work) }

    /// In the order of adding; nil ends it.
    private final class Work: Sendable {
        private let waiting = Mutex<[(@Sendable () -> Void)?]>([])
        private let count = DispatchSemaphore(value: 0)

        func add(_ work: (@Sendable () -> Void)?) {
            waiting.withLock { $0.append(work) }
            count.signal()
        }

        func next() -> (@Sendable () -> Void)? {
            count.wait()
            return waiting.withLock { $0.removeFirst() }
        }
    }
}

extension SerialExecutor {
    /// The same thread for all that a task does, as its `executorPreference`; children of the task take it over. Nil,
    /// which means no preference, if this is no queue of ours but one of the tests.
    var forTasks: (any TaskExecutor)? { (self as? QueueExecutor)?.taskExecutor }
}

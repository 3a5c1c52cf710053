import Dispatch

/// Runs the work of one part of the daemon on a thread of its own, which it has only while there is something to do.
///
/// An actor may take it because it reads and writes files, and a task (`forTasks`) so that what it does outside of any
/// actor runs there too. Nothing of the daemon runs on Swift's shared threads: once those have worked, libdispatch
/// looks after them every second for as long as the process lives.
final class QueueExecutor: SerialExecutor {
    /// Its thread, for what else belongs there.
    let queue: DispatchQueue
    private let tasks: TaskQueue

    init(label: String) {
        queue = DispatchQueue(label: label)
        tasks = TaskQueue(queue: queue)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    fileprivate var taskExecutor: any TaskExecutor { tasks }

    private final class TaskQueue: TaskExecutor {
        private let queue: DispatchQueue

        init(queue: DispatchQueue) {
            self.queue = queue
        }

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }
}

extension SerialExecutor {
    /// The same thread for all that a task does, as its `executorPreference`; children of the task take it over. Nil,
    /// which means no preference, if this is no queue of ours but one of the tests.
    var forTasks: (any TaskExecutor)? { (self as? QueueExecutor)?.taskExecutor }
}

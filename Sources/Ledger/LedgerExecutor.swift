import Dispatch

/// Runs an actor's work on a queue of its own, because SQLite blocks.
package final class LedgerExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "campaignd.ledger")

    package init() {}

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

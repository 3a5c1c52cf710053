import Dispatch
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(5)))
struct QueueExecutorTests {
    private static let key = DispatchSpecificKey<String>()

    private func executor(_ name: String, keepsThread: Bool) -> QueueExecutor {
        let executor = QueueExecutor(label: name, keepsThread: keepsThread)
        executor.queue.setSpecific(key: QueueExecutorTests.key, value: name)
        return executor
    }

    private static func place() async -> String? { DispatchQueue.getSpecific(key: key) }

    private actor Part {
        private let executor: QueueExecutor

        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

        init(_ executor: QueueExecutor) {
            self.executor = executor
        }

        func place() -> String? { DispatchQueue.getSpecific(key: QueueExecutorTests.key) }

        /// Beside the actor, and in it again.
        func around() async -> [String?] {
            await [QueueExecutorTests.place(), place()]
        }
    }

    private actor Plain {
        func place() -> String? { DispatchQueue.getSpecific(key: QueueExecutorTests.key) }
    }

    @Test(arguments: [false, true])
    func `all that a task does outside of actors with a thread of their own runs on its queue`(keeps: Bool) async {
        let mine = executor("mine", keepsThread: keeps)
        let part = Part(executor("other", keepsThread: keeps))
        let places = await Task(executorPreference: mine.forTasks) {
            var places = [await QueueExecutorTests.place(), await Plain().place(), await part.place()]
            places.append(await QueueExecutorTests.place())
            await withTaskGroup(of: String?.self) { group in
                group.addTask { await QueueExecutorTests.place() }
                for await place in group { places.append(place) }
            }
            return places + (await part.around())
        }.value
        #expect(places == ["mine", "mine", "other", "mine", "mine", "mine", "other"])
    }

    @Test(arguments: [false, true])
    func `a part of the daemon and its task share one thread`(keeps: Bool) async {
        let executor = executor("part", keepsThread: keeps)
        let part = Part(executor)
        let places = await Task(executorPreference: executor.forTasks) { await part.around() }.value
        #expect(places == ["part", "part"])
    }

    @Test func `an executor of the tests is no preference`() {
        final class Other: SerialExecutor {
            func enqueue(_ job: consuming ExecutorJob) {}
        }
        #expect((Other() as any SerialExecutor).forTasks == nil)
        #expect((QueueExecutor(label: "queue") as any SerialExecutor).forTasks != nil)
    }

    @Test(arguments: [[], [1, 3], [0, 1, 2, 3]] as [Set<Int>])
    func `many tasks on a few queues come to their end`(kept: Set<Int>) async {
        let executors = (0..<4).map { executor("\($0)", keepsThread: kept.contains($0)) }
        let parts = executors.map { Part($0) }
        let plain = Plain()
        let sum = await withTaskGroup(of: Int.self) { group in
            for number in 0..<400 {
                group.addTask(executorPreference: executors[number % 4].forTasks) {
                    var right = 0
                    for step in 0..<25 {
                        if await QueueExecutorTests.place() == "\(number % 4)" { right += 1 }
                        if await parts[(number + step) % 4].place() == "\((number + step) % 4)" { right += 1 }
                        _ = await plain.place()
                    }
                    return right
                }
            }
            return await group.reduce(0, +)
        }
        #expect(sum == 400 * 50)
    }

    @Test func `a thread that is kept ends with what it was kept for, and not before its work`() async {
        final class Witness: Sendable {
            let done: StopFlag
            init(done: StopFlag) { self.done = done }
            deinit { done.set() }
        }
        let (ended, worked) = (StopFlag(), StopFlag())
        let key = DispatchSpecificKey<Witness>()
        do {
            let executor = executor("kept", keepsThread: true)
            executor.queue.setSpecific(key: key, value: Witness(done: ended))
            Task(executorPreference: executor.forTasks) { worked.set() }
        }
        await worked.wait()
        // The thread holds its queue, which holds the witness.
        await ended.wait()
    }
}

import Dispatch
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(1)))
struct QueueExecutorTests {
    private static let key = DispatchSpecificKey<String>()

    private func executor(_ name: String) -> QueueExecutor {
        let executor = QueueExecutor(label: name)
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

    @Test func `all that a task does outside of actors with a thread of their own runs on its queue`() async {
        let mine = executor("mine")
        let part = Part(executor("other"))
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

    @Test func `a part of the daemon and its task share one thread`() async {
        let executor = executor("part")
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

    @Test func `many tasks on a few queues come to their end`() async {
        let executors = (0..<4).map { executor("\($0)") }
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
}

import Mailing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct VirtualClockTests {
    private let clock = VirtualClock()

    private func moment(_ seconds: Double) -> BootInstant {
        clock.boot.adding(nanoseconds: Int64(seconds * 1_000_000_000))
    }

    @Test func `sleepers wake one after another, each at its moment`() async throws {
        let moments = [moment(3), moment(1), moment(2)]
        let tasks = moments.map { moment in
            clock.join()
            return Task { [clock] in
                defer { clock.leave() }
                try await clock.sleep(until: moment)
                return clock.boot
            }
        }
        let end = moment(10)
        await clock.run(until: end)
        for (task, moment) in zip(tasks, moments) { #expect(try await task.value == moment) }
        #expect(clock.boot == end)
    }

    @Test func `both clocks move together, and the wall clock can be stepped`() async {
        let wall = clock.wall
        await clock.run(seconds: 1.5)
        #expect(clock.wall.milliseconds == wall.milliseconds + 1500)
        let boot = clock.boot
        clock.stepWall(seconds: -3600)
        #expect(clock.wall == Timestamp(milliseconds: wall.milliseconds - 3_600_000 + 1500))
        #expect(clock.boot == boot)
    }

    @Test func `a cancelled sleeper wakes with an error`() async {
        let late = moment(10)
        let task = Task { [clock] in try await clock.sleep(until: late) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `what is past is not waited for`() async throws {
        try await clock.sleep(until: clock.boot)
    }
}

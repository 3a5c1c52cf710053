import Mailing
import TestSupport
import Testing

@testable import Daemon

/// The real clock, for as short as can be.
@Suite(.timeLimit(.minutes(5)))
struct AlarmsTests {
    private let clocks: SystemClocks
    private let alarms: Alarms

    init() throws {
        let clocks = try SystemClocks()
        self.clocks = clocks
        alarms = try Alarms(now: { clocks.boot })
    }

    private func later(milliseconds: Int64) -> BootInstant {
        clocks.boot.adding(nanoseconds: milliseconds * 1_000_000)
    }

    @Test func `nobody is woken before the moment`() async throws {
        await withTaskGroup(of: Bool.self) { group in
            for milliseconds in [40, 10, 30, 10, 20, 0, -10] as [Int64] {
                let moment = later(milliseconds: milliseconds)
                group.addTask {
                    do {
                        try await alarms.sleep(until: moment)
                        return clocks.boot >= moment
                    } catch {
                        return false
                    }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
        #expect(alarms.sleeping == 0)
    }

    @Test func `a later moment does not wait for an earlier one that was called off`() async throws {
        let early = Task { try await alarms.sleep(until: later(milliseconds: 20_000)) }
        let late = Task { try await alarms.sleep(until: later(milliseconds: 50)) }
        try await late.value
        early.cancel()
        await #expect(throws: CancellationError.self) { try await early.value }
        #expect(alarms.sleeping == 0)
    }

    @Test func `who is cancelled before does not sleep`() async throws {
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await alarms.sleep(until: later(milliseconds: 3_600_000))
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(alarms.sleeping == 0)
    }

    @Test func `nobody is lost where moments and cancellations meet`() async throws {
        var generator = SeededGenerator(seed: 4711)
        let woken = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<2000 {
                let moment = clocks.boot.adding(nanoseconds: Int64.random(in: 0..<20_000_000, using: &generator))
                let end = Bool.random(using: &generator) ? moment : nil
                group.addTask {
                    let sleeper = Task {
                        // Both ends are right.
                        try? await alarms.sleep(until: moment)
                        return 1
                    }
                    if let end {
                        try? await clocks.sleep(until: end)
                        sleeper.cancel()
                    }
                    return await sleeper.value
                }
            }
            return await group.reduce(0, +)
        }
        #expect(woken == 2000)
        #expect(alarms.sleeping == 0)
    }

    @Test func `what is past needs no sleep, unless the task is cancelled`() async throws {
        try await clocks.sleep(until: clocks.boot)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await clocks.sleep(until: clocks.boot)
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test(arguments: [0, 1, 29_999_999_999, 30_000_000_000, 1_000_000_000_000] as [Int64])
    func `a common moment is the same for all, soon, and not now`(boot: Int64) {
        let clock = VirtualClock(boot: boot)
        let moment = clock.commonMoment(every: 30_000_000_000)
        #expect(moment > clock.boot)
        #expect(moment.nanoseconds - boot <= 30_000_000_000)
        #expect(moment.nanoseconds % 30_000_000_000 == 0)
        // So that who comes seldom comes together with who comes often.
        #expect(clock.commonMoment(every: 600_000_000_000).nanoseconds % 30_000_000_000 == 0)
    }
}

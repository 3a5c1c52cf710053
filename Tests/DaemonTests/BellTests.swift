import Mailing
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(5)))
struct BellTests {
    private let clock = VirtualClock()

    @Test func `a ring while nobody waits is kept`() async {
        let bell = Bell()
        bell.ring()
        await bell.wait()
    }

    @Test func `rings while nobody waits are kept as one`() async {
        let bell = Bell()
        bell.ring()
        bell.ring()
        await bell.wait()
        clock.join()
        let second = Task { [clock] in
            await bell.wait(until: clock.boot.adding(nanoseconds: 5), clocks: clock)
            clock.leave()
        }
        // It settles only if the second wait sleeps.
        await clock.settle()
        await clock.run(seconds: 1)
        await second.value
    }

    @Test func `a ring wakes who waits`() async {
        let bell = Bell()
        clock.join()
        let waiter = Task { [clock] in
            await bell.wait(until: clock.boot.adding(nanoseconds: 60_000_000_000), clocks: clock)
        }
        await clock.settle()
        bell.ring()
        await waiter.value
        #expect(clock.boot == VirtualClock().boot, "no time passed")
    }

    @Test func `a deadline wakes who waits`() async {
        let bell = Bell()
        clock.join()
        let deadline = clock.boot.adding(nanoseconds: 1_000_000_000)
        let waiter = Task { [clock] in
            await bell.wait(until: deadline, clocks: clock)
            clock.leave()
            return clock.boot
        }
        await clock.run(until: deadline)
        #expect(await waiter.value == deadline)
    }

    @Test func `a cancelled task does not wait`() async {
        let bell = Bell()
        let waiter = Task { await bell.wait() }
        waiter.cancel()
        await waiter.value
    }

    @Test func `a task that is cancelled before it waits does not wait`() async {
        let bell = Bell()
        let waiter = Task {
            while !Task.isCancelled { await Task.yield() }
            await bell.wait()
        }
        waiter.cancel()
        await waiter.value
    }

    @Test func `no ring is lost between two tasks`() async {
        let there = Bell()
        let back = Bell()
        let echo = Task {
            for _ in 0..<5000 {
                await there.wait()
                back.ring()
            }
        }
        for _ in 0..<5000 {
            there.ring()
            await back.wait()
        }
        await echo.value
    }

    @Test func `a ring that meets a deadline is not lost`() async {
        let bell = Bell()
        let isOver = StopFlag()
        let listener = Task { [clock] in
            // The deadline is always past, so that both ends race.
            for _ in 0..<2000 { await bell.wait(until: clock.boot, clocks: clock) }
            while !isOver.isSet { await bell.wait() }
        }
        for _ in 0..<2000 {
            bell.ring()
            await Task.yield()
        }
        isOver.set()
        bell.ring()
        await listener.value
    }
}

@Suite(.timeLimit(.minutes(5)))
struct GateTests {
    private actor Room {
        private var people = 0
        private(set) var most = 0

        func come() {
            people += 1
            most = max(most, people)
        }

        func go() { people -= 1 }
    }

    private actor Names {
        private(set) var names: [String] = []

        func append(_ name: String) { names.append(name) }
    }

    @Test func `one task at a time is inside`() async {
        let gate = Gate()
        let room = Room()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await gate.enter()
                    await room.come()
                    await Task.yield()
                    await room.go()
                    gate.leave()
                }
            }
        }
        #expect(await room.most == 1)
    }

    @Test func `whoever is sent away is not inside, and holds up nobody`() async {
        let gate = Gate()
        await gate.enter()
        let second = Task { await gate.enter(as: "second") }
        while gate.waiting < 1, !Task.isCancelled { await Task.yield() }
        let third = Task { await gate.enter(as: "third") }
        while gate.waiting < 2, !Task.isCancelled { await Task.yield() }
        gate.sendAway("second")
        #expect(await second.value == false)
        gate.leave()
        #expect(await third.value)
        gate.sendAway("third")
        let fourth = Task { await gate.enter(as: "fourth") }
        while gate.waiting < 1, !Task.isCancelled { await Task.yield() }
        gate.leave()
        #expect(await fourth.value, "who is inside is not sent away")
    }

    @Test(arguments: [
        ([("one", false), ("two", false), ("three", true)], ["three", "one", "two"]),
        ([("one", true), ("two", true), ("three", false)], ["one", "two", "three"]),
        ([("one", false), ("two", true), ("three", true)], ["two", "one", "three"]),
        ([("one", true), ("two", false), ("three", true)], ["one", "three", "two"]),
        ([("one", false), ("two", true), ("three", false), ("four", true)], ["two", "one", "four", "three"]),
    ])
    func `who may go ahead passes the others, each of them once`(people: [(String, Bool)], entered: [String]) async {
        let gate = Gate()
        let order = Names()
        await gate.enter()
        await withTaskGroup(of: Void.self) { group in
            for (count, (name, isAhead)) in people.enumerated() {
                group.addTask {
                    guard await gate.enter(as: name, isAhead: isAhead) else { return }
                    await order.append(name)
                    gate.leave()
                }
                while gate.waiting <= count, !Task.isCancelled { await Task.yield() }
            }
            gate.leave()
        }
        #expect(await order.names == entered)
    }

    @Test func `a gate that was left can be entered again`() async {
        let gate = Gate()
        for _ in 0..<3 {
            await gate.enter()
            gate.leave()
        }
    }
}

@Suite(.timeLimit(.minutes(5)))
struct RecordGateTests {
    @Test func `an open gate lets everybody pass`() async {
        let gate = RecordGate()
        #expect(gate.isOpen)
        await gate.pass()
    }

    @Test func `a gate that two shut opens when both have opened it`() async {
        let gate = RecordGate()
        gate.shut()
        gate.shut()
        let passed = StopFlag()
        let waiter = Task {
            await gate.pass()
            passed.set()
        }
        while gate.waiting < 1, !Task.isCancelled { await Task.yield() }
        gate.open()
        #expect(!gate.isOpen)
        #expect(!passed.isSet)
        gate.open()
        await waiter.value
        #expect(gate.isOpen)
    }

    @Test func `all who wait pass at once`() async {
        let gate = RecordGate()
        gate.shut()
        let waiters = (0..<20).map { _ in Task { await gate.pass() } }
        while gate.waiting < 20, !Task.isCancelled { await Task.yield() }
        gate.open()
        for waiter in waiters { await waiter.value }
    }
}

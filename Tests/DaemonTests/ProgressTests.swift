import Mailing
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(5)))
struct ProgressTests {
    private let progress = Progress()

    private func at(_ seconds: Int64) -> BootInstant { BootInstant(nanoseconds: seconds * 1_000_000_000) }

    @Test func `a loop is stuck when it shows no sign of life for 90 s`() {
        progress.beat("intake", at: at(10))
        #expect(progress.stuck(at: at(100)).isEmpty)
        #expect(progress.stuck(at: at(101)) == ["intake"])
        progress.beat("intake", at: at(101))
        #expect(progress.stuck(at: at(190)).isEmpty)
    }

    @Test func `a loop that said how long it will be silent is stuck only after that`() {
        progress.rests("relay a", from: at(0), until: at(600))
        #expect(progress.stuck(at: at(690)).isEmpty)
        #expect(progress.stuck(at: at(691)) == ["relay a"])
        progress.rests("relay a", from: at(1000), until: at(600))
        #expect(progress.stuck(at: at(1090)).isEmpty, "an end that is past already counts from now")
    }

    @Test func `a loop that waits for what may never come is not stuck, nor one that is gone`() {
        progress.beat("relay a", at: at(0))
        progress.beat("relay b", at: at(0))
        progress.rests("relay a")
        progress.gone("relay b")
        #expect(progress.stuck(at: at(1_000_000)).isEmpty)
    }

    @Test func `whoever shows the status is told of what it shows, and only of news`() async {
        progress.counted()
        await progress.news.wait()
        progress.trouble("a", "no route")
        await progress.news.wait()
        progress.hindered("intake", by: "the disk is full")
        await progress.news.wait()
        let clock = VirtualClock()
        clock.join()
        progress.hindered("intake", by: "the disk is full")
        progress.beat("intake", at: at(1))
        let waiter = Task { [progress] in
            await progress.news.wait(until: clock.boot.adding(nanoseconds: 5), clocks: clock)
            clock.leave()
        }
        // It settles only if the wait sleeps.
        await clock.settle()
        await clock.run(seconds: 1)
        await waiter.value
    }

    // MARK: The lanes

    private func heldLane(at phase: SMTPPhase, after seconds: [Int64]) async throws -> [Bool] {
        let fixture = try DaemonFixture()
        try await fixture.plan(JobText.campaign("c", to: [.address("a@people.example")], basis: "service"))
        let relay = fixture.relay()
        relay.hold(at: phase)
        let lane = fixture.lane(relay)
        let task = fixture.run(lane)
        await relay.happened(.held(phase))
        let isStuck = seconds.map { seconds in
            fixture.context.progress.stuck(at: fixture.clock.boot.adding(nanoseconds: seconds * 1_000_000_000))
                .contains("relay default")
        }
        lane.end()
        relay.letGo()
        await task.value
        return isStuck
    }

    @Test func `a lane that waits ten minutes for the reply to a dot is well, one that never ends is stuck`()
        async throws
    {
        #expect(try await heldLane(at: .dot, after: [600, 1500, 1600]) == [false, false, true])
    }

    @Test(arguments: [SMTPPhase.connect, .body])
    func `a lane whose relay takes all the time it may is well, one that never ends is stuck`(
        phase: SMTPPhase
    ) async throws {
        #expect(try await heldLane(at: phase, after: [60, 3600, 7300]) == [false, false, true])
    }
}

import Glibc
import Testing

@testable import Systemd

@Suite(.timeLimit(.minutes(5)))
struct BootTimerTests {
    private let timer: BootTimer

    init() throws { timer = try BootTimer() }

    private var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private func isReadable(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: timer.fileDescriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) == 1
    }

    @Test func `goes off at its moment and not before`() {
        #expect(!isReadable(milliseconds: 0), "nothing is set")
        let moment = now + 50_000_000
        timer.set(to: moment)
        #expect(isReadable(milliseconds: -1))
        #expect(now >= moment)
    }

    @Test func `what was seen is over`() {
        timer.set(to: now)
        #expect(isReadable(milliseconds: -1))
        var count: UInt64 = 0
        #expect(read(timer.fileDescriptor, &count, 8) == 8)
        #expect(count == 1)
        #expect(!isReadable(milliseconds: 0))
    }

    @Test(arguments: [0, -1, 1, Int64.min]) func `what is long past comes at once`(moment: Int64) {
        timer.set(to: moment)
        #expect(isReadable(milliseconds: -1))
    }

    @Test func `another moment takes the place of the first, and never is one of them`() {
        timer.set(to: now)
        timer.set(to: Int64.max)
        #expect(!isReadable(milliseconds: 20))
        timer.set(to: now)
        timer.set(to: nil)
        #expect(!isReadable(milliseconds: 20))
        timer.set(to: now)
        #expect(isReadable(milliseconds: -1))
    }
}

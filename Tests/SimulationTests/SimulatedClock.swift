import Mailing
import TestSupport

/// The clocks of a simulated machine. They stand still until the simulation moves them.
final class SimulatedClock: Clocks {
    let bootID: BootID
    private let time: VirtualTime

    init(boot: BootInstant, wall: Timestamp, bootID: BootID) {
        self.bootID = bootID
        time = VirtualTime(boot: boot.nanoseconds, wall: wall.milliseconds)
    }

    var boot: BootInstant { BootInstant(nanoseconds: time.boot) }
    var wall: Timestamp { Timestamp(milliseconds: time.wall) }
    var nextDeadline: BootInstant? { time.nextDeadline.map(BootInstant.init(nanoseconds:)) }

    /// Somebody sets the wall clock; the other one does not notice.
    func stepWall(seconds: Int64) { time.stepWall(milliseconds: seconds * 1000) }

    func sleep(until instant: BootInstant) async throws {
        guard await time.sleep(until: instant.nanoseconds) else { throw CancellationError() }
    }

    /// Moves both clocks on and wakes who has slept long enough, in the order of going to sleep.
    func advance(to instant: BootInstant) { time.advance(to: instant.nanoseconds) }
}

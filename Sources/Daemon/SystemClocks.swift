import Foundation
import Glibc
package import Mailing

/// The machine's clocks: the only place that asks what time it is, and that waits for a time.
package struct SystemClocks: Clocks {
    package let bootID: BootID
    private let alarms: Alarms

    /// Reads the kernel's boot_id; fails where there is no /proc, and where the kernel gives no timer.
    package init() throws {
        let text = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        bootID = BootID(text.trimmingCharacters(in: .whitespacesAndNewlines))
        alarms = try Alarms(now: { SystemClocks.boot })
    }

    package var boot: BootInstant { SystemClocks.boot }

    package var wall: Timestamp {
        Timestamp(milliseconds: SystemClocks.read(CLOCK_REALTIME) / 1_000_000)
    }

    package func sleep(until instant: BootInstant) async throws {
        guard instant > boot else { return try Task.checkCancellation() }
        try await alarms.sleep(until: instant)
    }

    private static var boot: BootInstant { BootInstant(nanoseconds: read(CLOCK_BOOTTIME)) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension Clocks {
    /// The next of the moments that recur after so many nanoseconds, the same for all who ask.
    ///
    /// Who has to look now and then looks at a common moment, so that the machine is woken once for all of them.
    func commonMoment(every interval: Int64) -> BootInstant {
        BootInstant(nanoseconds: (boot.nanoseconds / interval + 1) * interval)
    }
}

import Foundation
import Glibc
package import Mailing

/// The machine's clocks: the only place that asks what time it is.
package struct SystemClocks: Clocks {
    package let bootID: BootID

    /// Reads the kernel's boot_id; fails where there is no /proc.
    package init() throws {
        let text = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        bootID = BootID(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    package var boot: BootInstant {
        BootInstant(nanoseconds: SystemClocks.read(CLOCK_BOOTTIME))
    }

    package var wall: Timestamp {
        Timestamp(milliseconds: SystemClocks.read(CLOCK_REALTIME) / 1_000_000)
    }

    package func sleep(until instant: BootInstant) async throws {
        let left = instant.nanoseconds - boot.nanoseconds
        guard left > 0 else { return try Task.checkCancellation() }
        try await Task.sleep(for: .nanoseconds(left), tolerance: .zero, clock: .continuous)
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

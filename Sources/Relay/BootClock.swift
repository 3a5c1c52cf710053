import Glibc
import Mailing

/// CLOCK_BOOTTIME, which neither steps nor stops while the machine is suspended.
enum BootClock {
    static var now: BootInstant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return BootInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static func now(plusSeconds seconds: Int) -> BootInstant {
        now.adding(nanoseconds: Int64(seconds) * 1_000_000_000)
    }

    /// Milliseconds until `deadline`, rounded up, as poll(2) wants them; 0 if it has passed.
    static func millisecondsLeft(until deadline: BootInstant) -> Int32 {
        Int32(clamping: max(0, (deadline.nanoseconds - now.nanoseconds + 999_999) / 1_000_000))
    }
}

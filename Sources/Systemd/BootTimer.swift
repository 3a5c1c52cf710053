import CSystemd
import Glibc

/// A timer of the kernel on CLOCK_BOOTTIME, which counts the time that the machine is suspended: timerfd_create(2).
package final class BootTimer: Sendable {
    /// read(2) of 8 bytes returns when the moment has come, whenever that was set. It belongs to the timer: do not
    /// close it.
    package let fileDescriptor: Int32

    /// Fails where no more files may be open, or memory is lacking.
    package init() throws(BootTimerError) {
        fileDescriptor = timerfd_create(CLOCK_BOOTTIME, Int32(TFD_CLOEXEC))
        guard fileDescriptor >= 0 else { throw BootTimerError(errorNumber: errno) }
    }

    deinit { close(fileDescriptor) }

    /// Takes the place of the moment that was set before. What is past comes at once.
    ///
    /// - Parameter nanoseconds: Of CLOCK_BOOTTIME; nil for never.
    package func set(to nanoseconds: Int64?) {
        var time = itimerspec()
        if let nanoseconds {
            // All zero would mean never.
            let moment = max(1, nanoseconds)
            time.it_value = timespec(
                tv_sec: Int(moment / 1_000_000_000), tv_nsec: Int(moment % 1_000_000_000))
        }
        let result = timerfd_settime(fileDescriptor, Int32(TFD_TIMER_ABSTIME), &time, nil)
        precondition(result == 0, "the kernel takes every moment")
    }
}

/// The kernel gives no timer.
package struct BootTimerError: Error, Equatable, CustomStringConvertible {
    /// errno(3).
    package let errorNumber: Int32

    package var description: String { "the kernel gives no timer: \(String(cString: strerror(errorNumber)))" }
}

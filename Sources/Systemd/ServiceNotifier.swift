import CSystemd
import Glibc

/// Tells systemd what state the service is in: sd_notify(3), sd_watchdog_enabled(3).
///
/// Where systemd did not ask (there is no `NOTIFY_SOCKET`, as in a shell) every call does nothing and succeeds.
package struct ServiceNotifier: Sendable {
    /// How much of a status is sent, in UTF-8 bytes; a notification as a whole may have 4096.
    package static let statusLimit = 1024

    package init() {}

    /// The service works, or has taken over its new configuration (`READY=1`).
    package func ready() throws(NotificationError) {
        try send("READY=1")
    }

    /// One line for `systemctl status` (`STATUS=`). Control characters are escaped, so that a text from elsewhere can
    /// set nothing else; what goes beyond `statusLimit` is cut off.
    package func status(_ text: String) throws(NotificationError) {
        // systemd takes backslashes for its own (measured with 252): a last one would make it drop the notification.
        let line = SingleLine.of(text, limit: Self.statusLimit).map { $0 == "\\" ? "\\\\" : String($0) }
        try send("STATUS=" + line.joined())
    }

    /// The configuration is being read again (`RELOADING=1`); `ready()` ends this state, whatever the result.
    package func reloading() throws(NotificationError) {
        try send("RELOADING=1\nMONOTONIC_USEC=\(try Self.monotonicMicroseconds())")
    }

    /// The service has begun to stop (`STOPPING=1`).
    package func stopping() throws(NotificationError) {
        try send("STOPPING=1")
    }

    /// The sign of life that `WatchdogSec=` asks for (`WATCHDOG=1`).
    package func watchdog() throws(NotificationError) {
        try send("WATCHDOG=1")
    }

    /// Asks for more time to start, to reload or to stop (`EXTEND_TIMEOUT_USEC=`). It counts from now, and has to be
    /// renewed before it is over.
    package func extendTimeout(microseconds: UInt64) throws(NotificationError) {
        try send("EXTEND_TIMEOUT_USEC=\(microseconds)")
    }

    /// The longest time that may pass between two calls of `watchdog()`, or nil where systemd keeps no watch on this
    /// process. Call twice as often.
    package var watchdogInterval: Duration? {
        get throws(NotificationError) {
            var microseconds: UInt64 = 0
            let result = sd_watchdog_enabled(0, &microseconds)
            guard result >= 0 else {
                throw NotificationError(state: "WATCHDOG_USEC", errorNumber: -result)
            }
            return result == 0 ? nil : .microseconds(Int64(clamping: microseconds))
        }
    }

    private func send(_ state: String) throws(NotificationError) {
        let result = sd_notify(0, state)
        guard result >= 0 else {
            throw NotificationError(state: state, errorNumber: -result)
        }
    }

    private static func monotonicMicroseconds() throws(NotificationError) -> Int64 {
        var time = timespec()
        guard clock_gettime(CLOCK_MONOTONIC, &time) == 0 else {
            throw NotificationError(state: "MONOTONIC_USEC", errorNumber: errno)
        }
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}

/// systemd could not be told. The service itself is not affected; systemd may end it, if it waits for a sign of life.
package struct NotificationError: Error, Equatable, CustomStringConvertible {
    /// What was to be told, as in sd_notify(3).
    package let state: String
    /// What the system said: errno(3).
    package let errorNumber: Int32

    package var description: String {
        "systemd could not be told \(SingleLine.of(state, limit: 100)): \(String(cString: strerror(errorNumber))). "
            + "Is the socket in $NOTIFY_SOCKET still there, and may this user write to it?"
    }
}

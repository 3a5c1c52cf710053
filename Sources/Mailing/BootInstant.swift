/// A moment on the clock that only goes forward: nanoseconds of CLOCK_BOOTTIME, suspended time included.
///
/// Comparable only within one boot of the machine; `BootID` tells boots apart.
package struct BootInstant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: BootInstant, right: BootInstant) -> Bool { left.nanoseconds < right.nanoseconds }

    package func adding(nanoseconds: Int64) -> BootInstant {
        BootInstant(nanoseconds: self.nanoseconds + nanoseconds)
    }
}

/// The kernel's boot_id.
package struct BootID: Hashable, Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }
}

/// Both clocks. What the core needs of time is passed to it; the shell asks this.
package protocol Clocks: Sendable {
    var boot: BootInstant { get }
    var wall: Timestamp { get }
    var bootID: BootID { get }
    /// Returns when the boot clock has reached `instant`, or throws CancellationError.
    func sleep(until instant: BootInstant) async throws
}

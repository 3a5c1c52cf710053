import CSystemd

/// Whether the kernel believes its clock. See adjtimex(2).
package enum MachineClock: Sendable, Equatable {
    case synchronised
    case notSynchronised
    case unknown

    /// Asks the kernel, and sets nothing.
    package static func look() -> MachineClock {
        var state = timex()
        let result = adjtimex(&state)
        guard result >= 0 else { return .unknown }
        return result == TIME_ERROR || state.status & STA_UNSYNC != 0 ? .notSynchronised : .synchronised
    }
}

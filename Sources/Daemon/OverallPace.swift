import Mailing

/// The limit over all relays together: one dot at a time, each a full interval after the one before.
actor OverallPace {
    /// Under this name the ledger keeps its slot.
    static let name = ""

    private let gate = Gate()
    private var pacer: Pacer?

    init(pacer: Pacer?) {
        self.pacer = pacer
    }

    /// A reload changed the limit, or took it away.
    func change(messagesPerHour: Int?, bootID: BootID, now: BootInstant) {
        guard let messagesPerHour else {
            pacer = nil
            return
        }
        if pacer == nil {
            pacer = Pacer(messagesPerHour: messagesPerHour, stored: nil, wasInFlight: true, bootID: bootID, now: now)
        } else {
            pacer?.change(messagesPerHour: messagesPerHour)
        }
    }

    /// Waits for the turn of the caller and returns the earliest moment for its dot; nil if there is no such limit.
    ///
    /// A caller that got a moment must call `leave`.
    func enter(now: @Sendable () -> BootInstant) async -> BootInstant? {
        guard pacer != nil else { return nil }
        await gate.enter()
        guard let pacer else {
            await gate.leave()
            return nil
        }
        return pacer.slot(now: now())
    }

    /// - Parameter writtenAt: The latest moment at which a dot may have been written; nil if none was.
    func leave(writtenAt: BootInstant?) async {
        if let writtenAt { pacer?.dotWritten(at: writtenAt) }
        await gate.leave()
    }

    var isLimited: Bool { pacer != nil }
}

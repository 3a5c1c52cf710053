import Mailing

/// When a lane may send at all.
extension RelayLane {
    /// Waits for the relay's window, or half a minute of it. Returns false, and does nothing, while it is open.
    func restWhileClosed(_ now: Timestamp) async -> Bool {
        guard let hours = settings?.hours, !hours.isOpen(at: now) else {
            context.progress.waits(loop, nil)
            return false
        }
        let opening = hours.opening(from: now)
        context.meters.due(name, slot: nil)
        context.progress.waits(loop, "relay \(name) waits for its window" + (opening.map { " until \($0)" } ?? ""))
        await rest(until: opening, now: now)
        return true
    }
}

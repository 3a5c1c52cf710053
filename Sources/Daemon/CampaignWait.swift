import Ledger
import Mailing

/// What a campaign waits for that is running and sends nothing.
struct CampaignWait {
    /// Such as “waits for its window until …”; nil if nothing keeps it.
    private(set) var what: String?
    /// When its windows, or those of its relays, open or close next.
    private(set) var nextChange: Timestamp?

    init(_ summary: CampaignSummary, configuration: Configuration, now: Timestamp) {
        guard summary.state == .running, summary.counts.queued > 0 else { return }
        let own = SendingHours(summary.windows)
        let ways = summary.relays.compactMap { configuration.relays[$0] }.map { [own, $0.hours] }
        guard !ways.isEmpty else { return }
        guard !ways.contains(where: { $0.areOpen(at: now) }) else {
            nextChange = ways.compactMap { $0.closing(from: now) }.min()
            return
        }
        nextChange = ways.compactMap { $0.opening(from: now) }.min()
        what =
            nextChange.map { "waits for its window until \($0)" }
            ?? "waits for its window, which is never open together with that of its relay"
    }
}

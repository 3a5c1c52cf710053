import Ledger
import Mailing

/// Why a campaign sends nothing, or not all, though it runs.
struct CampaignWait {
    /// Sentences about the campaign, for its receipt.
    private(set) var warnings: [String] = []
    /// The same in one line for the status; nil if nothing keeps it.
    private(set) var status: String?
    /// When its windows, or those of its relays, open or close next.
    private(set) var nextChange: Timestamp?

    init(_ summary: CampaignSummary, configuration: Configuration, now: Timestamp) {
        guard !summary.state.isFinal else { return }
        for relay in summary.waitingRelays where configuration.relays[relay] == nil {
            warnings.append(
                "the relay “\(relay)” is not configured any more: what waits for it is not sent; give it to another "
                    + "one by a control job with “reroute”")
            status = "campaign \(summary.job.id) waits for relay \(relay), which is not configured"
        }
        guard summary.state == .running else { return }
        let own = SendingHours(summary.windows)
        let ways = summary.waitingRelays.compactMap { configuration.relays[$0] }.map { [own, $0.hours] }
        guard !ways.isEmpty else { return }
        guard !ways.contains(where: { $0.areOpen(at: now) }) else {
            nextChange = ways.filter { $0.areOpen(at: now) }.compactMap { $0.closing(from: now) }.min()
            return
        }
        nextChange = ways.compactMap { $0.opening(from: now) }.min()
        let what =
            nextChange.map { "waits for its window until \($0)" }
            ?? "waits for its window, which is never open together with that of its relay"
        warnings.append("it \(what)")
        status = status ?? "campaign \(summary.job.id) \(what)"
    }
}

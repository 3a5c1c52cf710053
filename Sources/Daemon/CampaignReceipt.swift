package import Ledger
package import Mailing

extension Configuration {
    /// What the receipt of a campaign says at a moment, from the ledger and these settings alone.
    package func receipt(of summary: CampaignSummary, now: Timestamp) -> Receipt {
        var receipt = Receipt(
            job: summary.job.id.text, kind: Job.Kind.campaign.rawValue, state: Configuration.state(summary))
        receipt.acceptedAt = summary.job.acceptedAt
        receipt.sha256 = summary.job.sha256
        receipt.repeats = summary.job.repeats
        receipt.warnings = summary.job.warnings
        receipt.warnings += CampaignWait(summary, configuration: self, now: now).warnings
        receipt.counts = summary.counts
        receipt.withheld = summary.withheld
        receipt.consent = summary.consent
        receipt.firstSentAt = summary.firstSentAt
        receipt.lastSentAt = summary.lastSentAt
        let isWaiting = summary.state == .paused || summary.state == .held
        receipt.pausedBecause = isWaiting ? summary.because : nil
        if summary.state == .running || summary.state == .scheduled, summary.counts.queued > 0 {
            let begin = max(summary.sendAfter ?? .init(milliseconds: 0), now)
            receipt.estimatedFinish = estimatedFinish(
                queued: summary.counts.queued, relays: summary.waitingRelays, windows: summary.windows, from: begin)
        }
        return receipt
    }

    /// A state that ends a campaign shows only when nothing is open any more.
    private static func state(_ summary: CampaignSummary) -> Receipt.State {
        let isOver = summary.counts.queued + summary.counts.inFlight == 0
        return switch summary.state {
        case .planning: .planned
        case .held: .held
        case .scheduled: .scheduled
        case .running: .running
        case .paused: .paused
        case .finished: isOver ? .finished : .running
        case .cancelled: isOver ? .cancelled : .running
        case .expired: isOver ? .expired : .running
        }
    }

    /// When the queued messages will have left if these relays carried nothing else; to the full minute, so that the
    /// receipt does not change all the time. Nil if windows leave no time for it.
    package func estimatedFinish(
        queued: Int, relays names: [String], windows: [SendingWindow] = [], from begin: Timestamp
    ) -> Timestamp? {
        let known = names.compactMap { relays[$0] }
        guard !known.isEmpty else { return nil }
        let limited = min(known.map(\.messagesPerHour).reduce(0, +), messagesPerHour ?? .max)
        let work = Int64(queued) * 3_600_000 / Int64(limited)
        var end = begin
        for relay in known {
            guard let finish = [SendingHours(windows), relay.hours].finish(of: work, from: begin) else { return nil }
            end = max(end, finish)
        }
        return Timestamp(milliseconds: (end.milliseconds / 60_000 + 1) * 60_000)
    }
}

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
                of: summary.backlog, windows: summary.windows, from: begin)
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

    /// The domains to which relays send less than they could, by relay.
    package var limitedDomains: [String: Set<String>] {
        relays.mapValues { Set($0.domains.keys) }.filter { !$0.value.isEmpty }
    }

    /// When the queued messages will have left if their relays carried nothing else; to the full minute, so that the
    /// receipt does not change all the time.
    ///
    /// What takes longest decides: a relay, one of the domains that it limits, or the limit over all relays, which also
    /// is the most that one relay may have. Each counts in the hours that are permitted to it; for the limit over all
    /// these are those of the campaign. Nil if they leave no time for it, or a relay is not configured any more.
    package func estimatedFinish(
        of backlog: Backlog, windows: [SendingWindow] = [], from begin: Timestamp
    ) -> Timestamp? {
        let ofCampaign = SendingHours(windows)
        var ends: [Timestamp] = []
        for (name, count) in backlog.relays {
            guard let relay = relays[name] else { return nil }
            let rate = min(relay.messagesPerHour, messagesPerHour ?? relay.messagesPerHour)
            let domains = (backlog.domains[name] ?? [:]).compactMap { domain, count in
                relay.domains[domain].map { Configuration.duration(count, messagesPerHour: min($0, rate)) }
            }
            let longest = domains.reduce(Configuration.duration(count, messagesPerHour: rate), max)
            guard let finish = [ofCampaign, relay.hours].finish(of: longest, from: begin) else { return nil }
            ends.append(finish)
        }
        if let messagesPerHour {
            let queued = backlog.relays.values.reduce(0, +)
            let overall = Configuration.duration(queued, messagesPerHour: messagesPerHour)
            guard let finish = [ofCampaign].finish(of: overall, from: begin) else { return nil }
            ends.append(finish)
        }
        guard !backlog.relays.isEmpty, let latest = ends.max() else { return nil }
        return Timestamp(milliseconds: (latest.milliseconds / 60_000 + 1) * 60_000)
    }

    /// Milliseconds.
    private static func duration(_ count: Int, messagesPerHour: Int) -> Int64 {
        Int64(count) * 3_600_000 / Int64(messagesPerHour)
    }
}

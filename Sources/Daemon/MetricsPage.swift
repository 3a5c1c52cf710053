import Ledger
import Mailing

/// One state of everything that metrics show. It holds no address and nothing else of a person.
struct MetricsPage {
    var now: Timestamp
    var boot: BootInstant
    var startedAt: Timestamp
    var configuration: Configuration
    var meters: Meters.Values
    /// Whether the ledger can be used.
    var isLedgerUsable = true
    /// Nil where the ledger could not be read.
    var figures: LedgerFigures?
    var sizes: (file: Int64, writeAheadLog: Int64, free: Int64)?
    var spoolFree: Int64?
    var waitingDrops: Int?
    var claimedDrops: Int?

    /// The value of the label `campaign` for those that are not shown one by one; no job can have this id.
    private static let others = "(others)"

    /// The words of the label `outcome`, each a counter that never goes back: these states are never left.
    private static let outcomes: [Delivery.State] = [.sent, .bounced, .withheld, .expired, .cancelled]

    var text: String {
        var text = MetricsText()
        addDaemon(&text)
        addRelays(&text)
        if let figures {
            addCounts(&text, figures)
            addCampaigns(&text, figures)
        }
        addStorage(&text)
        return text.text
    }

    private func addDaemon(_ text: inout MetricsText) {
        text.add(
            "build_info", .gauge, "1, with the version as a label.", [.init(["version": ProgramVersion.current], 1)])
        text.add("start_time_seconds", .gauge, "When the daemon was started, since 1970.", [.init(startedAt)])
        text.add(
            "metrics_written_timestamp_seconds", .gauge,
            "When this file was written: soon after a change, and at least every 300 s.", [.init(now)])
        text.add(
            "config_last_reload_successful", .gauge, "0 if the latest reload was refused and the old one is in force.",
            [.init(meters.isReloaded)])
        text.add(
            "config_loaded_timestamp_seconds", .gauge, "When the configuration in force was read.",
            [.init(meters.reloadedAt ?? startedAt)])
        text.add("ledger_usable", .gauge, "0 while nothing is sent because of the ledger.", [.init(isLedgerUsable)])
        text.add(
            "jobs_accepted_total", .counter, "Drops that were accepted since the start.", [.init(meters.accepted)])
        text.add(
            "jobs_rejected_total", .counter, "Drops that were rejected since the start.", [.init(meters.rejected)])
        text.add(
            "incoming_drops", .gauge, "Drops that wait to be claimed.", waitingDrops.map { [.init($0)] } ?? [])
        text.add(
            "claimed_drops", .gauge, "Drops that are claimed and not dealt with yet.",
            claimedDrops.map { [.init($0)] } ?? [])
    }

    private func addRelays(_ text: inout MetricsText) {
        let relays = configuration.relays.sorted { $0.key < $1.key }
        func samples(_ value: (Meters.Relay) -> Double?) -> [MetricsText.Sample] {
            relays.compactMap { relay, _ in
                value(meters.relays[relay] ?? Meters.Relay()).map { .init(["relay": relay], $0) }
            }
        }
        text.add(
            "relay_up", .gauge, "0 since the relay could not be used until a session with it began well.",
            samples { $0.troubleSince == nil ? 1 : 0 })
        text.add(
            "relay_trouble_since_timestamp_seconds", .gauge, "Since when the relay cannot be used.",
            samples { $0.troubleSince?.metric })
        text.add(
            "relay_lag_seconds", .gauge, "How late the next message is that the pace of the relay allowed.",
            samples { relay in
                relay.expected.map { max(0, Double(boot.nanoseconds - $0.nanoseconds) / 1e9) } ?? 0
            })
        text.add(
            "relay_messages_last_hour", .gauge, "Messages handed over in the last 3600 s, answered or not.",
            samples { Double($0.dots.count) })
        text.add(
            "relay_limit_messages_per_hour", .gauge, "messages_per_hour of the relay.",
            relays.map { .init(["relay": $0.key], $0.value.messagesPerHour) })
        text.add(
            "limit_messages_per_hour", .gauge, "messages_per_hour over all relays.",
            configuration.messagesPerHour.map { [.init($0)] } ?? [])
    }

    private func addCounts(_ text: inout MetricsText, _ figures: LedgerFigures) {
        text.add(
            "intents_total", .counter, "Hand-overs that were begun, over the life of the ledger.",
            [.init(figures.intents)])
        let relays = figures.relays.sorted { $0.key < $1.key }
        text.add(
            "relay_open_deliveries", .gauge, "Deliveries over all campaigns by state, test mails included.",
            relays.flatMap { relay, counts in
                MetricsPage.open.map { .init(["relay": relay, "state": $0.rawValue], counts[$0]) }
            })
        text.add(
            "relay_deliveries_total", .counter,
            "Deliveries over the life of the ledger by outcome, test mails included; uncertain also if it was settled.",
            relays.flatMap { relay, counts in
                MetricsPage.ended(counts).map { .init(["relay": relay, "outcome": $0.outcome], $0.count) }
            })
    }

    private func addCampaigns(_ text: inout MetricsText, _ figures: LedgerFigures) {
        let states: [CampaignState] = [.planning, .held, .scheduled, .running, .paused]
        text.add(
            "campaigns", .gauge, "Campaigns that have not ended, by state.",
            states.map { .init(["state": $0.rawValue], figures.states[$0, default: 0]) })
        let pauses = Dictionary(grouping: figures.pauses.map(PauseReason.init(because:))) { $0 }
        text.add(
            "paused_campaigns", .gauge, "Paused campaigns by the kind of reason.",
            PauseReason.allCases.map { .init(["reason": $0.rawValue], pauses[$0]?.count ?? 0) })
        text.add(
            "campaigns_left_out", .gauge, "Campaigns that are summed up as \(MetricsPage.others).",
            [.init(figures.leftOut)])
        let campaigns = figures.campaigns.sorted { $0.number < $1.number }
        text.add(
            "campaign_state", .gauge, "1 for the state of each campaign.",
            campaigns.map { .init(["campaign": $0.job.text, "state": $0.state.rawValue], 1) })
        text.add(
            "campaign_expires_timestamp_seconds", .gauge, "When what is still queued expires.",
            campaigns.filter { !$0.state.isFinal }.map { .init(["campaign": $0.job.text], $0.expires) })
        text.add(
            "campaign_oldest_due_seconds", .gauge, "For how long the longest waiting message might have been sent.",
            campaigns.flatMap { campaign in
                campaign.heads.sorted { $0.key < $1.key }.map { relay, head in
                    let since = max(head, campaign.begins).milliseconds
                    return .init(
                        ["relay": relay, "campaign": campaign.job.text], Double(max(0, now.milliseconds - since)) / 1000
                    )
                }
            })
        let counts =
            campaigns.map { ($0.job.text, $0.counts) } + [(MetricsPage.others, figures.countsLeftOut)]
        let pairs = counts.flatMap { campaign, relays in
            relays.sorted { $0.key < $1.key }.map { (campaign: campaign, relay: $0.key, counts: $0.value) }
        }
        text.add(
            "open_deliveries", .gauge, "Deliveries by state, without test mails.",
            pairs.flatMap { pair in
                MetricsPage.open.map {
                    .init(["relay": pair.relay, "campaign": pair.campaign, "state": $0.rawValue], pair.counts[$0])
                }
            })
        text.add(
            "deliveries_total", .counter,
            "Deliveries by outcome, without test mails; uncertain also if it was settled.",
            pairs.filter { $0.campaign != MetricsPage.others }.flatMap { pair in
                MetricsPage.ended(pair.counts).map {
                    .init(["relay": pair.relay, "campaign": pair.campaign, "outcome": $0.outcome], $0.count)
                }
            })
    }

    private func addStorage(_ text: inout MetricsText) {
        text.add("ledger_bytes", .gauge, "Size of the ledger's file.", sizes.map { [.init($0.file)] } ?? [])
        text.add(
            "ledger_wal_bytes", .gauge, "Size of the ledger's write-ahead log.",
            sizes.map { [.init($0.writeAheadLog)] } ?? [])
        text.add(
            "free_bytes", .gauge, "Bytes that may still be written where the ledger and the spool are.",
            [("ledger", sizes?.free), ("spool", spoolFree)].compactMap { place, free in
                free.map { .init(["of": place], $0) }
            })
    }

    private static let open: [Delivery.State] = [.queued, .inFlight, .uncertain]

    private static func ended(_ counts: LedgerFigures.Counts) -> [(outcome: String, count: Int)] {
        outcomes.map { ($0.rawValue, counts[$0]) } + [(Delivery.State.uncertain.rawValue, counts.doubts)]
    }
}

extension LedgerFigures.Counts {
    fileprivate subscript(_ state: Delivery.State) -> Int { states[state, default: 0] }
}

/// The kinds of reasons for which a campaign is paused, as far as its words tell.
enum PauseReason: String, CaseIterable {
    /// A control job, with or without words of its own.
    case person
    /// The relay refuses the sender, or message after message by its policy.
    case refused
    /// Message after message got no answer to its dot.
    case unanswered
    /// Its messages cannot be made.
    case content
    /// What a start found: an older copy of the ledger, another machine, a long downtime.
    case start

    /// - Parameter because: what the receipt shows as `pausedBecause`.
    init(because: String) {
        let starts: [(PauseReason, String)] = [
            (.refused, "the relay refuses the sender: "), (.content, "its messages cannot be made: "),
            (.start, "the ledger was restored from an older copy"), (.start, "the ledger comes from another machine"),
            (.start, "the daemon was down for "),
        ]
        if let known = starts.first(where: { because.hasPrefix($0.1) }) {
            self = known.0
        } else if because.contains(" messages in a row were refused by the relay's policy: ") {
            self = .refused
        } else if because.hasSuffix(" messages in a row got no answer to the final dot") {
            self = .unanswered
        } else {
            self = .person
        }
    }
}

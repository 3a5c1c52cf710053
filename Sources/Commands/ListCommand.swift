import ArgumentParser
import Daemon
import Ledger
import Mailing
import Spool

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the campaigns, with what became of their messages.")

    @OptionGroup var common: CommonOptions

    @Option(
        help: "Only campaigns in this state: planned, held, scheduled, running, paused, finished, cancelled, expired.")
    var state: String?

    func run() async throws {
        try await CommandFailure.reported {
            var only: Receipt.State?
            if let state {
                only = Receipt.State(rawValue: state)
                guard only != nil else { throw CommandFailure("“\(state)” is no state of a campaign") }
            }
            let configuration = try common.configuration()
            let ledger = try common.ledger(of: configuration.ledgerPath)
            let campaigns = try CommandFailure.asking { () throws(LedgerError) in
                try ledger.campaigns(limited: configuration.limitedDomains)
            }
            let now = try Moment.now()
            common.show(
                CampaignList(
                    campaigns: campaigns.map { CampaignView($0, configuration: configuration, now: now) }
                        .filter { only == nil || $0.receipt.state == only }))
        }
    }
}

/// The time at which a command looks.
enum Moment {
    static func now() throws(CommandFailure) -> Timestamp { try clocks().wall }

    static func clocks() throws(CommandFailure) -> SystemClocks {
        do {
            return try SystemClocks()
        } catch {
            throw CommandFailure("the machine's boot id cannot be read: \(error)", status: .unavailable)
        }
    }
}

/// A campaign as commands show it: what its receipt says at this moment, and a little more.
struct CampaignView {
    let summary: CampaignSummary
    let receipt: Receipt

    init(_ summary: CampaignSummary, configuration: Configuration, now: Timestamp) {
        self.summary = summary
        receipt = configuration.receipt(of: summary, now: now)
    }

    /// When it ended, or will end if nothing comes between; nil where nobody knows.
    var ends: Timestamp? { receipt.state.isFinal ? summary.lastSentAt : receipt.estimatedFinish }

    var json: JSONText { .object(members) }

    var members: [(String, JSONText)] {
        [
            ("job", .string(summary.job.id.text)), ("state", .string(receipt.state.rawValue)),
            ("purpose", .string(summary.purpose)), ("basis", .string(summary.basis.rawValue)),
            ("relays", .array(summary.relays.map { .string($0) })), ("acceptedAt", .time(receipt.acceptedAt)),
            ("sendAfter", .time(summary.sendAfter)), ("expires", .time(summary.expires)),
            ("counts", summary.counts.json), ("withheld", .counts(summary.withheld)),
            ("consent", .counts(summary.consent)), ("firstSentAt", .time(summary.firstSentAt)),
            ("lastSentAt", .time(summary.lastSentAt)), ("estimatedFinish", .time(receipt.estimatedFinish)),
            ("pausedBecause", .text(receipt.pausedBecause)),
            ("warnings", .array(receipt.warnings.map { .string($0) })),
        ]
    }
}

struct CampaignList: Report {
    let campaigns: [CampaignView]

    var lines: [String] {
        guard !campaigns.isEmpty else { return ["no campaigns"] }
        let head = ["CAMPAIGN", "STATE", "SENT", "OF", "QUEUED", "WITHHELD", "UNCERTAIN", "ACCEPTED", "ENDS"]
        let rows = campaigns.map { view -> [String] in
            let counts = view.summary.counts
            return [
                view.summary.job.id.text, view.receipt.state.rawValue, "\(counts.sent)", "\(counts.recipients)",
                "\(counts.queued + counts.inFlight)", "\(counts.withheld)", "\(counts.uncertain)",
                ReportText.time(view.receipt.acceptedAt), ReportText.time(view.ends),
            ]
        }
        return ReportText.table([head] + rows, numbers: [2, 3, 4, 5, 6])
    }

    var json: JSONText { .object([("campaigns", .array(campaigns.map(\.json)))]) }
}

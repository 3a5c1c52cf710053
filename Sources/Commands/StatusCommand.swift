import ArgumentParser
import Daemon
import Ledger
import Mailing
import Spool
import Systemd

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows how the daemon is doing, or one campaign.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "A campaign: the id of its job.", completion: CampaignCompletion.kind)
    var campaign: String?

    func run() async throws {
        try await CommandFailure.reported {
            let configuration = try common.configuration()
            let ledger = try common.ledger(of: configuration.ledgerPath)
            let now = try Moment.now()
            guard let campaign else {
                common.show(try DaemonStatus(ledger: ledger, configuration: configuration, now: now))
                return
            }
            let job = try CommandFailure.job(campaign)
            let found = try CommandFailure.asking { () throws(LedgerError) in
                try ledger.campaign(job, limited: configuration.limitedDomains)
            }
            guard let found else { throw CommandFailure("there is no campaign “\(campaign)”") }
            let traffic = try CommandFailure.asking { () throws(LedgerError) in try ledger.traffic(now: now) }
            common.show(
                CampaignStatus(
                    view: CampaignView(found, configuration: configuration, now: now),
                    relays: RelayList(configuration: configuration, traffic: traffic, now: now)))
        }
    }
}

struct CampaignStatus: Report {
    let view: CampaignView
    let relays: RelayList

    private var own: [RelayList.Entry] { relays.entries.filter { view.summary.relays.contains($0.name) } }

    var lines: [String] {
        let (summary, receipt) = (view.summary, view.receipt)
        let counts = summary.counts
        var rows = [
            ["campaign", summary.job.id.text],
            ["state", receipt.state.rawValue + (receipt.pausedBecause.map { ": \($0)" } ?? "")],
            ["purpose", "\(summary.purpose), on the basis \(summary.basis.rawValue)"],
            ["accepted", ReportText.time(receipt.acceptedAt)],
            ["sent", "\(counts.sent) of \(counts.recipients)"],
            ["still to send", "\(counts.queued + counts.inFlight)"],
            ["withheld", counts.withheld == 0 ? "0" : "\(counts.withheld) (\(ReportText.words(summary.withheld)))"],
        ]
        let others = [
            ("bounced", counts.bounced), ("uncertain", counts.uncertain), ("expired", counts.expired),
            ("cancelled", counts.cancelled),
        ]
        rows += others.filter { $0.1 > 0 }.map { [$0.0, "\($0.1)"] }
        rows += own.map { entry in
            let limit = entry.settings.map { "\($0.messagesPerHour)" } ?? "not configured"
            return ["relay \(entry.name)", "\(entry.traffic.lastHour) in the last hour, limit \(limit)"]
        }
        if let sendAfter = summary.sendAfter { rows.append(["not before", ReportText.time(sendAfter)]) }
        if let first = summary.firstSentAt { rows.append(["first sent", ReportText.time(first)]) }
        if let last = summary.lastSentAt { rows.append(["last sent", ReportText.time(last)]) }
        if let finish = receipt.estimatedFinish { rows.append(["done about", ReportText.time(finish)]) }
        rows.append(["expires", ReportText.time(summary.expires)])
        rows += receipt.warnings.map { ["warning", $0] }
        if counts.uncertain > 0 { rows.append(["see", "campaignctl uncertain \(summary.job.id)"]) }
        return ReportText.table(rows)
    }

    var json: JSONText {
        let relays = own.map { entry in
            JSONText.object([
                ("relay", .string(entry.name)), ("lastHour", .count(entry.traffic.lastHour)),
                ("messagesPerHour", .count(entry.settings?.messagesPerHour)),
            ])
        }
        return .object(view.members + [("pace", .array(relays))])
    }
}

/// The daemon as a whole.
struct DaemonStatus: Report {
    /// What systemd says; nil where it cannot be asked or knows of no such unit.
    let unit: ServiceUnit?
    /// The process that holds the ledger; nil if none does.
    let process: Int32?
    let facts: LedgerFacts
    let open: [CampaignView]
    let relays: RelayList

    init(
        ledger: LedgerReader, configuration: Configuration, now: Timestamp, unit: ServiceUnit? = SystemService.look()
    ) throws(CommandFailure) {
        self.unit = unit
        process = LedgerFiles.holder(path: ledger.path)
        facts = try CommandFailure.asking { () throws(LedgerError) in try ledger.facts() }
        let campaigns = try CommandFailure.asking { () throws(LedgerError) in
            try ledger.campaigns(limited: configuration.limitedDomains)
        }
        open = campaigns.map { CampaignView($0, configuration: configuration, now: now) }
            .filter { !$0.receipt.state.isFinal }
        let traffic = try CommandFailure.asking { () throws(LedgerError) in try ledger.traffic(now: now) }
        relays = RelayList(configuration: configuration, traffic: traffic, now: now)
    }

    private var isRunning: Bool { process != nil }
    private var queued: Int { relays.entries.reduce(0) { $0 + $1.traffic.queued + $1.traffic.inFlight } }
    private var uncertain: Int { relays.entries.reduce(0) { $0 + $1.traffic.uncertain } }

    var lines: [String] {
        var daemon = isRunning ? "running" : "not running: what waits is not sent"
        if let process, process > 0 { daemon += ", process \(process)" }
        if !isRunning, let unit, unit.active == "failed" { daemon += "; systemd gave it up (\(unit.result))" }
        var rows = [["daemon", daemon]]
        if let unit { rows.append(["service", "\(unit.active) (\(unit.sub))"]) }
        if let text = unit?.statusText, isRunning, !text.isEmpty { rows.append(["says", text]) }
        if !isRunning { rows.append(["last at work", ReportText.time(facts.aliveAt)]) }
        if let hold = facts.hold { rows.append(["held", hold.becauseNew ?? hold.because]) }
        rows.append(["queued", "\(queued)"])
        rows.append(["uncertain", uncertain == 0 ? "0" : "\(uncertain), see campaignctl uncertain"])
        let states = Dictionary(grouping: open, by: \.receipt.state.rawValue).mapValues(\.count)
        rows.append(["campaigns", states.isEmpty ? "none open" : ReportText.words(states)])
        return ReportText.table(rows) + [""] + relays.lines
    }

    var json: JSONText {
        .object([
            ("running", .bool(isRunning)), ("pid", .count(process.map(Int.init))),
            ("statusText", .text(unit?.statusText)),
            ("unitState", .text(unit?.active)), ("aliveAt", .time(facts.aliveAt)),
            ("heldBecause", .text(facts.hold.map { $0.becauseNew ?? $0.because })), ("queued", .count(queued)),
            ("uncertain", .count(uncertain)), ("ledgerVersion", .count(facts.version)),
            ("campaigns", .array(open.map(\.json))), ("relays", .array(relays.documents)),
        ])
    }
}

/// The daemon as a service of systemd.
enum SystemService {
    static let name = "campaignd.service"

    /// Nil where systemd cannot be asked, or has no such unit.
    static func look() -> ServiceUnit? {
        do throws(ServiceUnit.Failure) {
            let unit = try ServiceUnit.look(name)
            return unit.load == "not-found" ? nil : unit
        } catch {
            return nil
        }
    }
}

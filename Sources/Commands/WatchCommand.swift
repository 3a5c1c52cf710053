import ArgumentParser
import Daemon
import Dispatch
import Foundation
import Glibc
import Ledger
import Mailing
import Spool
import Synchronization

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Shows the campaigns as they go on, until Ctrl-C.",
        discussion: "On a terminal the picture is drawn in place; elsewhere each look is a few plain lines.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "Only this campaign; it ends when the campaign does.", completion: CampaignCompletion.kind)
    var campaign: String?

    @Option(help: "Seconds between two looks, 1 ... 3600.")
    var interval = 2

    func validate() throws {
        guard (1...3600).contains(interval) else { throw ValidationError("--interval must be 1 ... 3600 seconds.") }
    }

    func run() async throws {
        try await CommandFailure.reported {
            let job = try campaign.map(CommandFailure.job)
            let clocks = try Moment.clocks()
            let screen = WatchScreen()
            defer { screen.leave() }
            let stopped = WatchStop()
            let sources = stopped.expect()
            defer { for source in sources { source.cancel() } }
            while !stopped.isSet {
                // Opened anew each time: the ledger may be put back, and its daemon stopped, meanwhile.
                let configuration = try common.configuration()
                let ledger = try common.ledger(of: configuration.ledgerPath)
                let picture = try WatchPicture(
                    ledger: ledger, configuration: configuration, only: job, now: clocks.wall)
                if common.json {
                    Terminal.say(document: picture.json)
                } else {
                    screen.show(picture.lines(width: screen.width))
                }
                if picture.isOver { return }
                await stopped.rest(until: clocks.boot.adding(nanoseconds: Int64(interval) * 1_000_000_000), clocks)
            }
        }
    }
}

/// What is to be seen at one moment.
struct WatchPicture {
    let views: [CampaignView]
    let relays: RelayList
    let now: Timestamp
    let isRunning: Bool
    private let isOne: Bool

    init(
        ledger: LedgerReader, configuration: Configuration, only job: JobID?, now: Timestamp
    ) throws(CommandFailure) {
        let campaigns = try CommandFailure.asking { () throws(LedgerError) in
            let limited = configuration.limitedDomains
            if let job { return try ledger.campaign(job, limited: limited).map { [$0] } ?? [] }
            return try ledger.campaigns(limited: limited)
        }
        if let job, campaigns.isEmpty { throw CommandFailure("there is no campaign “\(job)”") }
        let all = campaigns.map { CampaignView($0, configuration: configuration, now: now) }
        views = job == nil ? all.filter { !$0.receipt.state.isFinal } : all
        isOne = job != nil
        let traffic = try CommandFailure.asking { () throws(LedgerError) in try ledger.traffic(now: now) }
        relays = RelayList(configuration: configuration, traffic: traffic, now: now)
        isRunning = LedgerFiles.holder(path: ledger.path) != nil
        self.now = now
    }

    /// The one campaign that is looked at has ended.
    var isOver: Bool { isOne && views.allSatisfy { $0.receipt.state.isFinal } }

    func lines(width: Int) -> [String] {
        let queued = relays.entries.reduce(0) { $0 + $1.traffic.queued + $1.traffic.inFlight }
        let uncertain = relays.entries.reduce(0) { $0 + $1.traffic.uncertain }
        var lines = [
            "\(ReportText.time(now))  campaignd is \(isRunning ? "running" : "NOT RUNNING")  "
                + "\(queued) queued, \(uncertain) uncertain"
        ]
        lines += relays.entries.map { entry in
            "relay \(entry.name): \(entry.traffic.lastHour) in the last hour"
                + (entry.settings.map { " of \($0.messagesPerHour)" } ?? ", not configured")
        }
        if views.isEmpty { lines += ["", "no campaign is open"] }
        for view in views { lines += [""] + WatchPicture.lines(view, width: width) }
        return lines.map { String(ReportText.clean($0).prefix(width)) }
    }

    private static func lines(_ view: CampaignView, width: Int) -> [String] {
        let counts = view.summary.counts
        // Whoever is withheld is no longer to be sent to: the bar shows how much of the sending is done.
        let open = counts.queued + counts.inFlight
        let toSend = counts.recipients - counts.withheld
        let share = toSend == 0 ? 1 : Double(toSend - open) / Double(toSend)
        var title = "\(view.summary.job.id)  \(view.receipt.state.rawValue)"
        if let because = view.receipt.pausedBecause { title += ": \(because)" }
        var tail = "  \(counts.sent) sent"
        for (count, word) in [(open, "to go"), (counts.bounced, "bounced"), (counts.uncertain, "uncertain")]
        where count > 0 { tail += ", \(count) \(word)" }
        if let finish = view.receipt.estimatedFinish { tail += ", done about \(ReportText.time(finish))" }
        return [title, bar(share, width: width), tail.trimmingCharacters(in: .whitespaces)]
    }

    /// `[######----]  62 %`, as wide as the terminal, 60 at most.
    static func bar(_ share: Double, width: Int) -> String {
        let room = max(4, min(60, width - 9))
        let whole = min(1, max(0, share))
        let full = Int(whole * Double(room))
        let percent = whole < 1 ? min(99, Int(whole * 100)) : 100
        return "[" + String(repeating: "#", count: full) + String(repeating: "-", count: room - full) + "] \(percent) %"
    }

    /// One document in one line a look.
    var json: String {
        let document = CampaignList(campaigns: views).json.document
        return document.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
    }
}

/// The terminal while something is watched on it: a screen of its own, which is left behind as it was found.
final class WatchScreen {
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var isEntered = false

    /// Columns of the terminal; 120 where there is none.
    var width: Int { size.columns }

    private var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0
        else { return (120, .max) }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    func show(_ lines: [String]) {
        guard isTerminal else { return Terminal.say(lines + [""]) }
        // The alternate screen, without its cursor; then each line over what was there, and the rest erased.
        var text = isEntered ? "" : "\u{1B}[?1049h\u{1B}[?25l"
        isEntered = true
        let rows = size.rows
        let shown = lines.count <= rows ? lines : Array(lines.prefix(max(1, rows - 1))) + ["…"]
        text += "\u{1B}[H" + shown.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J"
        Terminal.write(text)
    }

    func leave() {
        guard isEntered else { return }
        isEntered = false
        Terminal.write("\u{1B}[?25h\u{1B}[?1049l")
    }
}

/// Ctrl-C and SIGTERM end the watching, not the process; a terminal of another size ends only a rest.
final class WatchStop: Sendable {
    private let bell = Bell()
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }

    /// From now on these signals are heard, for as long as what is returned lives.
    func expect() -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM, SIGHUP, SIGWINCH].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if number != SIGWINCH { self.flag.store(true, ordering: .releasing) }
                self.bell.ring()
            }
            source.resume()
            return source
        }
    }

    func rest(until instant: BootInstant, _ clocks: SystemClocks) async {
        await bell.wait(until: instant, clocks: clocks)
    }
}

import Foundation
import Ledger
import Logging
import Mailing
import Spool

/// Moves campaigns along as time and deliveries do, and keeps their receipts true.
///
/// Receipts are derived: whatever is lost of them is written again from the ledger at the next start.
actor CampaignKeeper {
    let context: DaemonContext
    private nonisolated let bell = Bell()
    private var touched: Set<Int64> = []
    /// When the next campaign changes by time alone; all are looked at then, and at least every 30 s.
    private var nextChange: Timestamp?
    private var nextFullLook: BootInstant?
    private var isFinishing = false
    private var isHindered = false
    private var streaks: [Int64: Streaks] = [:]
    /// Campaigns whose report was dropped and which are not marked as reported yet.
    var handedIn: Set<Int64> = []
    let executor: any SerialExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private var shown: [Int64: Receipt] = [:]
    private var names: [Int64: ReceiptName] = [:]
    /// What was counted of campaigns by domain, and when.
    private var countedDomains: [Int64: CountedDomains] = [:]
    private let wakeLanes: @Sendable () -> Void
    /// Campaigns whose files are being written, and how many write them or wait for that.
    private var writers: [Int64: (gate: Gate, count: Int)] = [:]
    /// Those of them whose recipients.csv is long.
    private var longTables: Set<Int64> = []
    /// Campaigns whose files stand, and whose report could not be handed in.
    private var unreported: Set<Int64> = []

    private struct CountedDomains {
        var at: BootInstant
        var limited: [String: Set<String>]
        var relays: [String]
        var domains: [String: [String: Int]]
    }

    /// In nanoseconds.
    private static let countInterval: Int64 = 60_000_000_000
    /// Receipts are not replaced more often than this, in nanoseconds.
    private static let pause: Int64 = 300_000_000
    /// Milliseconds.
    private static let longestWait: Int64 = 30_000
    private var isAnyOpen = true
    private static let closingBatch = 500
    private var markedAt: BootInstant?

    /// The ledger is told so often, in nanoseconds, that the daemon is at work.
    private var markInterval: Int64 {
        let limit = context.settings.current.holdAfterDowntime ?? 86_400
        return min(600, max(1, limit / 20)) * 1_000_000_000
    }

    init(
        context: DaemonContext, executor: any SerialExecutor = QueueExecutor(label: "campaignd.keeper"),
        wakeLanes: @escaping @Sendable () -> Void
    ) {
        self.context = context
        self.executor = executor
        self.wakeLanes = wakeLanes
    }

    /// Something about this campaign changed.
    func touch(_ campaign: Int64) {
        touched.insert(campaign)
        bell.ring()
        context.progress.news.ring()
    }

    /// Counts what came in a row on all relays of a campaign. Returns why it is to be paused, if it is.
    func note(_ outcome: Outcome, campaign: Int64, detail: String) -> String? {
        var streak = streaks[campaign] ?? Streaks(uncertainLimit: context.settings.current.pauseAfterUncertain)
        let because = streak.note(outcome, reply: detail)
        streaks[campaign] = streak
        return because
    }

    /// The configuration changed: every receipt is looked at again.
    func touchAll() {
        nextFullLook = nil
        bell.ring()
    }

    /// No delivery changes any more: look once more and end.
    func finish() {
        isFinishing = true
        bell.ring()
    }

    func run() async {
        while !isFinishing {
            context.progress.beat("campaigns", at: context.clocks.boot)
            await look()
            let now = context.clocks.boot
            await rest(until: now.adding(nanoseconds: CampaignKeeper.pause))
            guard touched.isEmpty, !isFinishing else { continue }
            let left = (nextChange?.milliseconds ?? .max) - context.clocks.wall.milliseconds
            // The wall clock may be set, and keys run out: as long as there is a campaign. Else nobody is to be woken.
            let longest = isAnyOpen ? CampaignKeeper.longestWait : .max
            let wait = min(longest, markInterval / 1_000_000, max(0, left))
            context.progress.rests("campaigns", from: now, until: now.adding(nanoseconds: wait * 1_000_000))
            await bell.wait(until: now.adding(nanoseconds: wait * 1_000_000), clocks: context.clocks)
        }
        nextFullLook = nil
        await look()
        context.progress.gone("campaigns")
    }

    private func rest(until instant: BootInstant) async {
        while context.clocks.boot < instant, !isFinishing {
            do {
                try await context.clocks.sleep(until: instant)
            } catch {
                return
            }
        }
    }

    /// Looks at the campaigns that were touched, or at all open ones if it is time for that.
    private func look() async {
        let chosen = touched
        touched = []
        isHindered = false
        defer { if !isHindered { context.progress.hindered("campaigns", by: nil) } }
        let boot = context.clocks.boot
        let mustMark = markedAt.map { boot.nanoseconds - $0.nanoseconds >= markInterval } ?? true
        let isFull =
            mustMark || (nextFullLook ?? boot) <= boot || (nextChange.map { $0 <= context.clocks.wall } ?? false)
        if isFull {
            nextFullLook = boot.adding(nanoseconds: 30_000_000_000)
            nextChange = nil
        }
        do {
            if isFull { try await tend() }
            let open = try await context.ledger.openCampaigns()
            isAnyOpen = !open.isEmpty
            for standing in open where isFull || chosen.contains(standing.number) {
                await look(at: standing)
            }
        } catch {
            lookAgainSoon(because: "campaigns cannot be looked at: \(error)", .ledgerTrouble)
            await sayWhyNothingIsSent("\(error)")
        }
    }

    /// The ledger cannot even be read: the latest receipts of what is under way say so.
    private func sayWhyNothingIsSent(_ why: String) async {
        context.progress.ledgerTrouble(why)
        let warning = CampaignKeeper.warning(why)
        for (number, receipt) in shown where !receipt.warnings.contains(warning) {
            var receipt = receipt
            receipt.warnings.removeAll { $0.hasPrefix(CampaignKeeper.nothingIsSent) }
            receipt.warnings.append(warning)
            guard let job = receipt.job, let id = JobID(job), let name = names[number] else { continue }
            do throws(SpoolError) {
                try context.spool.write(receipt, to: name)
                shown[number] = receipt
            } catch {
                context.journal.noteSeldom(
                    .error, .spoolTrouble, "the receipt of campaign \(id) cannot be written: \(error)",
                    ["CAMPAIGN": id.text], now: context.clocks.boot, about: id.text)
            }
        }
    }

    private static let nothingIsSent = "nothing is sent at present: "

    private static func warning(_ why: String) -> String { nothingIsSent + why }

    /// What has to be done now and then, as long as campaigns are open.
    private func tend() async throws {
        let now = context.clocks.wall
        for (relay, settings) in context.settings.current.relays.sorted(by: { $0.key < $1.key }) {
            guard settings.settlesByJournal || settings.keyScope != nil else { continue }
            try await context.ledger.giveUpLostKeys(relay: relay, scope: settings.keyScope, now: now)
        }
        let boot = context.clocks.boot
        if let markedAt, boot.nanoseconds - markedAt.nanoseconds < markInterval { return }
        try await context.ledger.markAlive(now: now)
        markedAt = boot
    }

    private func look(at standing: CampaignStanding) async {
        context.progress.beat("campaigns", at: context.clocks.boot)
        do {
            let now = context.clocks.wall
            let changed = try await advance(standing, now: now)
            var moments = [changed.sendAfter, changed.expires]
            moments.append(try await show(standing.number))
            for moment in moments.compactMap({ $0 }) where moment > now {
                nextChange = min(nextChange ?? moment, moment)
            }
        } catch {
            lookAgainSoon(
                because: "the receipt of campaign \(standing.job) cannot be brought up to date: \(error)",
                error is LedgerError ? .ledgerTrouble : .spoolTrouble, campaign: standing.job)
            if let error = error as? LedgerError, !error.isOfOneRow { await sayWhyNothingIsSent("\(error)") }
        }
    }

    private func tellEnd(of summary: CampaignSummary) {
        let withheld = summary.withheld.sorted { $0.key < $1.key }.map { ", \($0.value) \($0.key)" }.joined()
        context.journal.note(
            .notice, .ended,
            "campaign \(summary.job.id) is \(summary.state.rawValue): \(summary.counts.sent) sent\(withheld)",
            ["CAMPAIGN": summary.job.id.text, "STATE": summary.state.rawValue])
    }

    /// For trouble that holds up neither campaigns nor receipts, and is met again within 30 s.
    func hindered(by why: String, _ level: Logger.Level, of campaign: JobID, _ fields: [String: String]) {
        context.journal.noteSeldom(
            level, .reportTrouble, why, fields, now: context.clocks.boot, about: campaign.text)
        context.progress.hindered("campaigns", by: why)
        isHindered = true
    }

    private func lookAgainSoon(because why: String, _ event: DaemonJournal.Event, campaign: JobID? = nil) {
        context.journal.noteSeldom(
            .error, event, why, campaign.map { ["CAMPAIGN": $0.text] } ?? [:], now: context.clocks.boot,
            about: campaign?.text ?? "campaigns")
        context.progress.hindered("campaigns", by: why)
        isHindered = true
        nextFullLook = nil
        nextChange = context.clocks.wall.adding(seconds: 1)
    }

    private func advance(_ standing: CampaignStanding, now: Timestamp) async throws -> CampaignStanding {
        while true {
            let (changed, isDone) = try await context.ledger.advance(
                campaign: standing.number, now: now, limit: CampaignKeeper.closingBatch,
                examining: context.settings.current.settlingRelays)
            if changed.state != standing.state, changed.state == .running {
                wakeLanes()
                context.journal.note(
                    .info, .changed, "campaign \(standing.job) is running",
                    [
                        "CAMPAIGN": standing.job.text, "STATE": changed.state.rawValue,
                    ])
            }
            if isDone || context.stopping.isSet { return changed }
            context.progress.beat("campaigns", at: context.clocks.boot)
        }
    }

    /// Writes the receipt if it changed; at the end of a campaign recipients.csv before it. Returns when its windows
    /// open or close next, if there is something to send.
    private func show(_ number: Int64) async throws -> Timestamp? {
        await begin(number)
        defer { end(number) }
        guard let summary = try await summary(number) else { return nil }
        try await write(summary, receipt(summary))
        let wait = wait(summary)
        context.progress.waits("campaign \(summary.job.id)", wait.status)
        return wait.nextChange
    }

    private static func isOver(_ summary: CampaignSummary) -> Bool {
        summary.state.isFinal && summary.counts.queued + summary.counts.inFlight == 0
    }

    /// - Parameter evenIfShown: Also if it was written like this: somebody may have removed it.
    private func write(_ summary: CampaignSummary, _ receipt: Receipt, evenIfShown: Bool = false) async throws {
        let number = summary.number
        guard let name = ReceiptName(summary.job.receipt) else {
            throw LedgerError.conflict("“\(summary.job.receipt)” of job \(summary.job.id) is no name of a receipt")
        }
        if Self.isOver(summary), !summary.isReported {
            if evenIfShown || !unreported.contains(number) || shown[number] != receipt {
                try await writeRecipients(summary, to: name)
                try context.spool.write(receipt, to: name, durable: true)
                context.meters.changed()
                (shown[number], names[number]) = (receipt, name)
            }
            unreported.insert(number)
            guard await handInReport(of: summary, receipt, at: name) else { return }
            unreported.remove(number)
            guard try await context.ledger.markReported(summary) else { return touch(number) }
            (shown[number], names[number]) = (nil, nil)
            (streaks[number], countedDomains[number]) = (nil, nil)
            handedIn.remove(number)
            tellEnd(of: summary)
        } else if summary.isReported {
            try context.spool.write(receipt, to: name)
        } else if evenIfShown || shown[number] != receipt {
            try context.spool.write(receipt, to: name)
            context.meters.changed()
            (shown[number], names[number]) = (receipt, name)
        }
    }

    // The receipts of one campaign are written one after another: of two the first must not come last.
    private func begin(_ number: Int64) async {
        let (gate, count) = writers[number] ?? (Gate(), 0)
        writers[number] = (gate, count + 1)
        await gate.enter()
    }

    /// Gives the turn to who waits for it.
    private func end(_ number: Int64) {
        guard let (gate, count) = writers[number] else { return }
        writers[number] = count > 1 ? (gate, count - 1) : nil
        gate.leave()
    }

    /// Writes the receipt of a campaign again, at its end recipients.csv before it, and returns it; nil if the job has
    /// no campaign yet. A long recipients.csv is not waited for: the next look writes both.
    @discardableResult
    func refresh(job: JobID) async throws -> Receipt? {
        guard let number = try await context.ledger.campaignNumber(of: job),
            let first = try await summary(number)
        else { return nil }
        if longTables.contains(number) || Self.isOver(first) && !first.isReported && Self.isLong(first) {
            touch(number)
            return receipt(first)
        }
        await begin(number)
        defer { end(number) }
        guard let summary = try await summary(number) else { return nil }
        let receipt = receipt(summary)
        try await write(summary, receipt, evenIfShown: true)
        return receipt
    }

    private static func isLong(_ summary: CampaignSummary) -> Bool { summary.counts.recipients > 10_000 }

    func receipt(_ summary: CampaignSummary) -> Receipt {
        var receipt = context.settings.current.receipt(of: summary, now: context.clocks.wall)
        if let trouble = context.progress.ledgerTrouble, summary.counts.queued + summary.counts.inFlight > 0 {
            receipt.warnings.append(CampaignKeeper.warning(trouble))
        }
        return receipt
    }

    private func wait(_ summary: CampaignSummary) -> CampaignWait {
        CampaignWait(summary, configuration: context.settings.current, now: context.clocks.wall)
    }

    /// What waits for limited domains is counted once a minute: it means to look at all of that.
    private func summary(_ number: Int64) async throws -> CampaignSummary? {
        let limited = context.settings.current.limitedDomains
        guard !limited.isEmpty else { return try await context.ledger.summary(campaign: number) }
        let now = context.clocks.boot
        if let known = countedDomains[number], known.limited == limited,
            now.nanoseconds - known.at.nanoseconds < CampaignKeeper.countInterval
        {
            var summary = try await context.ledger.summary(campaign: number)
            if summary?.waitingRelays == known.relays {
                summary?.backlog.domains = known.domains
                return summary
            }
        }
        guard let summary = try await context.ledger.summary(campaign: number, limited: limited) else { return nil }
        countedDomains[number] =
            summary.backlog.domains.isEmpty
            ? nil
            : CountedDomains(
                at: now, limited: limited, relays: summary.waitingRelays, domains: summary.backlog.domains)
        return summary
    }

    private func writeRecipients(_ summary: CampaignSummary, to name: ReceiptName) async throws {
        if Self.isLong(summary) { longTables.insert(summary.number) }
        defer { longTables.remove(summary.number) }
        let table = try RecipientPages(spool: context.spool, name: name)
        var after: Int64? = 0
        while let from = after {
            let page = try await context.ledger.recipientRecords(campaign: summary.number, after: from, limit: 1000)
            try table.add(page.records)
            after = page.next
            context.progress.beat("campaigns", at: context.clocks.boot)
        }
        after = 0
        while let from = after {
            let page = try await context.ledger.setAsideRecords(campaign: summary.number, after: from, limit: 1000)
            try table.add(page.records)
            after = page.next
        }
        try table.finish()
    }
}

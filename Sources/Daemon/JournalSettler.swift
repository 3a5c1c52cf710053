import Ledger
import Logging
import Mailing

/// Settles doubt by what the local Postfix wrote into the journal, for the relays of which the configuration says so.
///
/// It only carries: `PostfixTrace` judges, the ledger decides. What the journal does not settle within a quarter of an
/// hour is left to a person.
actor JournalSettler {
    /// Reads what Postfix wrote since a moment: its user, the moment. May block.
    typealias Reading = @Sendable (String, Timestamp) throws -> PostfixReading

    private let context: DaemonContext
    private let keeper: CampaignKeeper
    private let wakeLanes: @Sendable () -> Void
    private let read: Reading
    private let judge: @Sendable (PostfixTrace, PostfixTrace.Question, Timestamp) -> PostfixTrace.Verdict
    let executor: any SerialExecutor
    /// Nothing is given up earlier than a quarter of an hour after the first look: Postfix may have been down as well.
    private var firstLook: Timestamp?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private static let soon: Int64 = 5_000_000_000
    private static let later: Int64 = 30_000_000_000
    /// Where there is no doubt.
    private static let quiet: Int64 = 600_000_000_000
    /// Doubts that begin within so many milliseconds are looked up in one reading.
    private static let span: Int64 = 30 * 60 * 1000
    /// A doubt so fresh, in milliseconds, is looked at every five seconds.
    private static let fresh: Int64 = 2 * 60 * 1000
    private static let page = 500
    /// No more doubts are looked into at once.
    private static let limit = 10_000
    private static let evidenceLimit = 1000

    /// - Parameters:
    ///   - executor: Its work blocks.
    ///   - judge: The rule of what is a proof; tests put wrong ones in its place, to see that they are found out.
    init(
        context: DaemonContext, executor: any SerialExecutor, keeper: CampaignKeeper,
        wakeLanes: @escaping @Sendable () -> Void, read: @escaping Reading,
        judge: @escaping @Sendable (PostfixTrace, PostfixTrace.Question, Timestamp) -> PostfixTrace.Verdict = {
            $0.verdict(on: $1, now: $2)
        }
    ) {
        self.context = context
        self.executor = executor
        self.keeper = keeper
        self.wakeLanes = wakeLanes
        self.read = read
        self.judge = judge
    }

    /// The configuration changed, or the daemon stops.
    nonisolated func wake() { context.doubts.ring() }

    /// Looks until the daemon stops.
    func run() async {
        tryReading()
        while !context.stopping.isSet {
            context.progress.beat("settling", at: context.clocks.boot)
            let next = min(
                context.clocks.boot.adding(nanoseconds: await look()),
                context.clocks.commonMoment(every: JournalSettler.quiet))
            context.progress.rests("settling", from: context.clocks.boot, until: next)
            await context.doubts.wait(until: next, clocks: context.clocks)
        }
        context.progress.gone("settling")
    }

    /// Whoever has switched it on is told at the start, and not at the first doubt, that something is missing.
    private func tryReading() {
        let configuration = context.settings.current
        guard configuration.relays.contains(where: { $0.value.settlesByJournal }) else { return }
        do {
            _ = try read(configuration.postfixUser, context.clocks.wall)
        } catch {
            trouble(.warning, .settlingTrouble, "doubt cannot be settled by the journal: \(error)")
        }
    }

    /// Looks into every doubt once. Returns after how many nanoseconds the next look is due, unless somebody rings.
    private func look() async -> Int64 {
        let now = context.clocks.wall
        let since = firstLook ?? now
        firstLook = since
        do {
            var doubts = try await openDoubts()[...]
            guard !doubts.isEmpty else { return JournalSettler.quiet }
            var isSoon = false
            while let first = doubts.first, !context.stopping.isSet {
                context.progress.beat("settling", at: context.clocks.boot)
                let end = first.intendedAt.milliseconds + JournalSettler.span
                let batch = doubts.prefix { $0.intendedAt.milliseconds <= end }
                doubts = doubts.dropFirst(batch.count)
                if try await settle(Array(batch), patientSince: since) { isSoon = true }
            }
            return isSoon ? JournalSettler.soon : JournalSettler.later
        } catch let error as LedgerError {
            trouble(.error, .ledgerTrouble, "doubt cannot be settled: \(error)")
        } catch {
            let why = "doubt cannot be settled by the journal: \(error)"
            context.progress.hindered("settling", by: why)
            trouble(.warning, .settlingTrouble, why)
        }
        return JournalSettler.later
    }

    /// In the order of their intents.
    private func openDoubts() async throws(LedgerError) -> [OpenDoubt] {
        var found: [OpenDoubt] = []
        let relays = context.settings.current.relays.filter { $0.value.settlesByJournal }
        for relay in relays.keys.sorted() {
            var after: Int64 = 0
            while found.count < JournalSettler.limit {
                let page = try await context.ledger.openDoubts(relay: relay, after: after, limit: JournalSettler.page)
                found += page
                guard let last = page.last, page.count == JournalSettler.page else { break }
                after = last.delivery
            }
        }
        return found.sorted { ($0.intendedAt, $0.delivery) < ($1.intendedAt, $1.delivery) }
    }

    /// Returns whether some of them are worth another look soon.
    private func settle(_ doubts: [OpenDoubt], patientSince: Timestamp) async throws -> Bool {
        guard let first = doubts.first else { return false }
        let user = context.settings.current.postfixUser
        let reading = try read(user, first.intendedAt.adding(seconds: -PostfixTrace.lookBack))
        context.progress.hindered("settling", by: nil)
        let trace = PostfixTrace(lines: reading.lines, user: reading.user, coverage: reading.coverage)
        var isSoon = false
        for doubt in doubts {
            if context.stopping.isSet { break }
            let now = context.clocks.wall
            let question = PostfixTrace.Question(
                messageID: doubt.messageID,
                returnPathTag: MessageMaker.tag(
                    delivery: doubt.delivery, job: doubt.job, address: doubt.address, key: context.ledger.key),
                intendedAt: doubt.intendedAt, localPort: doubt.localPort,
                deadline: max(doubt.intendedAt, patientSince).adding(seconds: PostfixTrace.patience))
            switch judge(trace, question, now) {
            case .accepted(let queueID, let evidence):
                try await end(doubt, as: .sent, by: evidence, queueID: queueID)
            case .absent(let evidence): try await end(doubt, as: .resend, by: evidence)
            case .unknowable(let why): try await giveUp(doubt, because: why)
            case .undecided:
                if now.milliseconds - max(doubt.intendedAt, patientSince).milliseconds < JournalSettler.fresh {
                    isSoon = true
                }
            }
        }
        return isSoon
    }

    private func end(
        _ doubt: OpenDoubt, as settlement: Settlement, by text: String, queueID: String? = nil
    ) async throws(LedgerError) {
        let evidence = SettlementEvidence(
            kind: .journal, text: String(text.prefix(JournalSettler.evidenceLimit)), queueID: queueID)
        let settled = try await context.ledger.settle(
            delivery: doubt.delivery, intendedAt: doubt.intendedAt, as: settlement, by: evidence,
            now: context.clocks.wall)
        if let settled { context.journal.settled(settled, by: evidence) }
        await keeper.touch(doubt.campaign)
        if settled != nil, settlement == .resend { wakeLanes() }
    }

    private func giveUp(_ doubt: OpenDoubt, because why: String) async throws(LedgerError) {
        let because = "the journal does not settle it: \(why)"
        try await context.ledger.giveUp(
            delivery: doubt.delivery, intendedAt: doubt.intendedAt, because: because)
        let person = context.journal.shown(doubt.address)
        context.journal.note(
            .notice, .uncertain, "uncertain for good, unless a person settles it: \(person): \(because)",
            ["CAMPAIGN": doubt.job.text, "DELIVERY": "\(doubt.delivery)", "RELAY": doubt.relay, "RECIPIENT": person])
        await keeper.touch(doubt.campaign)
    }

    private func trouble(_ level: Logger.Level, _ event: DaemonJournal.Event, _ why: String) {
        context.journal.noteSeldom(level, event, why, now: context.clocks.boot, about: "settling")
    }
}

import Ledger
import Logging
import MIME
import Mailing
import Synchronization

/// Carries the messages of one relay, one at a time: each dot at its slot.
///
/// It decides nothing itself: the ledger decides at instant 2, the reply at instant 3.
actor RelayLane {
    nonisolated let name: String
    let context: DaemonContext
    private let library: CampaignLibrary
    let keeper: CampaignKeeper
    let overall: OverallPace
    let records: RecordGate
    let connection: any RelayConnection
    nonisolated let bell = Bell()
    nonisolated let isEnding = StopFlag()

    var pacer: Pacer
    var domains = DomainPaces()
    /// Whether it was looked once which domains are limited.
    var knowsDomains = false
    /// Where something was in flight at the start, by the names of the slots.
    let recovered: Set<String>
    private var turns = Turns()
    private var backoff = RelayBackoff()
    private var leaveAloneUntil: BootInstant?
    /// How long it takes from taking a message up to having written all but its dot: learnt, in nanoseconds.
    private var preparation: Int64 = 20_000_000
    /// Whether the relay took longer than others shall have to wait for it, and was not faster since.
    private var wasSlow = false
    private var idleSince: BootInstant?

    /// The commit of instant 2 begins so long before the slot, in nanoseconds.
    static let commitLead: Int64 = 4_000_000
    /// A transaction is not begun earlier than this before its slot, in nanoseconds: servers do not wait for ever.
    private static let longestLead: Int64 = 20_000_000_000
    /// And not earlier than this where it is the turn of one relay among all.
    static let sharedLead: Int64 = 2_000_000_000
    /// Seconds after which what a connection does must be over, whatever the server does, or the lane is stuck: all
    /// replies of a greeting; a message of the largest size, slowly; the dot, without its reply; the end.
    private static let longestGreeting: Int64 = 3600
    private static let longestOffer: Int64 = 7200
    private static let longestDot: Int64 = 900
    private static let longestClose: Int64 = 900

    init(
        name: String, context: DaemonContext, library: CampaignLibrary, keeper: CampaignKeeper, overall: OverallPace,
        records: RecordGate, connection: any RelayConnection, pacer: Pacer, recovered: Set<String> = []
    ) {
        self.name = name
        self.context = context
        self.library = library
        self.keeper = keeper
        self.overall = overall
        self.records = records
        self.connection = connection
        self.pacer = pacer
        self.recovered = recovered
    }

    /// Something may be due.
    nonisolated func wake() { bell.ring() }

    /// Ends the lane soon: what is before its dot is dropped, what is after it is waited for.
    nonisolated func end() {
        isEnding.set()
        overall.sendAway(name)
        connection.interrupt()
        bell.ring()
    }

    func change(messagesPerHour: Int) {
        pacer.change(messagesPerHour: messagesPerHour)
        bell.ring()
    }

    /// The slot from which a lane with new settings goes on.
    var paceSoFar: Pacer { pacer }

    func run() async {
        while !isEnding.isSet {
            await resting(until: nil) { await records.pass() }
            if let until = leaveAloneUntil, until > context.clocks.boot {
                await resting(until: until) { await bell.wait(until: until, clocks: context.clocks) }
                continue
            }
            do throws(LedgerError) {
                let now = context.clocks.wall
                // Before a relay is bothered: whether anything can be recorded at all.
                if context.progress.ledgerTrouble != nil { try await context.ledger.markAlive(now: now) }
                try await bringDomainsUpToDate()
                switch try await context.ledger.nextDue(
                    relay: name, now: now, turns: turns, keyScope: settings?.keyScope, limits: domainLimits(now))
                {
                case .nothing(let until):
                    context.meters.due(name, slot: nil)
                    await ledgerIsWell()
                    context.progress.waits(loop, nil)
                    await rest(until: until, now: now)
                case .due(let due):
                    if await restWhileClosed(now) { continue }
                    context.meters.due(name, slot: pacer.slot(now: context.clocks.boot))
                    await serve(due)
                }
            } catch {
                await ledgerTrouble(error)
            }
        }
        await connection.close()
        context.progress.gone(loop)
        context.meters.gone(name)
    }

    /// Under which its signs of life are known.
    var loop: String { "relay \(name)" }
    var configuration: Configuration { context.settings.current }
    var settings: Configuration.Relay? { configuration.relays[name] }
    private var idleNanoseconds: Int64 { Int64(settings?.idleSeconds ?? 15) * 1_000_000_000 }

    /// Runs what may rightly take long, during which no sign of life is expected.
    ///
    /// - Parameter end: When it must have come to its end; nil if nobody can know.
    func resting<Value: Sendable>(until end: BootInstant?, _ wait: () async -> Value) async -> Value {
        if let end {
            context.progress.rests(loop, from: context.clocks.boot, until: end)
        } else {
            context.progress.rests(loop)
        }
        defer { context.progress.beat(loop, at: context.clocks.boot) }
        return await wait()
    }

    /// Runs what the connection must have ended by itself after so many seconds, by its times for each step.
    func resting<Value: Sendable>(seconds: Int64, _ wait: () async -> Value) async -> Value {
        await resting(until: context.clocks.boot.adding(nanoseconds: seconds * 1_000_000_000), wait)
    }

    /// Waits for work; ends a connection that has been idle for too long.
    func rest(until: Timestamp?, now: Timestamp) async {
        if until == nil { turns = Turns() }
        let boot = context.clocks.boot
        // Whoever makes something due rings; what becomes due by time alone follows a wall clock that may be set.
        var deadline = context.clocks.commonMoment(every: until == nil ? 600_000_000_000 : 30_000_000_000)
        if let until {
            deadline = min(deadline, boot.adding(nanoseconds: (until.milliseconds - now.milliseconds) * 1_000_000))
        }
        if let since = idleSince {
            let closing = since.adding(nanoseconds: idleNanoseconds)
            if boot >= closing {
                await closeConnection()
            } else {
                deadline = min(deadline, closing)
            }
        }
        await resting(until: deadline) { await bell.wait(until: deadline, clocks: context.clocks) }
    }

    private func closeConnection() async {
        await resting(seconds: RelayLane.longestClose) { await connection.close() }
        idleSince = nil
    }

    /// Waits until it is time to take the message up, then does so.
    private func serve(_ due: DueDelivery) async {
        let now = context.clocks.boot
        let begin = pacer.slot(now: now).adding(nanoseconds: -lead)
        guard now >= begin else {
            if idleSince != nil, begin.nanoseconds - now.nanoseconds > idleNanoseconds { await closeConnection() }
            let limit = now.adding(nanoseconds: 30_000_000_000)
            return await resting(until: limit) {
                await bell.wait(until: min(begin, limit), clocks: context.clocks)
            }
        }
        do {
            let prepared = try await library.campaign(due.job)
            let made = try MessageMaker(key: context.ledger.key).make(
                due, prepared, configuration: configuration, relay: settings)
            try await attempt(due, made)
        } catch let error as LedgerError {
            await ledgerTrouble(error)
        } catch let error as ComposeError {
            await withhold(due, because: error)
        } catch {
            await pause(due, because: "its messages cannot be made: \(error)")
            await pauseBriefly()
        }
    }

    /// How long before its slot a message is taken up.
    var lead: Int64 {
        min(2 * preparation + 30_000_000, overall.interval == nil ? RelayLane.longestLead : RelayLane.sharedLead)
    }

    private func attempt(_ due: DueDelivery, _ made: MessageMaker.Made) async throws(LedgerError) {
        let isFresh: Bool
        let toOpen = Int64(settings?.connectSeconds ?? 60) + RelayLane.longestGreeting
        switch await resting(seconds: toOpen, { await connection.open() }) {
        case .ready(let fresh):
            isFresh = fresh
            if fresh { isUsable() }
        case .refused(let phase, let reply):
            return try await refused(due, phase: phase, reply: reply)
        case .failed(let phase, let why):
            // The ledger was written before this was taken up.
            await ledgerIsWell()
            return routeTrouble("\(phase.rawValue): \(why)")
        }
        // Before the message is offered: no server shall wait for a dot while other relays have their turn, but one
        // that let them wait.
        let turn = wasSlow ? nil : await overallTurn()
        defer { turn?.leave(writtenAt: nil) }
        guard !isEnding.isSet else { return }
        if let turn { await sleep(until: turn.slot(now: context.clocks.boot).adding(nanoseconds: -lead)) }
        let began = context.clocks.boot
        let offered = await resting(seconds: RelayLane.longestOffer) { await offer(made, turn: turn) }
        let taken = context.clocks.boot.nanoseconds - began.nanoseconds
        if taken > RelayLane.patience { wasSlow = true }
        switch offered {
        case .armed:
            wasSlow = taken > RelayLane.patience
            preparation = (3 * preparation + taken) / 4
            try await handOver(due, made, turn: turn)
        case .refused(let phase, let reply):
            idleSince = context.clocks.boot
            try await refused(due, phase: phase, reply: reply)
        case .lost(let phase, let why):
            try await lost(due, "\(phase.rawValue): \(why)", isMessage: isFresh || phase != .mail)
        }
    }

    /// From here on the message is complete at the relay but for its dot.
    private func handOver(
        _ due: DueDelivery, _ made: MessageMaker.Made, turn early: OverallTurn?
    ) async throws(LedgerError) {
        let (slot, turn) = await slotAndTurn(of: due, early)
        defer { turn?.leave(writtenAt: nil) }
        guard !isEnding.isSet, records.isOpen else { return await closeConnection() }
        var claims = claims(of: due)
        if let interval = turn?.interval { claims.append(SlotClaim(name: OverallPace.name, interval: interval)) }
        let intent: Intent
        do throws(LedgerError) {
            intent = try await context.ledger.intend(
                IntentRequest(
                    delivery: due.id, messageID: made.messageID,
                    slot: Pacer.StoredSlot(bootID: context.clocks.bootID, at: max(slot, context.clocks.boot)),
                    claims: claims, now: context.clocks.wall, localPort: await connection.localPort(),
                    keySeconds: made.key?.seconds, keyScope: made.key?.scope, relay: name,
                    relayHours: settings?.hours ?? .always))
        } catch LedgerError.notTakenBack(let reason) {
            // No dot was written; left in flight, it would be in doubt after the next start.
            await closeConnection()
            return await record(due, .routeTrouble, AttemptEvidence(reply: reason, peer: settings?.url), relays: [])
        } catch {
            await closeConnection()
            throw error
        }
        guard intent.decision == .handOver else {
            await closeConnection()
            if case .wait(let until) = intent.decision { hold(due, until: until) }
            return await noHandOver(due, intent.decision)
        }
        await ledgerIsWell()
        await sleepUnconditionally(until: slot)
        context.progress.awaiting(name, true)
        let toHandOver = Int64(settings?.finalReplySeconds ?? 600) + RelayLane.longestDot
        let ended = await resting(seconds: toHandOver) {
            // The slot is recorded as taken, even if the connection was found dead.
            await connection.handOver(written: { turn?.leave(writtenAt: $0 ?? slot) })
        }
        context.progress.awaiting(name, false)
        await conclude(due, ended, intent: intent.number, relays: claims.map(\.name))
    }

    /// Instant 3. What was heard is kept in memory until it is recorded, and no dot leaves before that.
    private func conclude(_ due: DueDelivery, _ ended: RelayHandOver, intent: Int64, relays: [String]) async {
        turns.served(due.campaign)
        var evidence = AttemptEvidence(reply: nil, peer: settings?.url, writtenAt: ended.writtenAt)
        var reply: SMTPReply?
        let outcome: Outcome
        switch ended.ending {
        case .answered(let answer):
            reply = answer
            outcome = Outcome(phase: .dot, reply: answer)
            evidence.reply = answer.description
            evidence.enhanced = answer.enhanced?.description
            evidence.queueID = answer.queueID
            idleSince = context.clocks.boot
        case .silent(let why):
            outcome = .uncertain
            evidence.reply = why
            idleSince = nil
        case .notWritten(let why):
            outcome = .routeTrouble
            evidence.reply = why
            idleSince = nil
        }
        if ended.writtenAt != nil || outcome == .uncertain {
            let writtenAt = ended.writtenAt ?? context.clocks.boot
            tookSlot(due, at: writtenAt)
            context.meters.dot(name, at: writtenAt)
        }
        await record(due, outcome, evidence, relays: relays)
        let detail = evidence.reply ?? ""
        if outcome == .routeTrouble { routeTrouble("dot: \(detail)") }
        if outcome == .sent { context.progress.counted() }
        context.journal.delivered(
            due, relay: name, outcome: outcome, reply: reply, detail: detail, intent: intent)
        await note(due, outcome, detail: detail)
    }

    /// A refusal before the dot.
    private func refused(_ due: DueDelivery, phase: SMTPPhase, reply: SMTPReply) async throws(LedgerError) {
        let outcome = Outcome(phase: phase, reply: reply)
        // A refused attempt takes its slot too: a bad list must not hammer the relay.
        tookSlot(due, at: context.clocks.boot)
        context.meters.tookSlot(name)
        turns.served(due.campaign)
        let detail = "\(phase.rawValue): \(reply)"
        context.journal.delivered(due, relay: name, outcome: outcome, reply: reply, detail: detail)
        if outcome == .routeTrouble {
            let isMessage = phase == .mail || phase == .recipient || phase == .data
            return try await lost(due, detail, isMessage: isMessage)
        }
        try await concludeBeforeDot(due, outcome, reply: reply)
        await note(due, outcome, detail: detail)
    }

    /// The connection went before the dot.
    ///
    /// - Parameter isMessage: Whether this message may be what the server stumbles over; then others go first.
    private func lost(_ due: DueDelivery, _ why: String, isMessage: Bool) async throws(LedgerError) {
        guard !isEnding.isSet else { return }
        if isMessage {
            turns.served(due.campaign)
            try await concludeBeforeDot(due, .routeTrouble, reply: nil)
        }
        routeTrouble(why)
    }

    private func concludeBeforeDot(
        _ due: DueDelivery, _ outcome: Outcome, reply: SMTPReply?
    ) async throws(LedgerError) {
        let evidence = AttemptEvidence(
            reply: reply?.description, enhanced: reply?.enhanced?.description, peer: settings?.url)
        do throws(LedgerError) {
            try await context.ledger.conclude(
                delivery: due.id, outcome: outcome, evidence: evidence, relays: [], bootID: context.clocks.bootID,
                retries: configuration.retries, now: context.clocks.wall, attemptedBy: name)
        } catch LedgerError.conflict {
            // A person cancelled or settled it, or gave it to another relay, while this one was asked; no dot was
            // written, so nothing is to be said.
            return
        }
        await ledgerIsWell()
    }

    private func routeTrouble(_ why: String) {
        idleSince = nil
        guard !isEnding.isSet else { return }
        let pause = backoff.failed()
        leaveAloneUntil = context.clocks.boot.adding(nanoseconds: pause)
        context.trouble(name, why)
        context.journal.note(
            backoff.failures > 1 ? .info : .warning, .relayTrouble,
            "relay \(name) cannot be used (\(why)); trying again in \(pause / 1_000_000_000) s", ["RELAY": name])
    }

    private func isUsable() {
        if backoff.failures > 0 {
            context.journal.note(
                .notice, .relayWorks, "relay \(name) can be used again, after \(backoff.failures) failures",
                ["RELAY": name])
        }
        backoff.succeeded()
        context.trouble(name, nil)
    }

    /// Sleeps on, whatever rings, but not past the end of the lane.
    func sleep(until instant: BootInstant) async {
        while context.clocks.boot < instant, !isEnding.isSet {
            await resting(until: instant) { await bell.wait(until: instant, clocks: context.clocks) }
        }
    }

    /// Sleeps for the last milliseconds before a dot whose intent is recorded: not even a stop makes it leave early.
    private func sleepUnconditionally(until instant: BootInstant) async {
        let pause = Bell()
        while context.clocks.boot < instant { await pause.wait(until: instant, clocks: context.clocks) }
    }
}

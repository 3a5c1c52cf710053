import Ledger
import MIME
import Logging
import Mailing
import Synchronization

/// Carries the messages of one relay, one at a time: each dot at its slot.
///
/// It decides nothing itself: the ledger decides at instant 2, the reply at instant 3.
actor RelayLane {
    nonisolated let name: String
    private let context: DaemonContext
    private let library: CampaignLibrary
    private let keeper: CampaignKeeper
    private let overall: OverallPace
    private let records: RecordGate
    private let connection: any RelayConnection
    private nonisolated let bell = Bell()
    private nonisolated let stop = StopFlag()

    private var pacer: Pacer
    private var turns = Turns()
    private var backoff = RelayBackoff()
    private var leaveAloneUntil: BootInstant?
    private var streaks: [Int64: Streaks] = [:]
    /// How long it takes from taking a message up to having written all but its dot: learnt, in nanoseconds.
    private var preparation: Int64 = 20_000_000
    private var idleSince: BootInstant?

    /// The commit of instant 2 begins so long before the slot, in nanoseconds.
    private static let commitLead: Int64 = 4_000_000
    /// A transaction is not begun earlier than this before its slot, in nanoseconds: servers do not wait for ever.
    private static let longestLead: Int64 = 20_000_000_000

    init(
        name: String, context: DaemonContext, library: CampaignLibrary, keeper: CampaignKeeper, overall: OverallPace,
        records: RecordGate, connection: any RelayConnection, pacer: Pacer
    ) {
        self.name = name
        self.context = context
        self.library = library
        self.keeper = keeper
        self.overall = overall
        self.records = records
        self.connection = connection
        self.pacer = pacer
    }

    /// Something may be due.
    nonisolated func wake() { bell.ring() }

    /// Ends the lane soon: what is before its dot is dropped, what is after it is waited for.
    nonisolated func end() {
        stop.set()
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
        while !stop.isSet {
            context.progress.beat("relay \(name)", at: context.clocks.boot)
            await records.pass()
            if let until = leaveAloneUntil, until > context.clocks.boot {
                await bell.wait(until: until, clocks: context.clocks)
                continue
            }
            do throws(LedgerError) {
                let now = context.clocks.wall
                switch try await context.ledger.nextDue(relay: name, now: now, turns: turns) {
                case .nothing(let until): await rest(until: until, now: now)
                case .due(let due): await serve(due)
                }
            } catch {
                await ledgerTrouble(error)
            }
        }
        await connection.close()
        context.progress.gone("relay \(name)")
    }

    private var configuration: Configuration { context.settings.current }

    /// Waits for work; ends a connection that has been idle for too long.
    private func rest(until: Timestamp?, now: Timestamp) async {
        let boot = context.clocks.boot
        var deadline = boot.adding(nanoseconds: 30_000_000_000)
        if let until {
            deadline = min(deadline, boot.adding(nanoseconds: (until.milliseconds - now.milliseconds) * 1_000_000))
        }
        if let since = idleSince {
            let seconds = configuration.relays[name]?.idleSeconds ?? 15
            let closing = since.adding(nanoseconds: Int64(seconds) * 1_000_000_000)
            if boot >= closing {
                await connection.close()
                idleSince = nil
            } else {
                deadline = min(deadline, closing)
            }
        }
        await bell.wait(until: deadline, clocks: context.clocks)
    }

    /// Waits until it is time to take the message up, then does so.
    private func serve(_ due: DueDelivery) async {
        let now = context.clocks.boot
        let slot = pacer.slot(now: now)
        let lead = min(2 * preparation + 30_000_000, RelayLane.longestLead)
        let begin = slot.adding(nanoseconds: -lead)
        guard now >= begin else {
            let seconds = Int64(configuration.relays[name]?.idleSeconds ?? 15)
            if idleSince != nil, begin.nanoseconds - now.nanoseconds > seconds * 1_000_000_000 {
                await connection.close()
                idleSince = nil
            }
            let limit = now.adding(nanoseconds: 30_000_000_000)
            return await bell.wait(until: min(begin, limit), clocks: context.clocks)
        }
        do {
            let prepared = try await library.campaign(due.job)
            let made = try MessageMaker(key: context.ledger.key).make(due, prepared, configuration: configuration)
            try await attempt(due, made, began: now)
        } catch let error as LedgerError {
            await ledgerTrouble(error)
        } catch let error as ComposeError {
            await withhold(due, because: error)
        } catch {
            await pause(due.campaign, job: due.job, because: "its messages cannot be made: \(error)")
        }
    }

    private func attempt(_ due: DueDelivery, _ made: MessageMaker.Made, began: BootInstant) async throws(LedgerError) {
        switch await connection.open() {
        case .ready(let fresh):
            if fresh {
                backoff.succeeded()
                context.progress.trouble(name, nil)
            }
        case .refused(let phase, let reply):
            return try await refused(due, phase: phase, reply: reply)
        case .failed(let phase, let why):
            return routeTrouble("\(phase.rawValue): \(why)")
        }
        switch await connection.offer(made.envelope, message: made.message) {
        case .armed: break
        case .refused(let phase, let reply):
            idleSince = context.clocks.boot
            return try await refused(due, phase: phase, reply: reply)
        case .lost(let phase, let why):
            return routeTrouble("\(phase.rawValue): \(why)")
        }
        let spent = context.clocks.boot.nanoseconds - began.nanoseconds
        preparation = (3 * preparation + spent) / 4
        try await handOver(due, made)
    }

    /// From here on the message is complete at the relay but for its dot.
    private func handOver(_ due: DueDelivery, _ made: MessageMaker.Made) async throws(LedgerError) {
        let overallSlot = await overall.enter(now: { [clocks = context.clocks] in clocks.boot })
        let now = context.clocks.boot
        let slot = max(pacer.slot(now: now), overallSlot ?? now)
        await sleep(until: slot.adding(nanoseconds: -RelayLane.commitLead))
        guard !stop.isSet, await records.isOpen else {
            if overallSlot != nil { await overall.leave(writtenAt: nil) }
            return await connection.close()
        }
        let names = overallSlot == nil ? [name] : [name, OverallPace.name]
        let decision: Delivery.IntentDecision
        do throws(LedgerError) {
            decision = try await context.ledger.intend(
                delivery: due.id, messageID: made.messageID,
                slot: Pacer.StoredSlot(bootID: context.clocks.bootID, at: max(slot, context.clocks.boot)),
                relays: names, now: context.clocks.wall)
        } catch {
            if overallSlot != nil { await overall.leave(writtenAt: nil) }
            await connection.close()
            throw error
        }
        guard decision == .handOver else {
            if overallSlot != nil { await overall.leave(writtenAt: nil) }
            await connection.close()
            idleSince = nil
            return await noHandOver(due, decision)
        }
        await sleep(until: slot)
        context.progress.awaiting(name, true)
        let ended = await connection.handOver(written: { [overall] instant in
            if overallSlot != nil { Task { await overall.leave(writtenAt: instant) } }
        })
        context.progress.awaiting(name, false)
        await conclude(due, ended, relays: names, slot: slot)
    }

    /// Instant 3. What was heard is kept in memory until it is recorded, and no dot leaves before that.
    private func conclude(_ due: DueDelivery, _ ended: RelayHandOver, relays: [String], slot: BootInstant) async {
        turns.served(due.campaign)
        idleSince = context.clocks.boot
        var evidence = AttemptEvidence(reply: nil, peer: configuration.relays[name]?.url, writtenAt: ended.writtenAt)
        var reply: SMTPReply?
        let outcome: Outcome
        switch ended.ending {
        case .answered(let answer):
            reply = answer
            outcome = Outcome(phase: .dot, reply: answer)
            evidence.reply = answer.description
            evidence.enhanced = answer.enhanced?.description
            evidence.queueID = answer.queueID
            pacer.dotWritten(at: ended.writtenAt ?? context.clocks.boot)
        case .silent(let why):
            outcome = .uncertain
            evidence.reply = why
            pacer.dotWritten(at: ended.writtenAt ?? context.clocks.boot)
            idleSince = nil
        case .notWritten(let why):
            outcome = .routeTrouble
            evidence.reply = why
            idleSince = nil
        }
        await record(due, outcome, evidence, relays: relays)
        if case .notWritten(let why) = ended.ending { routeTrouble(why) }
        if outcome == .sent { context.progress.counted() }
        let detail = evidence.reply ?? ""
        context.journal.delivered(due, relay: name, outcome: outcome, reply: reply, detail: detail)
        await note(due, outcome, detail: detail)
    }

    /// A refusal before the dot.
    private func refused(_ due: DueDelivery, phase: SMTPPhase, reply: SMTPReply) async throws(LedgerError) {
        let outcome = Outcome(phase: phase, reply: reply)
        // A refused attempt takes its slot too: a bad list must not hammer the relay.
        pacer.dotWritten(at: context.clocks.boot)
        turns.served(due.campaign)
        let detail = "\(phase.rawValue): \(reply)"
        context.journal.delivered(due, relay: name, outcome: outcome, reply: reply, detail: detail)
        if outcome == .routeTrouble { return routeTrouble(detail) }
        let evidence = AttemptEvidence(
            reply: reply.description, enhanced: reply.enhanced?.description, peer: configuration.relays[name]?.url)
        try await context.ledger.conclude(
            delivery: due.id, outcome: outcome, evidence: evidence, relays: [], bootID: context.clocks.bootID,
            retries: configuration.retries, now: context.clocks.wall)
        await note(due, outcome, detail: detail)
    }

    /// Records until it is recorded; the gate keeps all dots back meanwhile.
    private func record(
        _ due: DueDelivery, _ outcome: Outcome, _ evidence: AttemptEvidence, relays: [String]
    ) async {
        var isShut = false
        while true {
            do throws(LedgerError) {
                try await context.ledger.conclude(
                    delivery: due.id, outcome: outcome, evidence: evidence, relays: relays,
                    bootID: context.clocks.bootID, retries: configuration.retries, now: context.clocks.wall)
                break
            } catch LedgerError.conflict(let what) {
                ledgerNote("delivery \(due.id) is not as it must be; its outcome was \(outcome.word): \(what)")
                break
            } catch {
                if !isShut {
                    isShut = true
                    await records.shut()
                    ledgerNote("the outcome of delivery \(due.id) cannot be recorded, so nothing is sent: \(error)")
                }
                context.progress.beat("relay \(name)", at: context.clocks.boot)
                // On the way out there is no more time: the next start calls it uncertain, which is true.
                if stop.isSet { break }
                await pauseBriefly()
            }
        }
        if isShut { await records.open() }
    }

    private func note(_ due: DueDelivery, _ outcome: Outcome, detail: String) async {
        var streak = streaks[due.campaign] ?? Streaks(uncertainLimit: configuration.pauseAfterUncertain)
        let because = streak.note(outcome, reply: detail)
        streaks[due.campaign] = streak
        if let because { await pause(due.campaign, job: due.job, because: because) }
        await keeper.touch(due.campaign)
    }

    /// Instant 2 decided against the dot: the connection was dropped without it.
    private func noHandOver(_ due: DueDelivery, _ decision: Delivery.IntentDecision) async {
        let detail: String
        switch decision {
        case .handOver, .leave: return
        case .withhold(let reason): detail = "withheld (\(reason.rawValue))"
        case .expire: detail = "expired"
        }
        context.journal.note(
            .info, .delivery, "\(detail): \(context.journal.shown(due.address))",
            ["CAMPAIGN": due.job.text, "DELIVERY": "\(due.id)", "RELAY": name, "OUTCOME": detail])
        await keeper.touch(due.campaign)
    }

    private func withhold(_ due: DueDelivery, because error: ComposeError) async {
        do throws(LedgerError) {
            try await context.ledger.withhold(delivery: due.id, reason: .missingField)
            let person = context.journal.shown(due.address)
            context.journal.note(
                .notice, .delivery, "withheld: no message can be made for \(person): \(error)",
                ["CAMPAIGN": due.job.text, "DELIVERY": "\(due.id)", "RELAY": name, "OUTCOME": "withheld"])
            await keeper.touch(due.campaign)
        } catch {
            await ledgerTrouble(error)
        }
    }

    private func pause(_ campaign: Int64, job: JobID, because: String) async {
        do throws(LedgerError) {
            guard try await context.ledger.pause(campaign: campaign, because: because) else { return }
            context.journal.note(
                .warning, .paused, "campaign \(job) is paused: \(because)", ["CAMPAIGN": job.text, "RELAY": name])
            await keeper.touch(campaign)
        } catch {
            await ledgerTrouble(error)
        }
    }

    private func routeTrouble(_ why: String) {
        idleSince = nil
        guard !stop.isSet else { return }
        let pause = backoff.failed()
        leaveAloneUntil = context.clocks.boot.adding(nanoseconds: pause)
        context.progress.trouble(name, why)
        context.journal.note(
            backoff.failures > 1 ? .info : .warning, .relayTrouble,
            "relay \(name) cannot be used (\(why)); trying again in \(pause / 1_000_000_000) s", ["RELAY": name])
    }

    private func ledgerTrouble(_ error: LedgerError) async {
        ledgerNote("\(error); nothing is sent meanwhile")
        await pauseBriefly()
    }

    private func ledgerNote(_ why: String) {
        context.journal.note(.error, .ledgerTrouble, why, ["RELAY": name])
    }

    private func pauseBriefly() async {
        await bell.wait(until: context.clocks.boot.adding(nanoseconds: 1_000_000_000), clocks: context.clocks)
    }

    /// Sleeps on, whatever rings, but not past a stop.
    private func sleep(until instant: BootInstant) async {
        while context.clocks.boot < instant, !stop.isSet {
            await bell.wait(until: instant, clocks: context.clocks)
        }
    }
}

/// Keeps all dots back while an outcome that was heard is not recorded yet.
actor RecordGate {
    private var unrecorded = 0
    private var waiters: [CheckedContinuation<Void, Never>] = []

    var isOpen: Bool { unrecorded == 0 }

    func shut() { unrecorded += 1 }

    func open() {
        unrecorded -= 1
        guard unrecorded == 0 else { return }
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    /// Returns when every outcome is recorded.
    func pass() async {
        guard unrecorded > 0 else { return }
        await withCheckedContinuation { waiters.append($0) }
    }
}

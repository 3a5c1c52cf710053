import Ledger
import Logging
import MIME
import Mailing
import Synchronization

extension RelayLane {
    /// A stop waits so long, in nanoseconds, for an outcome that was heard to be recorded.
    private static let lastTry: Int64 = 20_000_000_000

    /// Records until it is recorded; the gate keeps all dots back meanwhile.
    func record(_ due: DueDelivery, _ outcome: Outcome, _ evidence: AttemptEvidence, relays: [String]) async {
        var isShut = false
        var isRecorded = true
        var stoppedAt: BootInstant?
        while true {
            do throws(LedgerError) {
                try await context.ledger.conclude(
                    delivery: due.id, outcome: outcome, evidence: evidence, relays: relays,
                    bootID: context.clocks.bootID, retries: configuration.retries, now: context.clocks.wall,
                    attemptedBy: name)
                break
            } catch LedgerError.conflict(let what) {
                ledgerNote("delivery \(due.id) is not as it must be; its outcome was \(outcome.word): \(what)")
                break
            } catch {
                if !isShut {
                    isShut = true
                    records.shut()
                    await ledgerFails("the outcome of a delivery cannot be recorded: \(error)")
                    ledgerNote("the outcome of delivery \(due.id) cannot be recorded, so nothing is sent: \(error)")
                }
            }
            if context.stopping.isSet {
                let now = context.clocks.boot
                let since = stoppedAt ?? now
                stoppedAt = since
                // The next start calls it uncertain, which is true.
                if now.nanoseconds - since.nanoseconds > RelayLane.lastTry {
                    isRecorded = false
                    break
                }
            }
            await pauseBriefly()
        }
        if isShut {
            records.open()
            if isRecorded { await ledgerIsWell() }
        }
    }

    /// Tells the campaign's keeper, who knows what came in a row.
    func note(_ due: DueDelivery, _ outcome: Outcome, detail: String) async {
        if outcome == .uncertain || due.isInDoubt { context.doubts.ring() }
        if let because = await keeper.note(outcome, campaign: due.campaign, detail: detail) {
            await pause(due, because: because)
        }
        await keeper.touch(due.campaign)
    }

    /// Instant 2 decided against the dot: the connection was dropped without it.
    func noHandOver(_ due: DueDelivery, _ decision: Delivery.IntentDecision) async {
        let detail: String
        switch decision {
        case .handOver, .leave, .wait: return
        case .leaveInDoubt: detail = "stays uncertain: its key is not used once more"
        case .withhold(let reason): detail = "withheld (\(reason.rawValue))"
        case .expire: detail = "expired"
        }
        context.journal.note(
            .info, .delivery, "\(detail): \(context.journal.shown(due.address))",
            [
                "CAMPAIGN": due.job.text, "DELIVERY": "\(due.id)", "RELAY": name, "OUTCOME": detail,
                "RECIPIENT": context.journal.shown(due.address),
            ])
        await keeper.touch(due.campaign)
    }

    func withhold(_ due: DueDelivery, because error: ComposeError) async {
        do throws(LedgerError) {
            if due.isInDoubt {
                try await context.ledger.giveUp(
                    delivery: due.id, because: "no message can be made to repeat it: \(error)")
                return await noHandOver(due, .leaveInDoubt)
            }
            let reason: WithheldReason = if case .recipient = error { .invalidAddress } else { .missingField }
            try await context.ledger.withhold(delivery: due.id, reason: reason, detail: error.description)
            let person = context.journal.shown(due.address)
            context.journal.note(
                .notice, .delivery, "withheld: no message can be made for \(person): \(error)",
                [
                    "CAMPAIGN": due.job.text, "DELIVERY": "\(due.id)", "RELAY": name, "OUTCOME": "withheld",
                    "RECIPIENT": person,
                ])
            await keeper.touch(due.campaign)
        } catch {
            await ledgerTrouble(error)
        }
    }

    func pause(_ due: DueDelivery, because: String) async {
        do throws(LedgerError) {
            guard try await context.ledger.pause(campaign: due.campaign, because: because) else { return }
            context.journal.note(
                .warning, .paused, "campaign \(due.job) is paused: \(because)",
                ["CAMPAIGN": due.job.text, "RELAY": name])
            await keeper.touch(due.campaign)
        } catch {
            await ledgerTrouble(error)
        }
    }

    func ledgerTrouble(_ error: LedgerError) async {
        await ledgerFails("\(error)")
        ledgerNote("\(error); nothing is sent meanwhile")
        await pauseBriefly()
    }

    /// The status and the receipts say why nothing is sent.
    private func ledgerFails(_ why: String) async {
        if context.progress.ledgerTrouble(why) { await keeper.touchAll() }
    }

    func ledgerIsWell() async {
        guard context.progress.ledgerTrouble != nil, records.isOpen, context.progress.ledgerTrouble(nil) else {
            return
        }
        context.journal.note(.notice, .ledgerWorks, "the ledger can be used again; sending goes on")
        await keeper.touchAll()
    }

    private func ledgerNote(_ why: String) {
        context.journal.noteSeldom(.error, .ledgerTrouble, why, ["RELAY": name], now: context.clocks.boot)
    }

    /// Waits about a second.
    func pauseBriefly() async {
        context.progress.beat(loop, at: context.clocks.boot)
        let pause = Bell()
        await pause.wait(until: context.clocks.boot.adding(nanoseconds: 1_000_000_000), clocks: context.clocks)
    }
}

/// Keeps all dots back while an outcome that was heard is not recorded yet.
final class RecordGate: Sendable {
    private struct State {
        var unrecorded = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.unrecorded == 0 } }
    /// How many wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

    func shut() {
        state.withLock { $0.unrecorded += 1 }
    }

    func open() {
        let waiters = state.withLock { state in
            state.unrecorded -= 1
            guard state.unrecorded == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when every outcome is recorded.
    func pass() async {
        await withCheckedContinuation { waiter in
            let isOpen = state.withLock { state in
                if state.unrecorded > 0 { state.waiters.append(waiter) }
                return state.unrecorded == 0
            }
            if isOpen { waiter.resume() }
        }
    }
}

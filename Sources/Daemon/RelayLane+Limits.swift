import Ledger
import MIME
import Mailing

/// When a lane may send, and to whom.
extension RelayLane {
    /// Waits for the relay's window, or half a minute of it. Returns false, and does nothing, while it is open.
    func restWhileClosed(_ now: Timestamp) async -> Bool {
        guard let hours = settings?.hours, !hours.isOpen(at: now) else {
            context.progress.waits(loop, nil)
            return false
        }
        let opening = hours.opening(from: now)
        context.meters.due(name, slot: nil)
        context.progress.waits(loop, "relay \(name) waits for its window" + (opening.map { " until \($0)" } ?? ""))
        await rest(until: opening, now: now)
        return true
    }

    /// Takes the limits of single domains into force, as the configuration has them now.
    ///
    /// A domain that was not limited before may have got a message as lately as the relay sent any.
    func bringDomainsUpToDate() async throws(LedgerError) {
        let limits = settings?.domains ?? [:]
        guard !knowsDomains || limits != domains.rates else { return }
        try await context.ledger.forgetSlots(relay: name, exceptOf: Set(limits.keys))
        let last = try await context.ledger.storedSlot(relay: name)
        domains.keep(only: Set(limits.keys))
        for (domain, rate) in limits {
            guard domains[domain] == nil else {
                domains.change(domain, messagesPerHour: rate)
                continue
            }
            let slot = SlotClaim.name(relay: name, domain: domain)
            let own = try await context.ledger.storedSlot(relay: slot)
            let pacer = Pacer(
                messagesPerHour: rate, stored: own ?? last,
                wasInFlight: !knowsDomains && recovered.contains(own == nil ? name : slot),
                bootID: context.clocks.bootID, now: context.clocks.boot)
            domains.limit(domain, messagesPerHour: rate, pacer: pacer)
        }
        knowsDomains = true
    }

    /// From when on messages to limited domains may be taken up. One that is free by the relay's next slot is free.
    func domainLimits(_ now: Timestamp) -> DomainLimits {
        guard !domains.rates.isEmpty else { return DomainLimits() }
        let boot = context.clocks.boot
        let begin = boot.adding(nanoseconds: lead)
        let next = max(pacer.slot(now: boot), begin)
        return DomainLimits(
            free: domains.slots(now: boot).mapValues { slot in
                guard slot > next else { return now }
                let milliseconds = (slot.nanoseconds - begin.nanoseconds + 999_999) / 1_000_000
                return Timestamp(milliseconds: now.milliseconds + milliseconds)
            })
    }

    /// The earliest moment for the dot of a message.
    func slot(of due: DueDelivery) -> BootInstant {
        let now = context.clocks.boot
        return max(pacer.slot(now: now), domains[due.address.domain]?.slot(now: now) ?? now)
    }

    func claims(of due: DueDelivery) -> [SlotClaim] {
        let domain = due.address.domain
        let limit = domains[domain].map {
            SlotClaim(name: SlotClaim.name(relay: name, domain: domain), interval: $0.interval)
        }
        return [SlotClaim(name: name, interval: pacer.interval)] + [limit].compactMap { $0 }
    }

    /// A dot may have been written, or the relay was asked in vain.
    func tookSlot(_ due: DueDelivery, at moment: BootInstant) {
        pacer.dotWritten(at: moment)
        domains[due.address.domain]?.dotWritten(at: moment)
    }

    /// The record knows of a later dot: of the relay, which never is further away than its interval, or of the domain.
    func hold(_ due: DueDelivery, until: BootInstant) {
        pacer.hold(until: min(until, context.clocks.boot.adding(nanoseconds: pacer.interval)))
        domains[due.address.domain]?.hold(until: until)
    }

    /// A relay that has not taken a message up so long after it ought to have, in nanoseconds, keeps no other waiting.
    static let patience: Int64 = 5_000_000_000

    /// Waits for this relay's turn among all; nil if there is no limit over all relays, or if the lane is to end.
    ///
    /// - Parameter again: Whether the message is at the relay already, and waits for its dot.
    func overallTurn(again: Bool = false) async -> OverallTurn? {
        await resting(until: nil) {
            await overall.enter(as: name, again: again)
        }
    }

    /// Waits until it is time to commit the intent for a message that is at the relay.
    ///
    /// A reload may change the rates of the relay and of all relays meanwhile, so they are asked again until neither
    /// says to wait. That of a domain counts from the next message.
    ///
    /// - Parameter early: The turn that the lane had when it offered the message.
    /// - Returns: the moment for the dot, and the turn, nil if there is no limit over all relays. The lane may have to
    ///   end instead.
    func slotAndTurn(of due: DueDelivery, _ early: OverallTurn?) async -> (slot: BootInstant, turn: OverallTurn?) {
        var turn = early
        while true {
            if turn?.hasLeft ?? true, overall.interval != nil, isNear(slot(of: due)) {
                turn = await overallTurn(again: true)
            }
            let now = context.clocks.boot
            let own = slot(of: due)
            let slot = max(own, turn?.slot(now: now) ?? now)
            if isNear(slot) || isEnding.isSet { return (slot, turn) }
            // The relay was made slower: others go first.
            if own.nanoseconds - now.nanoseconds > RelayLane.sharedLead { turn?.leave(writtenAt: nil) }
            await sleep(until: slot.adding(nanoseconds: -RelayLane.commitLead))
        }
    }

    private func isNear(_ slot: BootInstant) -> Bool {
        context.clocks.boot >= slot.adding(nanoseconds: -RelayLane.commitLead)
    }

    /// Offers a message, and gives the turn away if the relay takes too long: it is asked for once more before the dot.
    func offer(_ made: MessageMaker.Made, turn: OverallTurn?) async -> RelayOffer {
        guard let turn else { return await connection.offer(made.envelope, message: made.message) }
        let end = context.clocks.boot.adding(nanoseconds: lead + RelayLane.patience)
        return await withTaskGroup(of: Void.self) { group in
            group.addTask { [clocks = context.clocks] in
                do {
                    try await clocks.sleep(until: end)
                } catch {
                    return
                }
                turn.leave(writtenAt: nil)
            }
            defer { group.cancelAll() }
            return await connection.offer(made.envelope, message: made.message)
        }
    }
}

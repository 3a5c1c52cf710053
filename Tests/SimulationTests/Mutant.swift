import Foundation
import GRDB
import Mailing

/// A daemon that is wrong on purpose, to show that the sweep finds it.
enum Mutant: String, Sendable, CaseIterable {
    /// Takes what was in flight for unsent at the start.
    case recoveryRequeues
    /// Instant 2 does not ask for consent.
    case consentIsNotAsked
    /// The slot of the last dot is forgotten, and not asked for in instant 2.
    case slotIsForgotten
    /// The dot leaves before the intent is committed.
    case dotBeforeCommit
    /// Silence after the dot is taken for a refusal, as other mailers do.
    case silenceIsRetried
    /// A 4yz to the dot is taken for good.
    case refusalIsSent
    /// A 2yz to the dot is not believed.
    case successIsDoubted
    /// Instant 2 takes everybody for somebody who refused.
    case everybodyIsWithheld
    /// Instant 2 does not look whether the campaign still runs.
    case pauseIsIgnored
    /// Instant 2 does not look whether the windows are still open.
    case windowIsIgnored
    /// Instant 2 does not look whether the message was given to another relay.
    case routeIsIgnored
    /// The configuration is read without the limits of domains.
    case domainLimitIsNotKnown
    /// The slots of domains are forgotten with a restart.
    case domainLimitIsForgotten
    /// A reroute takes what the relay has accepted, has not answered yet, or left in doubt; or not all that waits.
    case sentIsRerouted, inFlightIsRerouted, doubtIsRerouted, rowsAreLeftBehind

    /// In which small worlds it is to be found.
    var scenarios: [String] {
        switch self {
        case .windowIsIgnored: ["windows"]
        case .domainLimitIsForgotten: ["moved"]
        case .routeIsIgnored, .domainLimitIsNotKnown, .sentIsRerouted, .inFlightIsRerouted,
            .doubtIsRerouted, .rowsAreLeftBehind:
            ["rerouted"]
        default: ["mixed", "eventful"]
        }
    }

    /// What the judge has to say of it: another failure may have another reason.
    var words: String {
        switch self {
        case .recoveryRequeues, .dotBeforeCommit, .silenceIsRetried, .sentIsRerouted, .inFlightIsRerouted,
            .doubtIsRerouted:
            "double: "
        case .consentIsNotAsked: "after the withdrawal"
        case .slotIsForgotten, .domainLimitIsNotKnown, .domainLimitIsForgotten: " ms apart"
        case .refusalIsSent: " is sent in "
        case .successIsDoubted: " is uncertain in "
        case .everybodyIsWithheld: " is withheld in "
        case .pauseIsIgnored: " after its pause"
        case .windowIsIgnored: "outside of the window"
        case .routeIsIgnored, .rowsAreLeftBehind: " after that was rerouted"
        }
    }

    var isEarly: Bool { self == .dotBeforeCommit }

    var rules: HandOverRules {
        switch self {
        case .recoveryRequeues:
            HandOverRules(recover: { delivery in
                delivery = Delivery(state: .queued, attempts: delivery.attempts, notBefore: delivery.notBefore)
            })
        case .consentIsNotAsked: .asking { $0.objection = nil }
        case .pauseIsIgnored: .asking { $0.isRunning = true }
        case .windowIsIgnored: .asking { $0.isOpen = true }
        case .routeIsIgnored: .asking { $0.isOfRelay = true }
        case .domainLimitIsForgotten:
            HandOverRules(remembered: { name, slot in
                guard let slot, name.contains("/") else { return slot }
                return Pacer.StoredSlot(bootID: slot.bootID, at: BootInstant(nanoseconds: 0))
            })
        case .slotIsForgotten: HandOverRules(remembered: { _, _ in nil })
        case .dotBeforeCommit, .domainLimitIsNotKnown, .sentIsRerouted, .inFlightIsRerouted, .doubtIsRerouted,
            .rowsAreLeftBehind:
            HandOverRules()
        case .successIsDoubted:
            HandOverRules(conclude: { delivery, outcome, now, retries in
                delivery.conclude(outcome == .sent ? .uncertain : outcome, now: now, retries: retries)
            })
        case .everybodyIsWithheld: .asking { $0.objection = .refused }
        case .silenceIsRetried:
            HandOverRules(conclude: { delivery, outcome, now, retries in
                let taken: Outcome = outcome == .uncertain ? .deferred(isGreylisting: true) : outcome
                delivery.conclude(taken, now: now, retries: retries)
            })
        case .refusalIsSent:
            HandOverRules(conclude: { delivery, outcome, now, retries in
                let isRefusal = if case .deferred = outcome { true } else { false }
                let taken: Outcome = isRefusal && delivery.state == .inFlight ? .sent : outcome
                delivery.conclude(taken, now: now, retries: retries)
            })
        }
    }

    /// Works on the ledger before a message is rerouted: what guards it is gone, and the reroute does more, or less.
    func sabotage(ledger: String) throws {
        func taking(_ state: String) -> String {
            """
            AFTER UPDATE OF relay ON deliveries WHEN NEW.relay <> OLD.relay
            BEGIN
              UPDATE deliveries SET relay = NEW.relay, state = 'queued', sent_at = NULL
              WHERE campaign = NEW.campaign AND relay = OLD.relay AND state = '\(state)';
            END
            """
        }
        let trigger: String
        switch self {
        case .sentIsRerouted: trigger = taking("sent")
        case .inFlightIsRerouted: trigger = taking("inFlight")
        case .doubtIsRerouted: trigger = taking("uncertain")
        case .rowsAreLeftBehind:
            trigger = "BEFORE UPDATE OF relay ON deliveries WHEN NEW.id % 3 = 0 BEGIN SELECT RAISE(IGNORE); END"
        default: return
        }
        guard FileManager.default.fileExists(atPath: ledger) else { return }
        try DatabaseQueue(path: ledger).write { database in
            guard try database.tableExists("deliveries") else { return }
            for guardian in ["only_what_waits_changes_its_relay", "closed_is_final", "doubt_is_settled_by_evidence"] {
                try database.execute(sql: "DROP TRIGGER IF EXISTS \(guardian)")
            }
            try database.execute(sql: "DROP TRIGGER IF EXISTS sabotage; CREATE TRIGGER sabotage \(trigger)")
        }
    }
}

extension HandOverRules {
    /// Instant 2 with a question that is not the one that was asked.
    fileprivate static func asking(_ change: @escaping @Sendable (inout Delivery.IntentQuestion) -> Void) -> Self {
        HandOverRules(intend: { delivery, question in
            var question = question
            change(&question)
            return delivery.intend(question)
        })
    }
}

/// How a doubt ends.
package enum Settlement: String, Hashable, Sendable, CaseIterable {
    /// It was handed over. Closed for good.
    case sent
    /// It was not: back to the queue.
    case resend
}

/// What a doubt was settled by; kept for ever.
package struct SettlementEvidence: Hashable, Sendable {
    /// Who or what gave it.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A person, with a reason.
        case person
        /// The journal of the local Postfix.
        case journal
        /// A message that came back to the return path of this one delivery.
        case bounce
    }

    package var kind: Kind
    /// In words: the reason, or the lines that prove it.
    package var text: String
    /// Under which the relay had the message.
    package var queueID: String?
    /// The control job that asked for it.
    package var job: JobID?

    package init(kind: Kind, text: String, queueID: String? = nil, job: JobID? = nil) {
        self.kind = kind
        self.text = text
        self.queueID = queueID
        self.job = job
    }
}

/// The decisions that are taken inside the ledger's transactions, and the one before the first dot after a start.
///
/// They are one value, so that a test can build a ledger on a wrong rule and see that it is found out.
package struct HandOverRules: Sendable {
    /// At start, for each delivery that was in flight.
    package var recover: @Sendable (inout Delivery) -> Void
    /// Instant 2.
    package var intend: @Sendable (inout Delivery, Delivery.IntentQuestion) -> Delivery.IntentDecision
    /// Instant 3.
    package var conclude: @Sendable (inout Delivery, Outcome, Timestamp, RetrySchedule) -> Void
    /// The last slot that counts, of the one that is stored under a name: a relay's, one of its domains', or that of
    /// all relays together.
    package var remembered: @Sendable (String, Pacer.StoredSlot?) -> Pacer.StoredSlot?

    package init(
        recover: @escaping @Sendable (inout Delivery) -> Void = { $0.recover() },
        intend: @escaping @Sendable (inout Delivery, Delivery.IntentQuestion) -> Delivery.IntentDecision = {
            $0.intend($1)
        },
        conclude: @escaping @Sendable (inout Delivery, Outcome, Timestamp, RetrySchedule) -> Void = {
            $0.conclude($1, now: $2, retries: $3)
        },
        remembered: @escaping @Sendable (String, Pacer.StoredSlot?) -> Pacer.StoredSlot? = { $1 }
    ) {
        self.recover = recover
        self.intend = intend
        self.conclude = conclude
        self.remembered = remembered
    }
}

/// Why a recipient gets no message.
package enum WithheldReason: String, Hashable, Sendable, CaseIterable {
    case notAsked
    case awaiting
    case refused
    /// In a list, but not a registered contact.
    case external
    case suppressed
    /// The same person stood earlier in the recipients.
    case duplicate
    case invalidAddress
    /// A template variable has no value for this recipient.
    case missingField
}

/// One message to one person.
///
/// Every event is a mutating function that returns what the caller has to write down; the ledger's schema holds the
/// same rules again. There is no way from a closed state to another one.
package struct Delivery: Hashable, Sendable {
    package enum State: String, Hashable, Sendable, CaseIterable {
        /// Not handed over. Can become: inFlight, bounced, withheld, expired, cancelled.
        case queued
        /// The intent is durable; the dot may have left. Can become: sent, bounced, queued, uncertain.
        case inFlight
        /// A 2yz answered the dot. Closed.
        case sent
        /// Refused for good. Closed.
        case bounced
        /// Nobody knows. Can become: sent or queued, by evidence or by a person with a reason; inFlight once more under
        /// the idempotency key of the first hand-over, where the relay knows such keys.
        case uncertain
        /// Never to be sent, see the reason. Closed.
        case withheld
        /// Not handed over in time. Closed.
        case expired
        /// The campaign was cancelled. Closed.
        case cancelled

        package var isClosed: Bool {
            switch self {
            case .queued, .inFlight, .uncertain: false
            case .sent, .bounced, .withheld, .expired, .cancelled: true
            }
        }
    }

    /// Seconds for which a message over which a connection was lost lets others go first.
    package static let stumblePause: Int64 = 60

    package private(set) var state: State
    /// Attempts that cost the recipient a turn: answered with 4yz. Route trouble costs none.
    package private(set) var attempts: Int
    /// Not to be tried before.
    package private(set) var notBefore: Timestamp
    /// Until when the relay knows the idempotency key of the first hand-over; nil if it was handed over without one.
    package let keyUntil: Timestamp?
    /// It is handed over once more under its key while in doubt: only a 2yz proves anything then.
    package private(set) var isRepeating: Bool

    package init(
        state: State, attempts: Int, notBefore: Timestamp, keyUntil: Timestamp? = nil, isRepeating: Bool = false
    ) {
        self.state = state
        self.attempts = attempts
        self.notBefore = notBefore
        self.keyUntil = keyUntil
        self.isRepeating = isRepeating
    }

    /// What instant 2 decided inside its transaction.
    package enum IntentDecision: Hashable, Sendable {
        /// Recorded as in flight: once that is committed the dot may go.
        case handOver
        /// The person's will or a suppression stands against it.
        case withhold(WithheldReason)
        case expire
        /// Nothing changes; the connection is dropped without the dot.
        case leave
        /// Nothing changes: the slot is nearer to the dot before it than the limit allows.
        case wait(until: BootInstant)
        /// A delivery in doubt is not tried again under its key; the doubt stays.
        case leaveInDoubt
    }

    /// What instant 2 asks, all of it in its transaction.
    package struct IntentQuestion: Hashable, Sendable {
        package var now: Timestamp
        /// Whether the campaign is running at this moment.
        package var isRunning: Bool
        /// Whether it still goes by the relay that asks.
        package var isOfRelay: Bool
        /// Whether the windows of the campaign and of the relay are open at this moment.
        package var isOpen: Bool
        package var expires: Timestamp
        /// What stands against sending now.
        package var objection: WithheldReason?
        /// When the dot is to be written.
        package var slot: BootInstant
        /// No dot before, because of the one before it; nil if there was none.
        package var freeFrom: BootInstant?

        package init(
            now: Timestamp, isRunning: Bool, isOfRelay: Bool = true, isOpen: Bool = true, expires: Timestamp,
            objection: WithheldReason?, slot: BootInstant, freeFrom: BootInstant?
        ) {
            self.now = now
            self.isRunning = isRunning
            self.isOfRelay = isOfRelay
            self.isOpen = isOpen
            self.expires = expires
            self.objection = objection
            self.slot = slot
            self.freeFrom = freeFrom
        }
    }

    /// Instant 2: the last look before the dot.
    package mutating func intend(_ question: IntentQuestion) -> IntentDecision {
        if state == .uncertain { return intendOnceMore(question) }
        guard state == .queued, notBefore <= question.now else { return .leave }
        if let objection = question.objection {
            state = .withheld
            return .withhold(objection)
        }
        guard question.now < question.expires else {
            state = .expired
            return .expire
        }
        guard question.isRunning, question.isOfRelay, question.isOpen else { return .leave }
        if let freeFrom = question.freeFrom, question.slot < freeFrom { return .wait(until: freeFrom) }
        state = .inFlight
        return .handOver
    }

    /// Under a key that the relay still knows, a second hand-over cannot become a second message.
    private mutating func intendOnceMore(_ question: IntentQuestion) -> IntentDecision {
        guard let keyUntil, question.now < keyUntil, question.objection == nil, question.now < question.expires else {
            return .leaveInDoubt
        }
        guard notBefore <= question.now, question.isRunning, question.isOfRelay, question.isOpen else {
            return .leave
        }
        if let freeFrom = question.freeFrom, question.slot < freeFrom { return .wait(until: freeFrom) }
        state = .inFlight
        isRepeating = true
        return .handOver
    }

    /// Instant 3, or a failure before the dot.
    package mutating func conclude(_ outcome: Outcome, now: Timestamp, retries: RetrySchedule) {
        if state == .uncertain || (isRepeating && outcome != .sent) {
            precondition(
                state == .inFlight || (outcome != .sent && outcome != .uncertain), "no second dot without an intent")
            return remainInDoubt(now: now, retries: retries)
        }
        isRepeating = false
        switch outcome {
        case .sent:
            precondition(state == .inFlight, "only what was handed over can be sent")
            state = .sent
        case .bounced:
            precondition(state == .inFlight || state == .queued, "a closed delivery cannot bounce")
            state = .bounced
        case .deferred(let isGreylisting):
            precondition(state == .inFlight || state == .queued, "a closed delivery cannot be deferred")
            attempts += 1
            state = .queued
            notBefore = now.adding(seconds: retries.delay(afterAttempt: attempts, isGreylisting: isGreylisting))
        case .policyRefusal:
            precondition(state == .inFlight || state == .queued, "a closed delivery cannot be refused")
            state = .queued
            notBefore = now.adding(seconds: retries.delay(afterAttempt: 1, isGreylisting: false))
        case .routeTrouble:
            precondition(state == .inFlight || state == .queued, "a closed delivery has no route")
            state = .queued
            // No attempt is counted; but if it is this message that breaks the connection, others shall go first.
            notBefore = max(notBefore, now.adding(seconds: Delivery.stumblePause))
        case .senderTrouble:
            precondition(state == .inFlight || state == .queued, "a closed delivery has no sender")
            state = .queued
        case .uncertain:
            precondition(state == .inFlight, "doubt begins with the dot")
            state = .uncertain
        }
    }

    /// A refusal under the key says nothing of the first hand-over.
    private mutating func remainInDoubt(now: Timestamp, retries: RetrySchedule) {
        isRepeating = false
        attempts += 1
        state = .uncertain
        notBefore = now.adding(seconds: retries.delay(afterAttempt: attempts, isGreylisting: false))
    }

    /// At start: whatever was in flight is in doubt. That is the whole recovery.
    package mutating func recover() {
        guard state == .inFlight else { return }
        state = .uncertain
        isRepeating = false
    }

    /// Not a byte of the dot was written: everything is as before instant 2.
    package mutating func takeBack() {
        precondition(state == .inFlight, "only an intent is taken back")
        state = isRepeating ? .uncertain : .queued
        isRepeating = false
    }

    /// Ends a doubt by evidence, or by a person's word. Returns false, and does nothing, where there is no doubt.
    package mutating func settle(_ settlement: Settlement) -> Bool {
        guard state == .uncertain else { return false }
        switch settlement {
        case .sent:
            state = .sent
        case .resend:
            state = .queued
            notBefore = Timestamp(milliseconds: 0)
        }
        return true
    }
}

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
        /// Nobody knows. Can become: sent or queued, by evidence or by a person with a reason.
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

    package init(state: State, attempts: Int, notBefore: Timestamp) {
        self.state = state
        self.attempts = attempts
        self.notBefore = notBefore
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
    }

    /// Instant 2: the last look before the dot.
    ///
    /// - Parameters:
    ///   - isRunning: Whether the campaign is running at this moment.
    ///   - objection: What stands against sending now, asked in the same transaction.
    package mutating func intend(
        now: Timestamp, isRunning: Bool, expires: Timestamp, objection: WithheldReason?
    ) -> IntentDecision {
        guard state == .queued, notBefore <= now else { return .leave }
        if let objection {
            state = .withheld
            return .withhold(objection)
        }
        guard now < expires else {
            state = .expired
            return .expire
        }
        guard isRunning else { return .leave }
        state = .inFlight
        return .handOver
    }

    /// Instant 3, or a failure before the dot.
    package mutating func conclude(_ outcome: Outcome, now: Timestamp, retries: RetrySchedule) {
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

    /// At start: whatever was in flight is in doubt. That is the whole recovery.
    package mutating func recover() {
        if state == .inFlight { state = .uncertain }
    }
}

/// The answer to a drop: written at once, replaced as things change, derived from the ledger.
package struct Receipt: Hashable, Sendable {
    package enum State: String, Hashable, Sendable, CaseIterable {
        case rejected
        /// Accepted; the plan is not committed yet.
        case planned
        /// Waits for approval.
        case held
        /// Waits for its `sendAfter`.
        case scheduled
        /// Due, whether or not its relay can be reached.
        case running
        case paused
        /// Nothing is queued or in flight.
        case finished
        case cancelled
        case expired

        /// Whether nothing more will happen to the job by itself.
        package var isFinal: Bool {
            switch self {
            case .rejected, .finished, .cancelled, .expired: true
            case .planned, .held, .scheduled, .running, .paused: false
            }
        }
    }

    /// How many recipients are in each state. Their sum is `recipients`.
    package struct Counts: Hashable, Sendable {
        package var recipients = 0
        package var queued = 0
        package var inFlight = 0
        package var sent = 0
        package var bounced = 0
        package var uncertain = 0
        package var withheld = 0
        package var expired = 0
        package var cancelled = 0

        package init() {}
    }

    /// The job's id; nil if the drop was so broken that it has none.
    package var job: String?
    package var kind: String?
    package var state: State
    package var acceptedAt: Timestamp?
    package var sha256: String?
    /// How often the same drop came again.
    package var repeats = 0
    package var errors: [JobError] = []
    package var warnings: [String] = []
    /// For campaigns; contacts jobs count their rows in `contacts`.
    package var counts: Counts?
    /// Withheld recipients by reason.
    package var withheld: [String: Int] = [:]
    /// Recipients by consent status, `external` among them.
    package var consent: [String: Int] = [:]
    /// For contacts and consent jobs: what became of their rows, by a word for it.
    package var registered: [String: Int] = [:]
    package var firstSentAt: Timestamp?
    package var lastSentAt: Timestamp?
    package var estimatedFinish: Timestamp?
    package var pausedBecause: String?
    /// For a drop whose job came before under another name: where that receipt is.
    package var firstReceipt: String?

    package init(job: String?, kind: String?, state: State) {
        self.job = job
        self.kind = kind
        self.state = state
    }
}

/// One line of recipients.csv.
package struct RecipientRecord: Hashable, Sendable {
    package var address: String
    package var state: String
    package var reason: String?
    package var reply: String?
    package var sentAt: Timestamp?
    package var messageID: String?
    /// Number in the ledger of the consent event that was relied on.
    package var consentEvent: Int64?

    package init(
        address: String, state: String, reason: String?, reply: String?, sentAt: Timestamp?, messageID: String?,
        consentEvent: Int64?
    ) {
        self.address = address
        self.state = state
        self.reason = reason
        self.reply = reply
        self.sentAt = sentAt
        self.messageID = messageID
        self.consentEvent = consentEvent
    }
}

/// What is known of one person's will about one purpose.
package enum ConsentStatus: String, Hashable, Sendable, CaseIterable {
    /// Nobody asked. Can become: awaiting, accepted, refused.
    case notAsked
    /// Asked, no answer yet. Can become: accepted, refused.
    case awaiting
    /// Said yes. Can become: refused.
    case accepted
    /// Said no, or withdrew. Can become accepted only by the person's own act.
    case refused
}

/// One entry of the append-only chain from which the status is derived.
package struct ConsentEvent: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case requested
        case accepted
        case refused
        case withdrawn
        case imported
        case renewed
        case erased
    }

    /// Who brought the event about.
    package enum Actor: String, Hashable, Sendable, CaseIterable {
        case recipient
        case `operator`
        case `import`
        case system
    }

    package var kind: Kind
    package var by: Actor
    /// When it is said to have happened.
    package var at: Timestamp
    /// When it reached the ledger.
    package var recordedAt: Timestamp

    package init(kind: Kind, by: Actor, at: Timestamp, recordedAt: Timestamp) {
        self.kind = kind
        self.by = by
        self.at = at
        self.recordedAt = recordedAt
    }
}

/// The will of one person about one purpose, as the events so far make it.
///
/// A refusal counts from its arrival; an acceptance only if it is dated after the refusal, and after a withdrawal or
/// refusal only if it is the recipient's own act.
package struct ConsentStanding: Hashable, Sendable {
    package private(set) var status: ConsentStatus
    /// When the latest refusal in force reached the ledger; nil unless the status is refused.
    package private(set) var refusedSince: Timestamp?

    package static let none = ConsentStanding(status: .notAsked, refusedSince: nil)

    /// A standing read back from storage.
    package init(status: ConsentStatus, refusedSince: Timestamp?) {
        self.status = status
        self.refusedSince = refusedSince
    }

    /// Takes one more event into account and tells whether the status changed by it.
    ///
    /// The event belongs in the chain either way: what was claimed, and had no effect, is part of the history.
    @discardableResult
    package mutating func apply(_ event: ConsentEvent) -> Bool {
        let before = status
        switch event.kind {
        case .refused, .withdrawn, .erased:
            refusedSince = max(event.recordedAt, refusedSince ?? event.recordedAt)
            status = .refused
        case .accepted, .imported, .renewed:
            if mayAccept(event) {
                status = .accepted
                refusedSince = nil
            }
        case .requested:
            if status == .notAsked { status = .awaiting }
        }
        return status != before
    }

    private func mayAccept(_ event: ConsentEvent) -> Bool {
        guard status == .refused else { return true }
        guard event.by == .recipient, event.kind != .imported, let refusedSince else { return false }
        // A date in the future would outlive every later refusal.
        return min(event.at, event.recordedAt) > refusedSince
    }
}

/// What the ledger knows of a person at the moment of asking.
package struct RecipientStanding: Hashable, Sendable {
    /// Whether the address is that of a registered contact.
    package var isContact: Bool
    package var status: ConsentStatus
    package var isSuppressed: Bool
    /// Whether a contact who was asked before may be asked again.
    package var isDueForRenewal: Bool

    package init(isContact: Bool, status: ConsentStatus, isSuppressed: Bool, isDueForRenewal: Bool = false) {
        self.isContact = isContact
        self.status = status
        self.isSuppressed = isSuppressed
        self.isDueForRenewal = isDueForRenewal
    }

    /// What stands against mailing this person on that basis; nil if nothing does.
    ///
    /// The same question is asked at expansion and again inside the transaction before the final dot.
    package func objection(basis: Campaign.Basis) -> WithheldReason? {
        if isSuppressed { return .suppressed }
        switch basis {
        case .service:
            return nil
        case .consent:
            guard isContact else { return .external }
            switch status {
            case .accepted: return nil
            case .refused: return .refused
            case .awaiting: return .awaiting
            case .notAsked: return .notAsked
            }
        case .consentRequest:
            guard isContact else { return .external }
            switch status {
            case .notAsked: return nil
            case .awaiting: return isDueForRenewal ? nil : .awaiting
            case .refused, .accepted: return .refused
            }
        }
    }

    /// The word under which the receipt counts this person.
    package var consentWord: String { isContact ? status.rawValue : "external" }
}

/// Test mail is for people of the house: objections of suppression hold, consent is not asked.
package enum TestMail {
    package static func objection(isSuppressed: Bool) -> WithheldReason? { isSuppressed ? .suppressed : nil }
}

/// Divides recipients among the relays of a campaign, one after another, so that each gets its even share.
package struct RelayRotation: Hashable, Sendable {
    package let relays: [String]
    private var next = 0

    package init(relays: [String]) {
        precondition(!relays.isEmpty, "a campaign has at least one relay")
        self.relays = relays
    }

    package mutating func take() -> String {
        defer { next = (next + 1) % relays.count }
        return relays[next]
    }
}

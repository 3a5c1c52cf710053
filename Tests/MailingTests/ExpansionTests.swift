import Mailing
import Testing

@Suite struct `What is known of a recipient` {
    /// Row: basis and status. Columns: what stands against mailing a contact; the same when due for renewal.
    static let table: [(Campaign.Basis, ConsentStatus, WithheldReason?, WithheldReason?)] = [
        (.consent, .notAsked, .notAsked, .notAsked),
        (.consent, .awaiting, .awaiting, .awaiting),
        (.consent, .accepted, nil, nil),
        (.consent, .refused, .refused, .refused),
        (.service, .notAsked, nil, nil),
        (.service, .awaiting, nil, nil),
        (.service, .accepted, nil, nil),
        (.service, .refused, nil, nil),
        (.consentRequest, .notAsked, nil, nil),
        (.consentRequest, .awaiting, .awaiting, nil),
        (.consentRequest, .refused, .refused, .refused),
    ]

    @Test func `stands against mailing a contact as the table says`() {
        for (basis, status, reason, whenDue) in Self.table {
            for (isDue, expected) in [(false, reason), (true, whenDue)] {
                let standing = RecipientStanding(
                    isContact: true, status: status, isSuppressed: false, isDueForRenewal: isDue)
                #expect(standing.objection(basis: basis) == expected, "\(basis), \(status), due \(isDue)")
            }
        }
    }

    @Test func `keeps a request for consent away from who gave it already`() {
        for isDue in [true, false] {
            let standing = RecipientStanding(
                isContact: true, status: .accepted, isSuppressed: false, isDueForRenewal: isDue)
            #expect(standing.objection(basis: .consentRequest) != nil)
        }
    }

    @Test(arguments: ConsentStatus.allCases) func `stands against all mail to a suppressed address`(
        status: ConsentStatus
    ) {
        for basis in Campaign.Basis.allCases {
            for isContact in [true, false] {
                let standing = RecipientStanding(isContact: isContact, status: status, isSuppressed: true)
                #expect(standing.objection(basis: basis) == .suppressed)
            }
        }
    }

    @Test(arguments: ConsentStatus.allCases) func `lets an external address have service mail only`(
        status: ConsentStatus
    ) {
        let standing = RecipientStanding(isContact: false, status: status, isSuppressed: false, isDueForRenewal: true)
        #expect(standing.objection(basis: .consent) == .external)
        #expect(standing.objection(basis: .consentRequest) == .external)
        #expect(standing.objection(basis: .service) == nil)
        #expect(standing.consentWord == "external")
    }

    @Test(arguments: ConsentStatus.allCases) func `is counted under its consent status`(status: ConsentStatus) {
        let standing = RecipientStanding(isContact: true, status: status, isSuppressed: false)
        #expect(standing.consentWord == status.rawValue)
    }

    @Test func `has a reason word for each way of being withheld`() {
        #expect(
            WithheldReason.allCases.map(\.rawValue) == [
                "notAsked", "awaiting", "refused", "external", "suppressed", "duplicate", "invalidAddress",
                "missingField",
            ])
    }
}

@Suite struct `Test mail` {
    @Test func `is kept from suppressed addresses and from nobody else`() {
        #expect(TestMail.objection(isSuppressed: true) == .suppressed)
        #expect(TestMail.objection(isSuppressed: false) == nil)
    }
}

@Suite struct `The relays of a campaign` {
    @Test func `get the recipients in turn`() {
        var rotation = RelayRotation(relays: ["a", "b", "c"])
        let taken = (0..<7).map { _ in rotation.take() }
        #expect(taken == ["a", "b", "c", "a", "b", "c", "a"])
    }

    @Test func `get shares that differ by at most one`() {
        for count in 1...7 {
            var rotation = RelayRotation(relays: (0..<count).map(String.init))
            var shares: [String: Int] = [:]
            for _ in 0..<100 { shares[rotation.take(), default: 0] += 1 }
            #expect(shares.count == count && (shares.values.max() ?? 0) - (shares.values.min() ?? 0) <= 1)
        }
    }

    @Test func `are at least one, or the program is wrong`() async {
        await #expect(processExitsWith: .failure) { _ = RelayRotation(relays: []) }
    }
}

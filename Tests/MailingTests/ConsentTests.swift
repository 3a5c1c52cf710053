import Mailing
import Testing

/// An event that arrives as the n-th does so at second n; it may be dated before, between or after the arrivals.
private struct Claim: CustomStringConvertible {
    var kind: ConsentEvent.Kind
    var by: ConsentEvent.Actor
    var tenthsOfASecond: Int64

    init(_ kind: ConsentEvent.Kind, _ by: ConsentEvent.Actor, at tenths: Int64) {
        self.kind = kind
        self.by = by
        tenthsOfASecond = tenths
    }

    func arriving(as number: Int) -> ConsentEvent {
        let date = Timestamp(milliseconds: tenthsOfASecond * 100)
        return ConsentEvent(kind: kind, by: by, at: date, recordedAt: seconds(Int64(number)))
    }

    var description: String { "\(kind) by \(by) dated \(tenthsOfASecond)/10" }
}

extension ConsentEvent {
    fileprivate var isNo: Bool { [.refused, .withdrawn, .erased].contains(kind) }
    fileprivate var isYes: Bool { [.accepted, .renewed, .imported].contains(kind) }
}

/// The rule of the design, written over the whole history at once instead of step by step.
private func will(_ history: [ConsentEvent]) -> ConsentStatus {
    guard let lastNo = history.lastIndex(where: \.isNo) else {
        if history.contains(where: \.isYes) { return .accepted }
        return history.contains { $0.kind == .requested } ? .awaiting : .notAsked
    }
    let undone = history[lastNo...].contains { event in
        event.by == .recipient && (event.kind == .accepted || event.kind == .renewed)
            && event.at > history[lastNo].recordedAt
    }
    return undone ? .accepted : .refused
}

private func standing(after history: [ConsentEvent]) -> ConsentStanding {
    var standing = ConsentStanding.none
    for event in history { standing.apply(event) }
    return standing
}

@Suite struct `A person's will about a purpose` {
    /// Every kind by everyone, dated long ago, between the second and the third arrival, and in the future.
    private static let everyClaim = ConsentEvent.Kind.allCases.flatMap { kind in
        ConsentEvent.Actor.allCases.flatMap { by in [5, 25, 90].map { Claim(kind, by, at: $0) } }
    }

    /// One of each sort that the rules tell apart.
    private static let tellingClaims: [Claim] = [
        Claim(.requested, .system, at: 90), Claim(.refused, .recipient, at: 5), Claim(.withdrawn, .operator, at: 90),
        Claim(.erased, .system, at: 5), Claim(.accepted, .recipient, at: 5), Claim(.accepted, .recipient, at: 15),
        Claim(.accepted, .recipient, at: 25), Claim(.accepted, .recipient, at: 35),
        Claim(.accepted, .recipient, at: 90), Claim(.renewed, .recipient, at: 25), Claim(.renewed, .system, at: 90),
        Claim(.accepted, .operator, at: 90), Claim(.accepted, .import, at: 90), Claim(.imported, .import, at: 90),
        Claim(.imported, .recipient, at: 90), Claim(.refused, .import, at: 15),
    ]

    private func compare(_ claims: [Claim]) {
        let history = claims.enumerated().map { $1.arriving(as: $0 + 1) }
        let result = standing(after: history)
        let expected = will(history)
        guard result.status != expected else { return }
        Issue.record("\(claims) makes \(result.status), not \(expected)")
    }

    @Test func `follows from its history in every case of up to four events`() {
        for length in 0...4 {
            for claims in sequences(of: Self.tellingClaims, length: length) { compare(claims) }
        }
    }

    @Test func `follows from its history for every pair of events by anyone, however dated`() {
        for length in 1...2 {
            for claims in sequences(of: Self.everyClaim, length: length) { compare(claims) }
        }
    }

    @Test func `once refused is never turned into consent by an import`() {
        let imports = Self.everyClaim.filter { $0.by == .import || $0.kind == .imported }
        for claims in sequences(of: Self.tellingClaims, length: 3) {
            let before = standing(after: claims.enumerated().map { $1.arriving(as: $0 + 1) })
            guard before.status == .refused else { continue }
            for claim in imports {
                var after = before
                after.apply(claim.arriving(as: 4))
                if after.status != .refused { Issue.record("\(claims) then \(claim) makes \(after.status)") }
            }
        }
    }

    @Test(arguments: ConsentEvent.Actor.allCases.filter { $0 != .recipient })
    func `once refused is turned into consent by nobody but the recipient`(actor: ConsentEvent.Actor) {
        for kind in ConsentEvent.Kind.allCases {
            var standing = ConsentStanding(status: .refused, refusedSince: seconds(1))
            let changed = standing.apply(ConsentEvent(kind: kind, by: actor, at: seconds(9), recordedAt: seconds(9)))
            #expect(standing.status == .refused && !changed, "\(kind)")
        }
    }

    @Test(arguments: [(9, .refused), (10, .refused), (11, .accepted)] as [(Int64, ConsentStatus)])
    func `is consent again only by an acceptance dated after the arrival of the refusal`(
        date: Int64, expected: ConsentStatus
    ) {
        var standing = ConsentStanding.none
        standing.apply(ConsentEvent(kind: .refused, by: .recipient, at: seconds(1), recordedAt: seconds(10)))
        standing.apply(ConsentEvent(kind: .accepted, by: .recipient, at: seconds(date), recordedAt: seconds(20)))
        #expect(standing.status == expected)
    }

    @Test func `stays refused whatever future date an acceptance carries that arrived no later than the refusal`() {
        for arrival in [5, 10] as [Int64] {
            var standing = ConsentStanding(status: .refused, refusedSince: seconds(10))
            standing.apply(ConsentEvent(kind: .accepted, by: .recipient, at: seconds(99), recordedAt: seconds(arrival)))
            #expect(standing.status == .refused)
        }
    }

    @Test func `counts from the latest of several refusals, also when the clock went back between them`() {
        for arrivals in [[10, 30], [30, 10]] as [[Int64]] {
            var standing = ConsentStanding.none
            for arrival in arrivals {
                let time = seconds(arrival)
                standing.apply(ConsentEvent(kind: .withdrawn, by: .recipient, at: seconds(1), recordedAt: time))
            }
            #expect(standing.refusedSince == seconds(30))
            standing.apply(ConsentEvent(kind: .accepted, by: .recipient, at: seconds(20), recordedAt: seconds(40)))
            #expect(standing.status == .refused)
        }
    }

    @Test func `is refused at once, whatever date the refusal carries`() {
        for date in [Int64.min / 2000, 0, Int64.max / 2000] {
            var standing = ConsentStanding(status: .accepted, refusedSince: nil)
            standing.apply(ConsentEvent(kind: .withdrawn, by: .operator, at: seconds(date), recordedAt: seconds(7)))
            #expect(standing == ConsentStanding(status: .refused, refusedSince: seconds(7)))
        }
    }

    @Test func `remembers no refusal once it is consent`() {
        var standing = ConsentStanding(status: .refused, refusedSince: seconds(1))
        standing.apply(ConsentEvent(kind: .accepted, by: .recipient, at: seconds(2), recordedAt: seconds(3)))
        #expect(standing == ConsentStanding(status: .accepted, refusedSince: nil))
    }

    @Test func `is refused, not asked again, when storage lost the date of the refusal`() {
        var standing = ConsentStanding(status: .refused, refusedSince: nil)
        standing.apply(ConsentEvent(kind: .accepted, by: .recipient, at: seconds(2), recordedAt: seconds(3)))
        #expect(standing.status == .refused)
    }

    @Test func `is not made doubtful again by being asked`() {
        for status in ConsentStatus.allCases where status != .notAsked {
            let before = ConsentStanding(status: status, refusedSince: status == .refused ? seconds(1) : nil)
            var standing = before
            let changed = standing.apply(
                ConsentEvent(kind: .requested, by: .system, at: seconds(9), recordedAt: seconds(9)))
            #expect(standing == before && !changed)
        }
    }

    @Test func `tells whether an event changed the status`() {
        var standing = ConsentStanding.none
        let kinds: [(ConsentEvent.Kind, Bool)] = [
            (.requested, true), (.requested, false), (.accepted, true), (.renewed, false), (.withdrawn, true),
            (.erased, false), (.accepted, true),
        ]
        for (number, (kind, changes)) in kinds.enumerated() {
            let time = seconds(Int64(number))
            let changed = standing.apply(ConsentEvent(kind: kind, by: .recipient, at: time, recordedAt: time))
            #expect(changed == changes, "\(kind) as number \(number)")
        }
    }
}

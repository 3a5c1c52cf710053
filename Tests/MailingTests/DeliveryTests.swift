import Mailing
import Testing

@Suite struct `A delivery` {
    static let now = seconds(1000)
    static let open: Set<Delivery.State> = [.queued, .inFlight]

    static func delivery(_ state: Delivery.State, attempts: Int = 0, notBefore: Timestamp = now) -> Delivery {
        Delivery(state: state, attempts: attempts, notBefore: notBefore)
    }

    /// What instant 2 asks; nothing of it stands against the dot unless it is said.
    static func question(
        _ moment: Timestamp = now, isRunning: Bool = true, expires: Timestamp = seconds(2000),
        objection: WithheldReason? = nil, slot: Int64 = 0, freeFrom: Int64? = nil
    ) -> Delivery.IntentQuestion {
        Delivery.IntentQuestion(
            now: moment, isRunning: isRunning, expires: expires, objection: objection,
            slot: BootInstant(nanoseconds: slot), freeFrom: freeFrom.map(BootInstant.init(nanoseconds:)))
    }

    /// Whether a state may hear of this outcome; anywhere else the program is wrong.
    static func isLegal(_ outcome: Outcome, in state: Delivery.State) -> Bool {
        switch outcome {
        case .sent, .uncertain: state == .inFlight
        default: open.contains(state) || state == .uncertain
        }
    }

    /// All that one event can make of a state.
    static func successors(of state: Delivery.State) -> Set<Delivery.State> {
        var found: Set<Delivery.State> = []
        for expires in [seconds(999), seconds(2000)] {
            for isRunning in [true, false] {
                for objection in [nil] + WithheldReason.allCases.map(Optional.some) {
                    var copy = delivery(state)
                    _ = copy.intend(question(now, isRunning: isRunning, expires: expires, objection: objection))
                    found.insert(copy.state)
                }
            }
        }
        for outcome in everyOutcome where isLegal(outcome, in: state) {
            var copy = delivery(state)
            copy.conclude(outcome, now: now, retries: .standard)
            found.insert(copy.state)
        }
        var copy = delivery(state)
        copy.recover()
        found.insert(copy.state)
        return found
    }

    @Test(
        arguments: [
            (.queued, [.queued, .inFlight, .bounced, .withheld, .expired]),
            (.inFlight, [.inFlight, .queued, .sent, .bounced, .uncertain]),
            (.sent, [.sent]), (.bounced, [.bounced]), (.uncertain, [.uncertain]), (.withheld, [.withheld]),
            (.expired, [.expired]), (.cancelled, [.cancelled]),
        ] as [(Delivery.State, Set<Delivery.State>)])
    func `can become by any event only what the diagram shows`(
        state: Delivery.State, becomes: Set<Delivery.State>
    ) {
        #expect(Self.successors(of: state) == becomes)
    }

    @Test func `is closed in every state that no event leaves, doubt excepted`() {
        for state in Delivery.State.allCases where state != .uncertain {
            #expect(state.isClosed == (Self.successors(of: state) == [state]))
        }
        #expect(!Delivery.State.uncertain.isClosed)
    }

    @Test func `can be in flight only by an intent`() {
        for state in Delivery.State.allCases where state != .inFlight && state != .queued {
            #expect(!Self.successors(of: state).contains(.inFlight))
        }
        for outcome in everyOutcome where Self.isLegal(outcome, in: .queued) {
            var delivery = Self.delivery(.queued)
            delivery.conclude(outcome, now: Self.now, retries: .standard)
            #expect(delivery.state != .inFlight)
        }
    }

    @Test(arguments: Delivery.State.allCases.filter { $0 != .queued })
    func `that is not queued can never be claimed again`(state: Delivery.State) {
        for objection in [nil, WithheldReason.refused] {
            var delivery = Self.delivery(state)
            let decision = delivery.intend(Self.question(objection: objection))
            #expect(decision == (state == .uncertain ? .leaveInDoubt : .leave))
            #expect(delivery == Self.delivery(state))
        }
    }

    @Test func `in doubt is never queued again by itself, not even by a restart`() {
        var delivery = Self.delivery(.inFlight)
        delivery.recover()
        delivery.recover()
        #expect(delivery.state == .uncertain)
        #expect(delivery.intend(Self.question()) == .leaveInDoubt)
        #expect(Self.successors(of: .uncertain) == [.uncertain])
    }

    /// The questions of instant 2 in their order: is it due, may it, is there time, is the campaign running.
    @Test(
        arguments: [
            (1001, 2000, true, nil, .leave, .queued),
            (1001, 2000, true, .refused, .leave, .queued),
            (1000, 2000, true, nil, .handOver, .inFlight),
            (999, 2000, true, nil, .handOver, .inFlight),
            (1000, 2000, true, .refused, .withhold(.refused), .withheld),
            (1000, 2000, false, .refused, .withhold(.refused), .withheld),
            (1000, 1000, true, .suppressed, .withhold(.suppressed), .withheld),
            (1000, 1000, true, nil, .expire, .expired),
            (1000, 1000, false, nil, .expire, .expired),
            (1000, 1001, true, nil, .handOver, .inFlight),
            (1000, 2000, false, nil, .leave, .queued),
        ] as [(Int64, Int64, Bool, WithheldReason?, Delivery.IntentDecision, Delivery.State)])
    func `is decided on at the last moment before the dot`(
        notBefore: Int64, expires: Int64, isRunning: Bool, objection: WithheldReason?,
        decision: Delivery.IntentDecision, state: Delivery.State
    ) {
        var delivery = Self.delivery(.queued, notBefore: seconds(notBefore))
        let result = delivery.intend(
            Self.question(isRunning: isRunning, expires: seconds(expires), objection: objection))
        #expect(result == decision)
        #expect(delivery.state == state)
    }

    @Test(arguments: [Delivery.State.queued, .uncertain])
    func `waits while a window is closed, and for the relay that it was given to`(state: Delivery.State) {
        var delivery = Delivery(state: state, attempts: 0, notBefore: seconds(0), keyUntil: seconds(9000))
        let before = delivery
        for (isOpen, isOfRelay) in [(false, true), (true, false), (false, false)] {
            var question = Self.question()
            (question.isOpen, question.isOfRelay) = (isOpen, isOfRelay)
            #expect(delivery.intend(question) == .leave)
            #expect(delivery == before)
        }
        #expect(delivery.intend(Self.question()) == .handOver)
    }

    @Test(arguments: WithheldReason.allCases) func `is handed over against no objection whatever`(
        objection: WithheldReason
    ) {
        for isRunning in [true, false] {
            for expires in [0, 1000, 2000] as [Int64] {
                var delivery = Self.delivery(.queued)
                let decision = delivery.intend(
                    Self.question(isRunning: isRunning, expires: seconds(expires), objection: objection))
                #expect(decision == .withhold(objection))
                #expect(delivery.state == .withheld)
            }
        }
    }

    /// From both open states: what it becomes, the attempts it costs, and the seconds until it is due again.
    @Test(
        arguments: [
            (.bounced(suppress: true), .bounced, 0, 0), (.bounced(suppress: false), .bounced, 0, 0),
            (.deferred(isGreylisting: false), .queued, 1, 1800), (.deferred(isGreylisting: true), .queued, 1, 600),
            (.policyRefusal, .queued, 0, 1800), (.routeTrouble, .queued, 0, 60), (.senderTrouble, .queued, 0, 0),
        ] as [(Outcome, Delivery.State, Int, Int64)])
    func `that was not sent pays an attempt only for a temporary refusal of its own`(
        outcome: Outcome, state: Delivery.State, attempts: Int, delay: Int64
    ) {
        for before in Self.open {
            var delivery = Self.delivery(before)
            delivery.conclude(outcome, now: Self.now, retries: .standard)
            #expect(delivery == Delivery(state: state, attempts: attempts, notBefore: seconds(1000 + delay)))
        }
    }

    @Test(arguments: [
        (Outcome.sent, Delivery.State.sent), (.uncertain, .uncertain), (.bounced(suppress: true), .bounced),
        (.deferred(isGreylisting: true), .queued), (.policyRefusal, .queued), (.routeTrouble, .queued),
        (.senderTrouble, .queued),
    ]) func `in flight becomes what the relay's answer proves, and uncertain without one`(
        outcome: Outcome, state: Delivery.State
    ) {
        var delivery = Self.delivery(.inFlight)
        delivery.conclude(outcome, now: Self.now, retries: .standard)
        #expect(delivery.state == state)
    }

    @Test func `that met route trouble lets others go first, and is not due sooner than it was`() {
        var delivery = Self.delivery(.inFlight, notBefore: seconds(5000))
        delivery.conclude(.routeTrouble, now: Self.now, retries: .standard)
        #expect(delivery.notBefore == seconds(5000))
    }

    @Test func `deferred again and again waits longer and longer and is not due before`() {
        var delivery = Self.delivery(.queued)
        var now = Self.now
        for delay in [1800, 3600, 7200, 10_800, 10_800, 10_800] as [Int64] {
            let due = delivery.intend(Self.question(now, expires: seconds(1 << 40)))
            #expect(due == .handOver)
            delivery.conclude(.deferred(isGreylisting: false), now: now, retries: .standard)
            let early = Timestamp(milliseconds: now.milliseconds + delay * 1000 - 1)
            let tooEarly = delivery.intend(Self.question(early, expires: seconds(1 << 40)))
            #expect(tooEarly == .leave)
            now = now.adding(seconds: delay)
        }
        #expect(delivery.attempts == 6)
    }

    @Test(arguments: [Outcome.sent, .uncertain], Delivery.State.allCases.filter { $0 != .inFlight })
    func `cannot be sent or in doubt without having been in flight, or the program is wrong`(
        outcome: Outcome, state: Delivery.State
    ) async {
        await #expect(processExitsWith: .failure) { [word = outcome.word as String, name = state.rawValue as String] in
            conclude(word, in: name)
        }
    }

    @Test(
        arguments: [
            Outcome.bounced(suppress: true), .deferred(isGreylisting: false), .policyRefusal, .routeTrouble,
            .senderTrouble,
        ], Delivery.State.allCases.filter(\.isClosed))
    func `that is closed hears of no outcome, or the program is wrong`(
        outcome: Outcome, state: Delivery.State
    ) async {
        await #expect(processExitsWith: .failure) { [word = outcome.word as String, name = state.rawValue as String] in
            conclude(word, in: name)
        }
    }
}

/// What runs in a process of its own, and must not come to its end. By words, because only what is Codable goes there.
private func conclude(_ word: String, in name: String) {
    guard let outcome = everyOutcome.first(where: { $0.word == word }), let state = Delivery.State(rawValue: name)
    else { return }
    var delivery = Delivery(state: state, attempts: 0, notBefore: seconds(0))
    delivery.conclude(outcome, now: seconds(0), retries: .standard)
}

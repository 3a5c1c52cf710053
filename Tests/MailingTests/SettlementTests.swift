import Testing

@testable import Mailing

/// How a doubt ends: by evidence, by a person's word, or by a second hand-over under the same key.
@Suite struct `A doubt` {
    private static let now = `A delivery`.now

    private static func doubt(keyUntil: Int64? = nil, notBefore: Int64 = 1000) -> Delivery {
        Delivery(
            state: .uncertain, attempts: 2, notBefore: seconds(notBefore), keyUntil: keyUntil.map(seconds))
    }

    @Test func `settled as sent is closed`() {
        var delivery = Self.doubt()
        let answers = [delivery.settle(.sent), delivery.settle(.resend)]
        #expect(answers == [true, false])
        #expect(delivery.state == .sent)
    }

    @Test func `settled for sending again is queued, and its turn is now`() {
        var delivery = Self.doubt(notBefore: 5000)
        let answers = [delivery.settle(.resend), delivery.settle(.sent)]
        #expect(answers == [true, false])
        #expect(delivery.state == .queued)
        #expect(delivery.notBefore == seconds(0))
    }

    @Test(arguments: Delivery.State.allCases.filter { $0 != .uncertain }, Settlement.allCases)
    func `that is none cannot be settled`(state: Delivery.State, settlement: Settlement) {
        var delivery = Delivery(state: state, attempts: 0, notBefore: Self.now)
        let before = delivery
        let isSettled = delivery.settle(settlement)
        #expect(!isSettled)
        #expect(delivery == before)
    }

    /// Key valid until, not before, expires, running, objection: what instant 2 decides at 1000.
    @Test(
        arguments: [
            (nil, 1000, 2000, true, nil, .leaveInDoubt),
            (1000, 1000, 2000, true, nil, .leaveInDoubt),
            (1001, 1000, 2000, true, nil, .handOver),
            (1001, 1001, 2000, true, nil, .leave),
            (1001, 1000, 2000, false, nil, .leave),
            (1001, 1000, 1000, true, nil, .leaveInDoubt),
            (1001, 1000, 2000, true, .refused, .leaveInDoubt),
            (1001, 1001, 2000, false, .suppressed, .leaveInDoubt),
        ] as [(Int64?, Int64, Int64, Bool, WithheldReason?, Delivery.IntentDecision)])
    func `is handed over once more only under a key that the relay still knows, to somebody who may be mailed`(
        keyUntil: Int64?, notBefore: Int64, expires: Int64, isRunning: Bool, objection: WithheldReason?,
        decision: Delivery.IntentDecision
    ) {
        var delivery = Self.doubt(keyUntil: keyUntil, notBefore: notBefore)
        let before = delivery
        let question = `A delivery`.question(isRunning: isRunning, expires: seconds(expires), objection: objection)
        #expect(delivery.intend(question) == decision)
        if decision == .handOver {
            #expect(delivery.state == .inFlight)
            #expect(delivery.isRepeating)
        } else {
            #expect(delivery == before)
        }
    }

    @Test(arguments: [
        Outcome.bounced(suppress: true), .deferred(isGreylisting: true), .policyRefusal, .routeTrouble, .uncertain,
    ])
    func `stays one when the second hand-over is refused or not answered`(outcome: Outcome) {
        var delivery = Self.doubt(keyUntil: 9000)
        #expect(delivery.intend(`A delivery`.question()) == .handOver)
        delivery.conclude(outcome, now: Self.now, retries: .standard)
        #expect(delivery.state == .uncertain)
        #expect(!delivery.isRepeating)
        #expect(delivery.attempts == 3)
        #expect(delivery.notBefore > Self.now)
    }

    @Test func `ends when the second hand-over is accepted`() {
        var delivery = Self.doubt(keyUntil: 9000)
        #expect(delivery.intend(`A delivery`.question()) == .handOver)
        delivery.conclude(.sent, now: Self.now, retries: .standard)
        #expect(delivery.state == .sent)
        #expect(!delivery.isRepeating)
    }

    @Test func `stays one when the second hand-over is taken back or cut off by a crash`() {
        var taken = Self.doubt(keyUntil: 9000)
        let before = taken
        #expect(taken.intend(`A delivery`.question()) == .handOver)
        var crashed = taken
        taken.takeBack()
        #expect(taken == before)
        crashed.recover()
        #expect(crashed == before)
    }

    @Test func `stays one when the relay fails before the second dot`() {
        for outcome in everyOutcome where `A delivery`.isLegal(outcome, in: .uncertain) {
            var delivery = Self.doubt(keyUntil: 9000)
            delivery.conclude(outcome, now: Self.now, retries: .standard)
            #expect(delivery.state == .uncertain, "\(outcome.word)")
            #expect(delivery.notBefore > Self.now)
        }
    }

    @Test func `is no matter of the rules of a hand-over that nothing changes`() {
        let rules = HandOverRules()
        var mine = Delivery(state: .queued, attempts: 0, notBefore: Self.now)
        var theirs = mine
        let question = `A delivery`.question()
        #expect(rules.intend(&theirs, question) == mine.intend(question))
        mine.recover()
        rules.recover(&theirs)
        #expect(theirs == mine)
        #expect(theirs.state == .uncertain)
        var concluded = Delivery(state: .inFlight, attempts: 0, notBefore: Self.now)
        rules.conclude(&concluded, .deferred(isGreylisting: true), Self.now, .standard)
        #expect(concluded == Delivery(state: .queued, attempts: 1, notBefore: seconds(1600)))
        let slot = Pacer.StoredSlot(bootID: BootID("4b1d"), at: BootInstant(nanoseconds: 7))
        #expect(rules.remembered("one", slot) == slot)
    }
}

@Suite struct `The slot` {
    @Test(arguments: [Delivery.State.queued, .uncertain])
    func `that is nearer to the last dot than the limit allows is waited for, and nothing changes`(
        state: Delivery.State
    ) {
        var delivery = Delivery(state: state, attempts: 0, notBefore: seconds(0), keyUntil: seconds(9000))
        let before = delivery
        #expect(
            delivery.intend(`A delivery`.question(slot: 99, freeFrom: 100))
                == .wait(until: BootInstant(nanoseconds: 100)))
        #expect(delivery == before)
        #expect(delivery.intend(`A delivery`.question(slot: 100, freeFrom: 100)) == .handOver)
    }

    @Test func `is asked for last: who may not be mailed is withheld, and what is too late expires, without waiting`() {
        for (question, decision) in [
            (
                `A delivery`.question(objection: .refused, slot: 1, freeFrom: 2),
                Delivery.IntentDecision.withhold(.refused)
            ),
            (`A delivery`.question(expires: seconds(1000), slot: 1, freeFrom: 2), .expire),
            (`A delivery`.question(isRunning: false, slot: 1, freeFrom: 2), .leave),
        ] {
            var delivery = Delivery(state: .queued, attempts: 0, notBefore: seconds(0))
            #expect(delivery.intend(question) == decision)
        }
    }
}

import Mailing
import Testing

/// Phases before a transaction or between two: what is refused there concerns the route.
private let routePhases: [SMTPPhase] = [.connect, .greeting, .hello, .encryption, .idle, .reset]

@Suite struct `The outcome of an attempt` {
    static let table: [(SMTPPhase, Int, String, Outcome)] = [
        // SMTP-05: any 2yz to the dot is acceptance.
        (.dot, 250, "2.0.0 queued as 4F3", .sent), (.dot, 251, "", .sent), (.dot, 252, "", .sent),
        (.dot, 299, "", .sent), (.dot, 250, "5.7.1 what", .sent),
        // 4yz defers, by itself or as greylisting.
        (.recipient, 450, "", .deferred(isGreylisting: true)),
        (.recipient, 451, "try later", .deferred(isGreylisting: true)),
        (.recipient, 450, "4.7.1 greylisted", .deferred(isGreylisting: true)),
        (.recipient, 450, "4.2.0 greylisted", .deferred(isGreylisting: true)),
        (.recipient, 450, "4.2.1 mailbox disabled", .deferred(isGreylisting: false)),
        (.recipient, 452, "", .deferred(isGreylisting: false)),
        (.recipient, 452, "4.2.2 mailbox full", .deferred(isGreylisting: false)),
        (.recipient, 451, "4.3.0 queue", .deferred(isGreylisting: false)),
        (.mail, 451, "4.3.0 later", .deferred(isGreylisting: false)),
        (.data, 451, "4.3.0 later", .deferred(isGreylisting: false)),
        (.dot, 451, "4.3.0 later", .deferred(isGreylisting: false)),
        (.dot, 452, "4.3.1 disk full", .deferred(isGreylisting: false)),
        // 421 is about the connection.
        (.mail, 421, "", .routeTrouble), (.recipient, 421, "4.7.0 too many", .routeTrouble),
        (.data, 421, "", .routeTrouble), (.dot, 421, "4.3.2 going down", .routeTrouble),
        // The sender's trouble.
        (.mail, 550, "5.7.1 not yours", .senderTrouble), (.mail, 553, "", .senderTrouble),
        (.recipient, 550, "5.1.8 sender", .senderTrouble), (.dot, 550, "5.1.7 sender", .senderTrouble),
        (.mail, 552, "5.3.4 too big", .senderTrouble), (.authentication, 535, "5.7.8 wrong password", .senderTrouble),
        (.authentication, 454, "4.7.0 later", .routeTrouble),
        // BNC-05: an address proven dead is suppressed.
        (.recipient, 550, "5.1.1 unknown", .bounced(suppress: true)),
        (.recipient, 550, "5.1.2 no such domain", .bounced(suppress: true)),
        (.recipient, 553, "5.1.3 bad syntax", .bounced(suppress: true)),
        (.recipient, 550, "5.1.6 moved", .bounced(suppress: true)),
        (.recipient, 556, "5.1.10 null MX", .bounced(suppress: true)),
        (.recipient, 550, "5.2.1 disabled", .bounced(suppress: true)),
        (.dot, 550, "5.1.1 unknown", .bounced(suppress: true)),
        // Refused for good, but nothing is proven about the address.
        (.recipient, 550, "no such user", .bounced(suppress: false)), (.recipient, 551, "", .bounced(suppress: false)),
        (.recipient, 552, "", .bounced(suppress: false)), (.recipient, 554, "", .bounced(suppress: false)),
        (.recipient, 552, "5.2.2 full", .bounced(suppress: false)),
        (.recipient, 550, "5.2.0 other", .bounced(suppress: false)),
        (.recipient, 552, "5.2.3 too long", .bounced(suppress: false)),
        (.recipient, 553, "5.6.7 needs SMTPUTF8", .bounced(suppress: false)),
        (.dot, 552, "5.3.4 too big", .bounced(suppress: false)),
        (.dot, 554, "5.6.0 content", .bounced(suppress: false)),
        (.dot, 550, "", .bounced(suppress: false)), (.dot, 554, "", .bounced(suppress: false)),
        (.data, 550, "", .bounced(suppress: false)), (.data, 554, "no valid recipients", .bounced(suppress: false)),
        // The relay's policy is nobody's fault but ours.
        (.recipient, 550, "5.7.1 relaying denied", .policyRefusal), (.recipient, 554, "5.7.1", .policyRefusal),
        (.data, 554, "5.7.1", .policyRefusal), (.dot, 550, "5.7.26 unauthenticated", .policyRefusal),
        (.dot, 550, "5.7.515 bulk", .policyRefusal), (.dot, 554, "5.7.0 spam", .policyRefusal),
    ]

    @Test(arguments: table) func `follows from where the relay said what`(
        phase: SMTPPhase, code: Int, text: String, expected: Outcome
    ) {
        #expect(Outcome(phase: phase, reply: reply(code, text)) == expected)
    }

    @Test func `is sent only by a positive reply to the dot`() {
        for phase in SMTPPhase.allCases {
            for code in 200...599 {
                let isSent = Outcome(phase: phase, reply: reply(code)) == .sent
                #expect(isSent == (phase == .dot && code < 300), "\(code) in \(phase)")
            }
        }
    }

    @Test func `is never queued again after a dot that was answered with neither yes nor no`() {
        for code in 300...399 { #expect(Outcome(phase: .dot, reply: reply(code)) == .uncertain) }
    }

    @Test func `suppresses nobody without an enhanced code that proves the address dead`() {
        for phase in SMTPPhase.allCases {
            for code in 200...599 {
                #expect(Outcome(phase: phase, reply: reply(code)) != .bounced(suppress: true), "\(code) in \(phase)")
            }
        }
    }

    @Test func `suppresses nobody by a policy, content or size code, whatever the reply code`() {
        let texts = ["5.7.0", "5.7.1", "5.7.26", "5.7.515", "5.6.0", "5.6.7", "5.3.4", "5.2.3", "5.2.2", "5.4.4"]
        for phase in SMTPPhase.allCases {
            for code in 500...599 {
                for text in texts {
                    #expect(Outcome(phase: phase, reply: reply(code, text)) != .bounced(suppress: true))
                }
            }
        }
    }

    @Test(arguments: routePhases) func `outside of a transaction is the route's trouble`(phase: SMTPPhase) {
        for code in 400...599 { #expect(Outcome(phase: phase, reply: reply(code)) == .routeTrouble) }
    }

    @Test func `has a word of its own, whatever the details`() {
        #expect(
            everyOutcome.map(\.word) == [
                "sent", "bounced", "bounced", "deferred", "deferred", "policyRefusal", "routeTrouble", "senderTrouble",
                "uncertain",
            ])
    }
}

@Suite struct `The retry schedule` {
    @Test(
        arguments: [(0, 1800), (1, 1800), (2, 3600), (3, 7200), (4, 10_800), (5, 10_800), (1000, 10_800)]
            as [(Int, Int64)])
    func `tries twice in the first hours and then every three (SMTP-07)`(attempt: Int, seconds: Int64) {
        #expect(RetrySchedule.standard.delay(afterAttempt: attempt, isGreylisting: false) == seconds)
    }

    @Test func `tries again sooner after greylisting, but only the first time`() {
        #expect(RetrySchedule.standard.delay(afterAttempt: 1, isGreylisting: true) == 600)
        #expect(RetrySchedule.standard.delay(afterAttempt: 2, isGreylisting: true) == 3600)
    }

    @Test func `never waits longer after greylisting than otherwise`() {
        let hasty = RetrySchedule(delays: [60], greylistingDelay: 600)
        #expect(hasty.delay(afterAttempt: 1, isGreylisting: true) == 60)
    }

    @Test func `has at least one delay, or the program is wrong`() async {
        await #expect(processExitsWith: .failure) { _ = RetrySchedule(delays: [], greylistingDelay: 1) }
    }
}

@Suite struct `A relay that cannot be reached` {
    @Test func `is left alone for one second, then twice as long each time, at most five minutes`() {
        var backoff = RelayBackoff()
        let pauses = (0..<12).map { _ in backoff.failed() / 1_000_000_000 }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300])
    }

    @Test func `is never left alone for longer than five minutes, however long it is away`() {
        var backoff = RelayBackoff()
        let pauses = (0..<10_000).map { _ in backoff.failed() / 1_000_000_000 }
        #expect(pauses.allSatisfy { (1...300).contains($0) })
    }

    @Test func `begins anew after a session that began well`() {
        var backoff = RelayBackoff()
        for _ in 0..<5 { _ = backoff.failed() }
        backoff.succeeded()
        #expect(backoff.failures == 0)
        let pause = backoff.failed()
        #expect(pause == 1_000_000_000)
    }
}

@Suite struct `Trouble in a row` {
    /// The numbers, from 1, of the outcomes after which the campaign was to be paused.
    static func pauses(_ outcomes: [Outcome], uncertainLimit: Int = 20) -> [Int] {
        var streaks = Streaks(uncertainLimit: uncertainLimit)
        return outcomes.enumerated().compactMap { number, outcome in
            streaks.note(outcome, reply: "550 no") == nil ? nil : number + 1
        }
    }

    static func times(_ count: Int, _ outcome: Outcome) -> [Outcome] { Array(repeating: outcome, count: count) }

    @Test func `pauses the campaign at the fifth policy refusal and begins to count anew`() {
        #expect(Self.pauses(Self.times(11, .policyRefusal)) == [5, 10])
    }

    @Test func `pauses the campaign at the twentieth doubtful message`() {
        #expect(Self.pauses(Self.times(41, .uncertain)) == [20, 40])
    }

    @Test func `pauses the campaign at the first refusal of the sender`() {
        #expect(Self.pauses([.sent, .senderTrouble, .sent, .senderTrouble]) == [2, 4])
    }

    @Test func `of doubt never pauses where the limit is 0`() {
        #expect(Self.pauses(Self.times(1000, .uncertain), uncertainLimit: 0).isEmpty)
    }

    @Test(arguments: [Outcome.sent, .bounced(suppress: true), .bounced(suppress: false)])
    func `is ended by a message that was judged`(judged: Outcome) {
        let refusals = Self.times(4, .policyRefusal) + [judged] + Self.times(4, .policyRefusal)
        #expect(Self.pauses(refusals).isEmpty)
        #expect(Self.pauses(refusals + [.policyRefusal]) == [10])
        let doubts = Self.times(19, .uncertain) + [judged] + Self.times(19, .uncertain)
        #expect(Self.pauses(doubts).isEmpty)
        #expect(Self.pauses(doubts + [.uncertain]) == [40])
    }

    @Test(arguments: [Outcome.deferred(isGreylisting: false), .routeTrouble])
    func `is neither ended nor made longer by a message that was put off`(putOff: Outcome) {
        #expect(Self.pauses(Self.times(4, .policyRefusal) + [putOff, .policyRefusal]) == [6])
        #expect(Self.pauses(Self.times(100, putOff)).isEmpty)
    }

    @Test func `is explained with the words of the relay`() {
        var streaks = Streaks(policyLimit: 1, uncertainLimit: 1)
        let sender = streaks.note(.senderTrouble, reply: "553 who")
        let policy = streaks.note(.policyRefusal, reply: "550 5.7.1 no")
        let doubt = streaks.note(.uncertain, reply: "")
        #expect(sender?.contains("553 who") == true)
        #expect(policy?.contains("550 5.7.1 no") == true)
        #expect(doubt?.contains("1 message") == true)
    }
}

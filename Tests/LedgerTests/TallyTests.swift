import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

/// The counts of receipts are kept, not counted anew: here they are counted anew.
@Suite struct TallyTests {
    @Test(arguments: UInt64(1)...12)
    func `kept counts equal a recount after whatever happened`(seed: UInt64) async throws {
        var life = try Life(seed: seed)
        for _ in 0..<90 { try await life.step() }
        try await life.check()
    }
}

/// A ledger to which things happen at random.
private struct Life {
    private let ledger: LedgerFixture
    private var random: SeededGenerator
    private var now = LedgerFixture.now
    private var campaigns: [Int64] = []
    private var given: [Int64: Int] = [:]
    private var consent: [Int64: [String: Int]] = [:]
    private var flying: Set<Int64> = []
    private var jobs = 0
    private let people = (0..<30).map { "reader-\($0)@example.org" }

    init(seed: UInt64) throws {
        ledger = try LedgerFixture()
        random = SeededGenerator(seed: seed)
    }

    mutating func step() async throws {
        now = now.adding(seconds: Int64.random(in: 0...900, using: &random))
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<2: try await plan()
        case 2..<6: try await say()
        case 6..<12: try await take()
        case 12..<17: try await conclude()
        case 17: try await control()
        case 18: try await advance()
        default:
            guard Int.random(in: 0..<5, using: &random) == 0 else { return }
            try await ledger.recover(at: now)
            flying = []
        }
    }

    private mutating func plan() async throws {
        jobs += 1
        var plan = try ledger.plan("job-\(jobs)", acceptedAt: now, expires: now.adding(seconds: 20_000))
        plan.basis = Campaign.Basis.allCases.randomElement(using: &random) ?? .consent
        try await ledger.begin("job-\(jobs)")
        let number = try await ledger.ledger.beginPlan(plan)
        var recipients: [String] = []
        for person in people where Bool.random(using: &random) {
            recipients.append(person)
            if Int.random(in: 0..<6, using: &random) == 0 { recipients.append(person.uppercased()) }
        }
        for start in stride(from: 0, to: recipients.count, by: 7) {
            try await ledger.add(Array(recipients[start..<min(start + 7, recipients.count)]), to: number, plan)
        }
        try await ledger.add(Array(people.prefix(2)), to: number, plan, isTest: true)
        let aside = SetAside(address: "nobody", reason: .invalidAddress, place: "line 1")
        try await ledger.ledger.setAside([aside, aside], campaign: number)
        try await ledger.ledger.commitPlan(
            campaign: number, job: plan.job, state: .running, because: nil, warnings: [])
        campaigns.append(number)
        given[number] = recipients.count + 2
        consent[number] = try consentOfRows(number)
    }

    private mutating func say() async throws {
        jobs += 1
        let kinds: [ConsentEvent.Kind] = [.accepted, .accepted, .accepted, .refused, .withdrawn, .requested]
        let kind = kinds.randomElement(using: &random) ?? .accepted
        for person in people.shuffled(using: &random).prefix(6) {
            try await ledger.record(kind, person, job: "job-\(jobs)", at: now)
        }
    }

    private mutating func take() async throws {
        for _ in 0..<4 {
            guard let due = try await ledger.due(at: now) else { return }
            if try await ledger.intend(due.id, at: now) == .handOver { flying.insert(due.id) }
        }
    }

    private mutating func conclude() async throws {
        let outcomes: [Outcome] = [
            .sent, .sent, .bounced(suppress: true), .bounced(suppress: false), .uncertain, .routeTrouble,
            .deferred(isGreylisting: true), .policyRefusal,
        ]
        for delivery in flying.sorted().shuffled(using: &random).prefix(3) {
            try await ledger.conclude(delivery, outcomes.randomElement(using: &random) ?? .sent, at: now)
            flying.remove(delivery)
        }
    }

    private mutating func control() async throws {
        guard jobs > 0, let number = campaigns.randomElement(using: &random) else { return }
        let job = try #require(try await ledger.ledger.summary(campaign: number)).job.id
        let action = [ControlJob.Action.pause, .resume, .resume, .cancel].randomElement(using: &random) ?? .resume
        _ = try await ledger.ledger.control(
            campaign: job, action: action, because: "chance", by: try jobID("control"), now: now)
    }

    private mutating func advance() async throws {
        for number in campaigns { _ = try await ledger.ledger.advance(campaign: number, now: now, limit: 3) }
    }

    private func consentOfRows(_ number: Int64) throws -> [String: Int] {
        try ledger.raw { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT CASE WHEN c.id IS NULL THEN 'external' ELSE coalesce(s.status, 'notAsked') END, count(*)
                    FROM deliveries d LEFT JOIN contacts c ON c.address_key = d.address_key
                    LEFT JOIN consent_status s ON s.contact = c.id AND s.purpose = 'newsletter'
                    WHERE d.campaign = ? AND d.is_test = 0 GROUP BY 1
                    """,
                arguments: [number])
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
        }
    }

    func check() async throws {
        let query = """
            SELECT campaign || ' ' || is_test || ' ' || state || ' ' || reason || ' ' || sum(count) FROM (
              SELECT campaign, is_test, state, CASE state WHEN 'withheld' THEN reason ELSE '' END AS reason, 1 AS count
              FROM deliveries
              UNION ALL SELECT campaign, 0, 'setAside', reason, 1 FROM set_asides)
            GROUP BY campaign, is_test, state, reason ORDER BY 1
            """
        let recount = try ledger.raw { try String.fetchAll($0, sql: query) }
        let kept = try ledger.raw {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT campaign || ' ' || is_test || ' ' || state || ' ' || reason || ' ' || count FROM tallies
                    WHERE count <> 0 ORDER BY 1
                    """)
        }
        #expect(kept == recount)
        let relays = """
            SELECT campaign || ' ' || relay || ' ' || is_test || ' ' || state || ' ' || count FROM
              (SELECT campaign, relay, is_test, state, count(*) AS count FROM deliveries GROUP BY 1, 2, 3, 4
               UNION ALL SELECT campaign, relay, is_test, 'doubt', sum(doubts) FROM deliveries GROUP BY 1, 2, 3)
            WHERE count > 0 ORDER BY 1
            """
        let keptByRelay = """
            SELECT campaign || ' ' || relay || ' ' || is_test || ' ' || state || ' ' || count FROM relay_tallies
            WHERE count <> 0 ORDER BY 1
            """
        let found = try ledger.raw { (try String.fetchAll($0, sql: keptByRelay), try String.fetchAll($0, sql: relays)) }
        #expect(found.0 == found.1)
        #expect(!campaigns.isEmpty)
        for number in campaigns {
            let summary = try #require(try await ledger.ledger.summary(campaign: number))
            #expect(summary.counts.recipients == given[number])
            #expect(summary.consent == consent[number])
            let counts = summary.counts
            let parts = [
                counts.queued, counts.inFlight, counts.sent, counts.bounced, counts.uncertain, counts.withheld,
                counts.expired, counts.cancelled,
            ]
            #expect(parts.reduce(0, +) == counts.recipients)
            #expect(summary.withheld.values.reduce(0, +) == counts.withheld)
        }
        #expect(try await ledger.ledger.firstBrokenConsentEvent() == nil)
    }
}

import GRDB
import Mailing
import Testing

@testable import Ledger

/// What the code must not do, the schema refuses: each statement here comes from a connection without our code.
@Suite struct LedgerSchemaTests {
    private static let ways: [Delivery.State: Set<Delivery.State>] = [
        .queued: [.inFlight, .bounced, .withheld, .expired, .cancelled],
        .inFlight: [.sent, .bounced, .queued, .uncertain],
        // Only by evidence: see the tests of doubt.
        .uncertain: [],
    ]

    /// How a delivery comes into a state by legal steps only.
    private func bring(_ delivery: Int64, to state: Delivery.State, _ ledger: LedgerFixture) throws {
        let steps: [Delivery.State] =
            switch state {
            case .queued: []
            case .inFlight: [.inFlight]
            case .sent, .uncertain: [.inFlight, state]
            case .bounced, .withheld, .expired, .cancelled: [state]
            }
        for step in steps { try ledger.execute(change(delivery, to: step)) }
    }

    private func change(_ delivery: Int64, to state: Delivery.State) -> String {
        """
        UPDATE deliveries SET state = '\(state.rawValue)', message_id = 'm', slot = 1, sent_at = 1, reason = 'refused'
        WHERE id = \(delivery)
        """
    }

    @Test(arguments: Delivery.State.allCases)
    func `a delivery goes only the ways of the diagram, and from a closed state none`(
        from: Delivery.State
    ) async throws {
        let ledger = try LedgerFixture()
        let people = Delivery.State.allCases.map { "reader-\($0.rawValue)@example.org" }
        try await ledger.register(people)
        let campaign = try await ledger.campaign(to: people)
        for (person, target) in zip(people, Delivery.State.allCases) where target != from {
            let delivery = try ledger.delivery(person, in: campaign)
            try bring(delivery, to: from, ledger)
            let refusal = try ledger.refusal(change(delivery, to: target))
            let isAllowed = LedgerSchemaTests.ways[from]?.contains(target) == true
            #expect((refusal == nil) == isAllowed, "\(from.rawValue) to \(target.rawValue)")
            #expect(try ledger.state(delivery) == (isAllowed ? target : from).rawValue)
        }
    }

    @Test(arguments: ["inFlight", "sent", "bounced", "uncertain", "expired", "cancelled", "delivered"])
    func `a delivery begins queued or withheld`(state: String) async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("mailing")
        let campaign = try await ledger.ledger.beginPlan(try ledger.plan("mailing"))
        let insert = """
            INSERT INTO deliveries (campaign, is_test, address, address_key, relay, state, message_id, slot, sent_at)
            VALUES (\(campaign), 0, 'a@example.org', 'a@example.org', 'default', '\(state)', 'm', 1, 1)
            """
        #expect(try ledger.refusal(insert) != nil)
        #expect(try ledger.count("SELECT count(*) FROM deliveries") == 0)
    }

    @Test(arguments: [
        "DELETE FROM deliveries",
        "UPDATE deliveries SET campaign = campaign + 1",
        "UPDATE deliveries SET is_test = 1",
        "UPDATE deliveries SET state = 'inFlight', message_id = 'm'",
        "UPDATE deliveries SET state = 'inFlight', slot = 1",
        "UPDATE deliveries SET state = 'withheld'",
        """
        INSERT INTO deliveries (campaign, is_test, address, address_key, relay, state)
        SELECT campaign, is_test, address, address_key, relay, 'queued' FROM deliveries
        """,
        "PRAGMA recursive_triggers = ON; REPLACE INTO deliveries SELECT * FROM deliveries",
        "DELETE FROM campaigns",
        "PRAGMA foreign_keys = OFF; DELETE FROM campaigns",
        "UPDATE campaigns SET state = 'planning'",
        "UPDATE campaigns SET state = 'rejected'",
        "DELETE FROM jobs",
        "UPDATE jobs SET sha256 = 'ff'",
        "UPDATE jobs SET id = 'other'",
        "UPDATE jobs SET finished = 0",
        "DELETE FROM consent_events",
        "UPDATE consent_events SET kind = 'accepted'",
        "UPDATE consent_events SET happened_at = happened_at + 1",
        "INSERT INTO contacts (address, address_key, registered_at) SELECT address, address_key, 1 FROM contacts",
        "INSERT INTO suppressions VALUES ('a@example.org', 'hardBounce', 1)",
    ])
    func `the schema refuses`(statement: String) async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org"])
        try await ledger.campaign(to: ["a@example.org"])
        let before = try ledger.dump()
        #expect(try ledger.refusal(statement) != nil)
        #expect(try ledger.dump() == before)
    }

    @Test(arguments: [CampaignState.finished, .cancelled, .expired])
    func `an ended campaign stays ended`(end: CampaignState) async throws {
        let ledger = try LedgerFixture()
        try await ledger.campaign(to: [])
        try ledger.execute("UPDATE campaigns SET state = '\(end.rawValue)'")
        for state in CampaignState.allCases where state != end {
            let refusal = try ledger.refusal("UPDATE campaigns SET state = '\(state.rawValue)'")
            #expect(refusal != nil, "\(end.rawValue) to \(state.rawValue)")
        }
    }

    @Test func `a second row for the same person is refused also in other letters`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.register(["Jan@Example.org"])
        let campaign = try await ledger.campaign(to: ["Jan@Example.org"])
        let key = try address("jAN@eXAMPLE.ORG").key
        let refusal = try ledger.refusal(
            """
            INSERT INTO deliveries (campaign, is_test, address, address_key, relay, state)
            VALUES (\(campaign), 0, 'x', '\(key)', 'default', 'queued')
            """)
        #expect(refusal?.contains("UNIQUE") == true)
    }

    @Test func `the way to the next message and to a page of recipients is an index without sorting`() throws {
        let ledger = try LedgerFixture()
        let questions = [
            """
            SELECT id FROM deliveries WHERE campaign = 1 AND relay = 'r' AND is_test = 0 AND state = 'queued'
            ORDER BY not_before, id LIMIT 1
            """,
            "SELECT id, address FROM deliveries WHERE campaign = 1 AND is_test = 0 AND id > 5 ORDER BY id LIMIT 10",
            "SELECT id FROM deliveries WHERE campaign = 1 AND state = 'queued' LIMIT 10",
            "SELECT relay FROM deliveries WHERE state = 'inFlight'",
        ]
        for question in questions {
            let plan = try ledger.raw { database in
                try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + question).map { $0["detail"] as String }
            }
            #expect(plan.allSatisfy { $0.contains("USING") && $0.contains("INDEX") }, "\(plan)")
        }
    }
}

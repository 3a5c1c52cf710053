import Foundation
import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

/// What the schema refuses about doubt: each statement here comes from a connection without our code.
@Suite struct LedgerSchemaDoubtTests {
    private let now = LedgerFixture.now

    private func doubt(keySeconds: Int64? = nil) async throws -> LedgerFixture {
        let ledger = try LedgerFixture()
        try await ledger.register(["a@example.org", "b@example.org"])
        try await ledger.campaign(to: ["a@example.org", "b@example.org"])
        #expect(try await ledger.doubt("a@example.org", keySeconds: keySeconds) == 1)
        return ledger
    }

    private func evidence(doubt: Int = 1, outcome: String = "sent") -> String {
        "INSERT INTO settlements VALUES (1, \(doubt), '\(outcome)', 'bounce', 'it came back', NULL, 1)"
    }

    private let toSent = "UPDATE deliveries SET state = 'sent', sent_at = 1 WHERE id = 1"
    private let toQueued = "UPDATE deliveries SET state = 'queued' WHERE id = 1"

    /// Expects that a statement is refused in these words, and that nothing changes.
    private func refuses(_ ledger: LedgerFixture, _ statement: String, _ words: String) throws {
        let before = try ledger.dump()
        let refusal = try #require(try ledger.refusal(statement), "\(statement) was not refused")
        #expect(refusal.contains(words), "\(statement)")
        #expect(try ledger.dump() == before)
    }

    @Test func `a doubt ends only where what settled it is kept, for this doubt and to this end`() async throws {
        let ledger = try await doubt()
        let words = "a doubt is settled by evidence or by a person"
        for statement in [toSent, toQueued] { try refuses(ledger, statement, words) }
        try ledger.execute(evidence(doubt: 0))
        try ledger.execute(evidence(doubt: 2))
        for statement in [toSent, toQueued] { try refuses(ledger, statement, words) }
        try ledger.execute(evidence(doubt: 1, outcome: "resend"))
        try refuses(ledger, toSent, words)
        #expect(try ledger.refusal(toQueued) == nil)
    }

    @Test func `a doubt with evidence that it was sent is not queued again`() async throws {
        let ledger = try await doubt()
        try ledger.execute(evidence())
        try refuses(ledger, toQueued, "a doubt is settled by evidence or by a person")
        #expect(try ledger.refusal(toSent) == nil)
        try refuses(ledger, toQueued, "a closed delivery is never reopened")
    }

    @Test(arguments: ["bounced", "withheld", "expired", "cancelled"])
    func `a doubt ends in nothing else`(state: String) async throws {
        let ledger = try await doubt()
        try ledger.execute(evidence())
        try refuses(ledger, "UPDATE deliveries SET state = '\(state)' WHERE id = 1", "doubt ends in sent or queued")
    }

    @Test(arguments: [
        "UPDATE settlements SET evidence = 'another story'",
        "UPDATE settlements SET outcome = 'resend'",
        "DELETE FROM settlements",
        "PRAGMA recursive_triggers = ON; REPLACE INTO settlements VALUES (1, 1, 'resend', 'bounce', 'x', NULL, 1)",
    ])
    func `what settled a doubt is kept as it was`(statement: String) async throws {
        let ledger = try await doubt()
        try ledger.execute(evidence())
        try refuses(ledger, statement, "what settled a doubt is kept")
    }

    @Test(arguments: [
        "INSERT INTO settlements VALUES (1, 1, 'sent', 'bounce', '', NULL, 1)",
        "INSERT INTO settlements VALUES (1, 1, 'sent', 'person', 'I say so', NULL, 1)",
        "INSERT INTO settlements VALUES (1, 1, 'sent', 'hearsay', 'he says so', NULL, 1)",
        "INSERT INTO settlements VALUES (1, 1, 'bounced', 'bounce', 'it came back', NULL, 1)",
        "INSERT INTO settlements VALUES (99, 1, 'sent', 'bounce', 'it came back', NULL, 1)",
    ])
    func `evidence is of a known kind, about a delivery, in words, and a person's names its job`(
        statement: String
    ) async throws {
        let ledger = try await doubt()
        try refuses(ledger, statement, "constraint failed")
    }

    private func again(repeating: Int = 1, at moment: Timestamp) -> String {
        """
        UPDATE deliveries SET state = 'inFlight', repeating = \(repeating), intent_at = \(moment.milliseconds)
        WHERE id = 1
        """
    }

    @Test func `what is in doubt is handed over again only under a key that is valid still, and marked as such`()
        async throws
    {
        let words = "only a queued delivery is handed over"
        try refuses(try await doubt(), again(at: now), words)
        let ledger = try await doubt(keySeconds: 3600)
        try refuses(ledger, again(at: now.adding(seconds: 3600)), words)
        try refuses(ledger, again(repeating: 0, at: now), words)
        #expect(try ledger.refusal(again(at: now.adding(seconds: 3599))) == nil)
    }

    @Test(arguments: ["queued", "bounced", "withheld", "expired", "cancelled"])
    func `a second hand-over proves nothing but its acceptance`(state: String) async throws {
        let ledger = try await doubt(keySeconds: 3600)
        try ledger.execute(again(at: now))
        let change = "UPDATE deliveries SET state = '\(state)', repeating = 0 WHERE id = 1"
        #expect(try ledger.refusal(change) != nil)
        #expect(try ledger.state(1) == "inFlight")
        #expect(try ledger.refusal(toSent) == nil)
    }

    @Test func `the mark of a second hand-over cannot be wiped off in flight, so that it would count as a first`()
        async throws
    {
        let ledger = try await doubt(keySeconds: 3600)
        try ledger.execute(again(at: now))
        try refuses(ledger, "UPDATE deliveries SET repeating = 0 WHERE id = 1", "a second hand-over stays one")
    }

    @Test func `a key is valid from the first hand-over on and cannot be prolonged`() async throws {
        let ledger = try await doubt(keySeconds: 3600)
        let words = "a key is valid from the first hand-over on"
        let longer = "UPDATE deliveries SET key_until = key_until + 1 WHERE id = 1"
        try refuses(ledger, longer, words)
        try refuses(ledger, "UPDATE deliveries SET key_until = NULL WHERE id = 1", words)
        try ledger.execute(again(at: now))
        try refuses(ledger, longer, words)
        try ledger.execute(toSent)
        try refuses(ledger, longer, words)
    }

    @Test func `doubts are counted once each, however often they are repeated`() async throws {
        let ledger = try await doubt(keySeconds: 3600)
        for _ in 0..<3 {
            try ledger.execute(again(at: now))
            try ledger.execute("UPDATE deliveries SET state = 'uncertain', repeating = 0 WHERE id = 1")
        }
        #expect(try ledger.count("SELECT doubts FROM deliveries WHERE id = 1") == 1)
        try ledger.execute(evidence(outcome: "resend"))
        try ledger.execute(toQueued)
        try ledger.execute("UPDATE deliveries SET state = 'inFlight' WHERE id = 1")
        try ledger.execute("UPDATE deliveries SET state = 'uncertain' WHERE id = 1")
        #expect(try ledger.count("SELECT doubts FROM deliveries WHERE id = 1") == 2)
        try refuses(ledger, toSent, "a doubt is settled by evidence or by a person")
    }

    @Test func `a finished campaign goes on only for a settled doubt, and is to be reported again`() async throws {
        let ledger = try await doubt()
        try ledger.execute("UPDATE deliveries SET state = 'withheld', reason = 'refused' WHERE id = 2")
        try ledger.execute("UPDATE campaigns SET state = 'finished', reported = 1")
        let words = "an ended campaign stays ended"
        try refuses(ledger, "UPDATE campaigns SET state = 'running', reported = 0", words)
        try ledger.execute(evidence(outcome: "resend"))
        try ledger.execute(toQueued)
        try refuses(ledger, "UPDATE campaigns SET state = 'running'", words)
        for state in ["planning", "held", "scheduled", "paused", "cancelled", "expired"] {
            try refuses(ledger, "UPDATE campaigns SET state = '\(state)', reported = 0", words)
        }
        #expect(try ledger.refusal("UPDATE campaigns SET state = 'running', reported = 0") == nil)
    }

    @Test(arguments: ["cancelled", "expired"])
    func `a campaign that was cancelled or is over stays so also with a message that waits`(end: String) async throws {
        let ledger = try await doubt()
        try ledger.execute(evidence(outcome: "resend"))
        try ledger.execute(toQueued)
        try ledger.execute("UPDATE campaigns SET state = '\(end)'")
        try refuses(ledger, "UPDATE campaigns SET state = 'running', reported = 0", "an ended campaign stays ended")
    }

    @Test func `the way to open doubts is an index without sorting`() throws {
        let ledger = try LedgerFixture()
        for question in [
            "SELECT id FROM deliveries WHERE relay = 'r' AND state = 'uncertain' AND examined = 0 ORDER BY not_before",
            "SELECT id FROM deliveries WHERE campaign = 1 AND state = 'uncertain'",
        ] {
            let plan = try ledger.raw { database in
                try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + question).map { $0["detail"] as String }
            }
            #expect(plan.allSatisfy { $0.contains("USING") && $0.contains("INDEX") }, "\(plan)")
        }
    }
}

/// A ledger of the first version, as an earlier campaignd left it.
@Suite struct LedgerMigrationTests {
    private let states: [(Delivery.State, steps: [String])] = [
        (.queued, []), (.inFlight, ["inFlight"]), (.sent, ["inFlight", "sent"]),
        (.uncertain, ["inFlight", "uncertain"]),
        (.bounced, ["bounced"]), (.withheld, ["withheld"]), (.expired, ["expired"]), (.cancelled, ["cancelled"]),
    ]

    private func makeFirstVersion(_ path: String) throws {
        let key = try LedgerKey.load(path: path + ".key", mayCreate: true)
        try LedgerFixture.raw(path) { database in
            try database.execute(sql: LedgerSchema.migrations[0])
            try database.execute(
                sql: """
                    PRAGMA application_id = \(LedgerSchema.applicationID);
                    PRAGMA user_version = 1;
                    INSERT INTO jobs (id, kind, sha256, receipt, claim, accepted_at)
                      VALUES ('mailing', 'campaign', '00', 'mailing', 'claim', 1);
                    INSERT INTO campaigns
                      (number, job, state, basis, purpose, fingerprint, accepted_at, expires, relays)
                      VALUES (1, 'mailing', 'running', 'service', 'newsletter', 'print', 1, 4000000000000, 'default');
                    """)
            try database.execute(
                sql: "INSERT INTO facts VALUES ('key', ?), ('intents', 3)", arguments: [key.checkValue])
            for (state, steps) in states {
                let address = "\(state.rawValue.lowercased())@example.org"
                try database.execute(
                    sql: """
                        INSERT INTO deliveries (campaign, is_test, address, address_key, relay, state)
                        VALUES (1, 0, ?1, ?1, 'default', 'queued')
                        """, arguments: [address])
                for step in steps {
                    try database.execute(
                        sql: """
                            UPDATE deliveries SET state = ?, message_id = 'm', slot = 1, sent_at = 5, intent_at = 5,
                              reason = 'refused' WHERE address = ?
                            """, arguments: [step, address])
                }
            }
        }
    }

    @Test func `becomes one of the present version, with every delivery as it was, and its doubt can be settled`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        try makeFirstVersion(path)
        let ledger = LedgerFixture(directory: directory, ledger: try DeliveryLedger(path: path))
        #expect(try ledger.count("PRAGMA user_version") == LedgerSchema.migrations.count)
        let kept = try ledger.states(1).map { $0.split(separator: " ")[1] }
        #expect(kept == states.map { Substring($0.0.rawValue) })
        #expect(
            try ledger.count("SELECT count(*) FROM deliveries WHERE doubts = 1 AND state = 'uncertain'") == 1)
        #expect(try ledger.count("SELECT sum(doubts) FROM deliveries") == 1)
        #expect(try ledger.count("SELECT count(*) FROM hand_overs") == states.count { !$0.1.isEmpty })
        let counts = try await ledger.ledger.figures(since: LedgerFixture.now, limit: 1).relays["default"]
        #expect(counts?.states == Dictionary(uniqueKeysWithValues: states.map { ($0.0, 1) }))
        #expect(counts?.doubts == 1)
        let now = LedgerFixture.now
        // The deliveries that were inserted behind the back of the counts; one was in flight.
        #expect(try await ledger.recover(at: now) == Recovery(uncertain: 1, relays: ["default"]))
        let evidence = SettlementEvidence(kind: .bounce, text: "it came back")
        for (person, settlement) in [("uncertain", Settlement.sent), ("inflight", .resend)] {
            let delivery = try ledger.delivery("\(person)@example.org")
            #expect(
                try await ledger.ledger.settle(delivery: delivery, as: settlement, by: evidence, now: now) != nil)
        }
        #expect(try await ledger.due()?.address.text == "queued@example.org")
    }

    @Test func `has an identity of its own that stays`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        try makeFirstVersion(path)
        let identities = try await (0..<2).asyncMap { _ in try await DeliveryLedger(path: path).identity() }
        #expect(identities[0] == identities[1])
        #expect(identities[0].count == 32)
        #expect(try await LedgerFixture().ledger.identity() != identities[0])
    }

    @Test func `is left as it was when the migration fails`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        try makeFirstVersion(path)
        try LedgerFixture.raw(path) { try $0.execute(sql: "CREATE TABLE settlements (in_the_way)") }
        #expect(throws: LedgerError.self) { try DeliveryLedger(path: path) }
        try LedgerFixture.raw(path) { database in
            #expect(try Int.fetchOne(database, sql: "PRAGMA user_version") == 1)
            let columns = try Row.fetchAll(database, sql: "PRAGMA table_info(deliveries)").map { $0["name"] as String }
            #expect(!columns.contains("doubts"))
            try database.execute(sql: "DROP TABLE settlements")
        }
        #expect(throws: Never.self) { try DeliveryLedger(path: path) }
    }
}

extension Sequence {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}

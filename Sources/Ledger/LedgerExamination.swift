import Foundation
import GRDB

/// One thing about a ledger that was looked into.
package struct LedgerFinding: Sendable, Equatable {
    package enum Outcome: String, Sendable {
        case sound
        case faulty
        /// It could not be looked into.
        case unknown
    }

    /// `integrity`, `foreignKeys`, `counts`, `key`, `consentChain` or `intents`.
    package var check: String
    package var outcome: Outcome
    /// What was found, in words.
    package var detail: String
}

extension LedgerReader {
    /// Looks into the whole ledger. Reads every page, and each event of consent, so it takes its time where there are
    /// millions of them.
    package func examine() -> [LedgerFinding] {
        [
            finding("integrity", integrity), finding("foreignKeys", foreignKeys), finding("counts", counts),
            finding("key", keyCheck), finding("consentChain", consentChain), finding("intents", intents),
        ]
    }

    private func finding(
        _ check: String, _ work: () throws(LedgerError) -> (LedgerFinding.Outcome, String)
    ) -> LedgerFinding {
        do throws(LedgerError) {
            let (outcome, detail) = try work()
            return LedgerFinding(check: check, outcome: outcome, detail: detail)
        } catch {
            let outcome: LedgerFinding.Outcome
            switch error {
            case .damaged, .wrongKey: outcome = .faulty
            default: outcome = .unknown
            }
            return LedgerFinding(check: check, outcome: outcome, detail: error.description)
        }
    }

    private func integrity() throws(LedgerError) -> (LedgerFinding.Outcome, String) {
        let verdict = try read { try String.fetchAll($0, sql: "PRAGMA integrity_check(20)") }
        guard verdict == ["ok"] else { return (.faulty, "the file is damaged: " + verdict.joined(separator: "; ")) }
        return (.sound, "every page and every index is as it should be")
    }

    private func foreignKeys() throws(LedgerError) -> (LedgerFinding.Outcome, String) {
        let rows = try read { database in
            try Row.fetchAll(database, sql: "SELECT \"table\", count(*) FROM pragma_foreign_key_check GROUP BY 1")
        }
        guard rows.isEmpty else {
            let words = rows.map { "\($0[1] as Int) of \($0[0] as String)" }
            return (.faulty, "rows speak of others that are not there: " + words.joined(separator: ", "))
        }
        return (.sound, "every row finds what it speaks of")
    }

    /// The counts that receipts show are kept by triggers; here they are counted anew.
    private func counts() throws(LedgerError) -> (LedgerFinding.Outcome, String) {
        let campaigns = try read { database in
            try String.fetchAll(
                database,
                sql: """
                    WITH counted AS (
                      SELECT campaign, is_test, state, iif(state = 'withheld', reason, '') AS reason, count(*) AS count
                      FROM deliveries GROUP BY 1, 2, 3, 4
                      UNION ALL SELECT campaign, 0, 'setAside', reason, count(*) FROM set_asides GROUP BY 1, 4
                    ), by_relay AS (
                      SELECT campaign, relay, is_test, state, count(*) AS count FROM deliveries GROUP BY 1, 2, 3, 4
                    ), relay_wrong AS (
                      SELECT * FROM (SELECT * FROM by_relay EXCEPT SELECT * FROM relay_tallies)
                      UNION SELECT * FROM (SELECT * FROM relay_tallies WHERE count <> 0 AND state <> 'doubt'
                        EXCEPT SELECT * FROM by_relay)
                    ), wrong AS (
                      SELECT * FROM (SELECT * FROM counted EXCEPT SELECT * FROM tallies)
                      UNION SELECT * FROM
                        (SELECT * FROM tallies WHERE count <> 0 EXCEPT SELECT * FROM counted)
                      UNION SELECT campaign, is_test, state, relay, count FROM relay_wrong
                    ) SELECT DISTINCT c.job FROM wrong JOIN campaigns c ON c.number = wrong.campaign
                    WHERE c.state <> 'planning' ORDER BY c.number
                    """)
        }
        guard campaigns.isEmpty else {
            return (.faulty, "the counts differ from the deliveries in: " + campaigns.joined(separator: ", "))
        }
        return (.sound, "the counts of all campaigns are those of their deliveries")
    }

    private func keyCheck() throws(LedgerError) -> (LedgerFinding.Outcome, String) {
        let key = try key()
        let known = try read { try String.fetchOne($0, sql: "SELECT value FROM facts WHERE name = 'key'") }
        guard known == key.checkValue else { throw .wrongKey(path: path + ".key") }
        return (.sound, "\(path).key is the key that the ledger was made with")
    }

    private func consentChain() throws(LedgerError) -> (LedgerFinding.Outcome, String) {
        do throws(LedgerError) {
            _ = try keyCheck()
        } catch {
            return (.unknown, "the history of consent cannot be checked without the right key")
        }
        if let number = try firstBrokenConsentEvent() {
            return (.faulty, "the history of consent was changed: event \(number) is the first that does not fit")
        }
        let count = try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM consent_events") } ?? 0
        return (.sound, "the history of consent is whole (\(count) events)")
    }

    private func intents() throws(LedgerError) -> (LedgerFinding.Outcome, String) {
        let facts = try facts()
        guard let counted = facts.countedIntents else {
            return (.unknown, "the counter \(path).intents is not there or cannot be read")
        }
        guard facts.intents >= counted else {
            return (
                .faulty,
                "the ledger knows of \(facts.intents) hand-overs, the counter beside it of \(counted): it is an older "
                    + "copy, and what it shows as queued may have been sent"
            )
        }
        return (.sound, "the ledger knows of \(facts.intents) hand-overs, the counter beside it of no more")
    }
}

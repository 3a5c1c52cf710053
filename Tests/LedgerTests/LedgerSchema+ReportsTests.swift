import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

/// Who is told of the end of a campaign stands beside it.
@Suite struct LedgerSchemaReportsTests {
    @Test func `the address of a report is kept with the plan, as the job has it`() async throws {
        let ledger = try LedgerFixture()
        let to = try address("Chief@Library.example")
        let told = try await ledger.campaign("told", to: [], { $0.reportTo = to })
        let untold = try await ledger.campaign("untold", to: [])
        #expect(try await ledger.ledger.summary(campaign: told)?.reportTo == to.text)
        #expect(try await ledger.ledger.summary(campaign: untold)?.reportTo == nil)
    }

    @Test(arguments: ["'other@library.example'", "NULL", "''"])
    func `the address of a report is not changed`(value: String) async throws {
        let ledger = try LedgerFixture()
        let to = try address("chief@library.example")
        try await ledger.campaign("told", to: [], { $0.reportTo = to })
        #expect(try ledger.refusal("UPDATE campaigns SET report_to = \(value)") != nil)
        try ledger.execute("UPDATE campaigns SET report_to = report_to, state = 'paused'")
    }

    @Test func `a campaign that an earlier version planned is reported on to nobody`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("ledger.sqlite")
        let key = try LedgerKey.load(path: path + ".key", mayCreate: true)
        try LedgerFixture.raw(path) { database in
            for migration in LedgerSchema.migrations.dropLast() { try database.execute(sql: migration) }
            try database.execute(
                sql: """
                    PRAGMA application_id = \(LedgerSchema.applicationID);
                    PRAGMA user_version = \(LedgerSchema.migrations.count - 1);
                    INSERT INTO jobs (id, kind, sha256, receipt, claim, accepted_at)
                      VALUES ('mailing', 'campaign', '00', 'mailing', 'claim', 1);
                    INSERT INTO campaigns
                      (number, job, state, basis, purpose, fingerprint, accepted_at, expires, relays)
                      VALUES (1, 'mailing', 'finished', 'service', 'newsletter', 'print', 1, 2, 'default');
                    """)
            try database.execute(
                sql: "INSERT INTO facts VALUES ('key', ?), ('intents', 0)", arguments: [key.checkValue])
        }
        let ledger = try DeliveryLedger(path: path)
        let summary = try #require(try await ledger.summary(campaign: 1))
        #expect(summary.reportTo == nil)
        #expect(summary.state == .finished)
        #expect(try await ledger.openCampaigns().map(\.number) == [1])
    }

    @Test func `why a campaign was cancelled is kept`() async throws {
        let ledger = try LedgerFixture()
        let number = try await ledger.campaign("mailing", to: [])
        let result = try await ledger.ledger.control(
            campaign: try jobID("mailing"), action: .cancel, because: "the date is wrong", by: try jobID("k"),
            now: LedgerFixture.now)
        #expect(result == .success(.cancelled))
        #expect(try await ledger.ledger.summary(campaign: number)?.because == "the date is wrong")
    }
}

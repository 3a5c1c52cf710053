import Mailing
import Testing

@testable import Ledger

@Suite struct DeliveryLedgerJobsTests {
    private let now = LedgerFixture.now

    @Test func `a job is remembered as it was accepted`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("mailing", receipt: "mailing.2")
        let job = try #require(try await ledger.ledger.job(try jobID("mailing")))
        #expect(
            job
                == JobRecord(
                    id: try jobID("mailing"), kind: .campaign, sha256: "00", receipt: "mailing.2",
                    claim: "claim-mailing", acceptedAt: now, isFinished: false, repeats: 0, registered: [:],
                    warnings: []))
        #expect(try await ledger.ledger.job(claimedAs: "claim-mailing") == job)
        #expect(try await ledger.ledger.job(try jobID("other")) == nil)
        #expect(try await ledger.ledger.job(claimedAs: "claim-other") == nil)
    }

    @Test func `the receipts that stand in the way of a name are those of other claims`() async throws {
        let ledger = try LedgerFixture()
        for (job, receipt) in [
            ("a", "news"), ("b", "news.2"), ("c", "news.10"), ("d", "news.job"), ("e", "newsletter"),
        ] {
            try await ledger.begin(job, receipt: receipt)
        }
        let store = ledger.ledger
        #expect(try await store.receipts(like: "news", exceptOf: "none") == ["news", "news.2", "news.10"])
        #expect(try await store.receipts(like: "news", exceptOf: "claim-b") == ["news", "news.10"])
        #expect(try await store.receipts(like: "other", exceptOf: "none").isEmpty)
    }

    @Test func `an id is used once`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("mailing")
        let before = try ledger.dump()
        await #expect(throws: LedgerError.self) { try await ledger.begin("mailing", receipt: "other") }
        #expect(try ledger.dump() == before)
    }

    @Test func `a job that was found wrong is forgotten with its plan, and its id is free again`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("mailing")
        let plan = try ledger.plan("mailing")
        let number = try await ledger.ledger.beginPlan(plan)
        try await ledger.add(["a@example.org"], to: number, plan)
        try await ledger.ledger.forget(job: plan.job)
        #expect(try await ledger.ledger.job(plan.job) == nil)
        #expect(try ledger.count("SELECT count(*) FROM deliveries") == 0)
        try await ledger.begin("mailing")
    }

    @Test func `a finished job is never forgotten`() async throws {
        let ledger = try LedgerFixture()
        let id = try jobID("import")
        try await ledger.begin("import")
        try await ledger.ledger.finish(job: id, registered: ["rows": 3], warnings: ["one \"row\" is odd"])
        try await ledger.ledger.forget(job: id)
        let job = try #require(try await ledger.ledger.job(id))
        #expect(job.isFinished)
        #expect(job.registered == ["rows": 3])
        #expect(job.warnings == ["one \"row\" is odd"])
    }

    @Test func `a restart goes on with unfinished jobs, oldest first`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("b", at: now.adding(seconds: 1))
        try await ledger.begin("c", at: now)
        try await ledger.begin("a", at: now.adding(seconds: 1))
        try await ledger.begin("d", at: now)
        try await ledger.ledger.finish(job: try jobID("d"), registered: [:], warnings: [])
        #expect(try await ledger.ledger.unfinishedJobs().map(\.id.text) == ["c", "a", "b"])
    }

    @Test func `repeats are counted, and only of what is known`() async throws {
        let ledger = try LedgerFixture()
        try await ledger.begin("mailing")
        #expect(try await ledger.ledger.noteRepeat(job: try jobID("mailing")).repeats == 1)
        #expect(try await ledger.ledger.noteRepeat(job: try jobID("mailing")).repeats == 2)
        await #expect(throws: LedgerError.conflict("there is no job other")) {
            try await ledger.ledger.noteRepeat(job: try jobID("other"))
        }
    }

    @Test func `finished jobs come in pages`() async throws {
        let ledger = try LedgerFixture()
        for name in ["e", "d", "c", "b", "a"] {
            try await ledger.begin(name)
            if name != "c" {
                try await ledger.ledger.finish(job: try jobID(name), registered: [:], warnings: [])
            }
        }
        var found: [String] = []
        while true {
            let page = try await ledger.ledger.jobs(after: found.last ?? "", limit: 2)
            found += page.map(\.id.text)
            if page.isEmpty { break }
        }
        #expect(found == ["a", "b", "d", "e"])
    }
}

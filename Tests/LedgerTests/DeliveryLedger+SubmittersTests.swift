import Mailing
import TestSupport
import Testing

@testable import Ledger

@Suite struct DeliveryLedgerSubmittersTests {
    private func begin(_ ledger: LedgerFixture, _ id: String, submitter: UInt32?, bytes: Int64) async throws {
        let job = Job.contacts(ContactsImport(id: try jobID(id), lists: [], consent: nil))
        try await ledger.ledger.begin(
            job: job, sha256: "00", receipt: id, claim: "claim-\(id)", submitter: submitter, bytes: bytes,
            now: LedgerFixture.now)
    }

    @Test(arguments: [nil, 0, 998, UInt32.max] as [UInt32?])
    func `a job knows for good who dropped it`(submitter: UInt32?) async throws {
        let ledger = try LedgerFixture()
        try await begin(ledger, "job", submitter: submitter, bytes: 7)
        #expect(try await ledger.ledger.job(try jobID("job"))?.submitter == submitter)
        for change in ["submitter = 5", "bytes = 8"] {
            #expect(try ledger.refusal("UPDATE jobs SET \(change)") == "a job stays with its submitter")
        }
        try await ledger.ledger.finish(job: try jobID("job"), registered: [:], warnings: [])
        #expect(try await ledger.ledger.job(try jobID("job"))?.submitter == submitter)
    }

    @Test func `what has not ended is counted, for each user alone`() async throws {
        let ledger = try LedgerFixture()
        let store = ledger.ledger
        try await begin(ledger, "a", submitter: 998, bytes: 100)
        try await begin(ledger, "b", submitter: 998, bytes: 20)
        try await begin(ledger, "c", submitter: 999, bytes: 3)
        try await begin(ledger, "d", submitter: nil, bytes: 4)
        #expect(try await store.pendingWork(of: 998) == PendingWork(jobs: 2, bytes: 120))
        #expect(try await store.pendingWork(of: 999) == PendingWork(jobs: 1, bytes: 3))
        #expect(try await store.pendingWork(of: 1) == PendingWork(jobs: 0, bytes: 0))
        try await store.finish(job: try jobID("a"), registered: [:], warnings: [])
        try await store.forget(job: try jobID("b"))
        #expect(try await store.pendingWork(of: 998) == PendingWork(jobs: 0, bytes: 0))
    }

    @Test(
        arguments: [
            (.held, 1), (.scheduled, 1), (.running, 1), (.paused, 1), (.finished, 0), (.cancelled, 0), (.expired, 0),
        ] as [(CampaignState, Int)])
    func `a campaign counts until it is over`(state: CampaignState, jobs: Int) async throws {
        let ledger = try LedgerFixture()
        let plan = try ledger.plan("mailing")
        let campaign = try ledger.campaignJob("mailing")
        try await ledger.ledger.begin(
            job: .campaign(campaign), sha256: "00", receipt: "mailing", claim: "claim", submitter: 998, bytes: 50,
            now: LedgerFixture.now)
        #expect(try await ledger.ledger.pendingWork(of: 998) == PendingWork(jobs: 1, bytes: 50))
        let number = try await ledger.ledger.beginPlan(plan)
        #expect(try await ledger.ledger.pendingWork(of: 998) == PendingWork(jobs: 1, bytes: 50), "is counted once")
        try await ledger.ledger.commitPlan(
            campaign: number, job: plan.job, state: state, because: nil, warnings: [])
        #expect(try await ledger.ledger.pendingWork(of: 998) == PendingWork(jobs: jobs, bytes: Int64(jobs) * 50))
    }
}

import Foundation
import Ledger
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

/// What a trial says, beside what the daemon does with the same job.
struct JobTrialTests {
    private static let somebody = Account(uid: 998, name: "somebody", groups: [])

    private func table(
        jobs: Int = 10, bytes: Int = 1 << 20, controls: String = "none", relays: String = "\"default\""
    ) -> [String] {
        [
            "[submitters.all]", "users = [\"*\"]", "bases = [\"consent\", \"service\"]", "controls = \"\(controls)\"",
            "relays = [\(relays)]", "pending_jobs = \(jobs)", "pending_bytes = \(bytes)",
        ]
    }

    /// Tries a job that lies outside of the spool.
    private func trial(
        _ json: String, by submitter: Account = somebody, in fixture: DaemonFixture
    ) async throws -> JobTrial {
        let path = try fixture.directory.write(json, to: "job.json")
        let source = try JobSource(path: path)
        let job = JobExamination(
            try source.examine(as: 0), configuration: fixture.configuration, submitter: submitter, daemonUser: 4000,
            now: fixture.clock.wall)
        try #require(job.errors.isEmpty, "\(job.errors)")
        return try await JobTrial(job, configuration: fixture.configuration, now: fixture.clock.wall)
    }

    private func campaign(_ id: String) -> String {
        JobText.campaign(id, to: [.address("reader@people.example")], basis: "service")
    }

    /// A job of that user that has not ended.
    private func begin(_ id: String, by submitter: Account = somebody, bytes: Int64, in fixture: DaemonFixture)
        async throws
    {
        try await fixture.ledger.begin(
            job: try fixture.job(campaign(id)), sha256: id, receipt: id, claim: id, submitter: submitter.uid,
            bytes: bytes, now: fixture.clock.wall)
    }

    @Test func `what the submitter has under way counts, as the daemon counts it`() async throws {
        let fixture = try DaemonFixture(lines: table(jobs: 2, bytes: 5000))
        try await begin("first", bytes: 100, in: fixture)
        #expect(try await trial(campaign("news"), in: fixture).errors == [])
        try await begin("second", bytes: 4900, in: fixture)
        let tried = try await trial(campaign("news"), in: fixture)
        var judged = try fixture.review(campaign("news"), by: Self.somebody)
        judged.checkQuota(try await fixture.ledger.pendingWork(of: Self.somebody.uid))
        #expect(tried.errors.map(\.message) == judged.errors.map(\.message))
        #expect(tried.errors.count == 2, "too many jobs, and too many bytes")
        #expect(tried.plan == nil)
        #expect(try await trial(campaign("news"), by: Account(uid: 0), in: fixture).errors == [], "root has no quota")
        #expect(try await trial(campaign("news"), by: Account(uid: 997), in: fixture).errors == [])
    }

    @Test func `after a restore a campaign would be held, for the daemon's reason`() async throws {
        let fixture = try DaemonFixture(lines: table())
        #expect(try await trial(campaign("news"), in: fixture).plan?.state == "running")
        let hold = try await restore(fixture)
        let plan = try #require(try await trial(campaign("news"), in: fixture).plan)
        #expect(plan.state == "held")
        #expect(plan.heldBecause == hold.becauseNew)
        #expect(plan.counts.queued == 1)
        let (number, state) = try await fixture.plan(campaign("news"))
        #expect(state == .held)
        #expect(try await fixture.summary(number).because == plan.heldBecause)
    }

    @Test func `a control job is judged by whose campaign it is about`() async throws {
        let fixture = try DaemonFixture(lines: table(controls: "own"))
        try await begin("mine", bytes: 1, in: fixture)
        try await begin("theirs", by: Account(uid: 997), bytes: 1, in: fixture)
        #expect(try await trial(JobText.control("k", "pause", campaign: "mine"), in: fixture).errors == [])
        let refused = try await trial(JobText.control("k", "pause", campaign: "theirs"), in: fixture)
        #expect(refused.errors.map(\.pointer) == ["/campaign"])
        #expect(refused.errors.first?.message.contains("may control only what the same user dropped") == true)
        #expect(try await trial(JobText.control("k", "resume", campaign: "mine"), in: fixture).errors == [])
        _ = try await restore(fixture)
        let first = try await trial(JobText.control("k", "resume", campaign: "mine"), in: fixture)
        #expect(!first.errors.isEmpty, "the first word after a restore is an administrator's")
    }

    /// As if the ledger were behind its counter of intents.
    private func restore(_ fixture: DaemonFixture) async throws -> Recovery.Hold {
        let result = try await runPython(
            """
            import sqlite3, sys
            with sqlite3.connect(sys.argv[1]) as ledger:
                ledger.execute("INSERT INTO facts VALUES ('restored', 1)")
            """, [fixture.configuration.ledgerPath])
        try #require(result.status == 0, "\(result.errorText)")
        return try #require(try await fixture.ledger.holdOnNew())
    }
}

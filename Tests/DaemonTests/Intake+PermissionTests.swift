import Foundation
import Glibc
import Ledger
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

/// Drops that really belong to other users: only root can make them.
@Suite(.enabled(if: geteuid() == 0, "files are given to other users"), .timeLimit(.minutes(5)))
struct IntakePermissionTests {
    private static let quotas = [
        "[submitters.catalogue]", "users = [\"4711\"]", "bases = [\"service\"]", "controls = \"own\"",
        "pending_jobs = 2", "recipients = 3",
        "[submitters.others]", "users = [\"4712\"]", "bases = [\"service\"]", "controls = \"own\"",
    ]
    private let fixture: DaemonFixture
    private let producer: TestSupport.SpoolDirectory

    init() throws {
        fixture = try DaemonFixture(lines: IntakePermissionTests.quotas)
        producer = try fixture.producer()
    }

    /// Drops a bundle of that user and serves until it is answered.
    private func drop(_ id: String, _ json: String, by uid: UInt32, files: [String: String] = [:]) async throws {
        let draft = fixture.directory.path("spool/tmp/\(id).job")
        try FileManager.default.createDirectory(atPath: draft, withIntermediateDirectories: true)
        for (name, text) in files.merging(["job.json": json], uniquingKeysWith: { $1 }) {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(draft)/\(name)"))
            try #require(chown("\(draft)/\(name)", uid, uid) == 0)
        }
        try #require(chown(draft, uid, uid) == 0)
        try #require(rename(draft, fixture.directory.path("spool/incoming/\(id).job")) == 0)
        try await fixture.serve()
    }

    private func campaign(_ id: String, to addresses: Int = 1) -> String {
        JobText.campaign(
            id, to: (0..<addresses).map { .address("reader\($0)@people.example") }, basis: "service",
            subject: "Welcome \(id)")
    }

    private func errors(_ name: String) throws -> [String] {
        let receipt = try #require(try producer.receipt(name))
        #expect(receipt.state == "rejected")
        return receipt.json["errors"]?.array?.compactMap { $0["message"]?.string } ?? []
    }

    private func state(_ name: String) throws -> String? { try producer.receipt(name)?.state }

    @Test func `a job is recorded with its owner`() async throws {
        try await drop("c", campaign("c"), by: 4711)
        #expect(try state("c") == "running")
        #expect(try await fixture.ledger.job(try #require(JobID("c")))?.submitter == 4711)
        let line = fixture.log.lines.first { $0.message.hasPrefix("campaign c is planned") }
        #expect(line?.metadata["SUBMITTER"] == "4711")
    }

    @Test func `who is named in no table is rejected, and nothing of the drop is lost`() async throws {
        try await drop("c", campaign("c"), by: 4713)
        #expect(try errors("c").first?.contains("the user 4713 may drop nothing") == true)
        #expect(FileManager.default.fileExists(atPath: fixture.directory.path("spool/rejected/c/c.job/job.json")))
        #expect(try await fixture.ledger.job(try #require(JobID("c"))) == nil)
    }

    @Test func `a user at the quota is rejected until a campaign ends, and others are not`() async throws {
        try await drop("a", campaign("a"), by: 4711)
        try await drop("b", campaign("b"), by: 4711)
        try await drop("c", campaign("c"), by: 4711)
        #expect(try errors("c").first?.contains("has 2 jobs that have not ended, and 2 are allowed") == true)
        try await drop("d", campaign("d"), by: 4712)
        #expect(try state("d") == "running")
        try await drop("a", campaign("a"), by: 4711)
        #expect(try producer.receipt("a")?.repeats == 1, "to ask again costs nothing")
        try await drop("stop-a", JobText.control("stop-a", "cancel", campaign: "a"), by: 4711)
        #expect(try state("stop-a") == "finished", "a control job needs no room")
        await fixture.writeReceipts()
        try await drop("e", campaign("c"), by: 4711)
        #expect(try state("e") == "running", "the id was still free")
    }

    @Test func `a campaign of more recipients than the quota is rejected as a whole`() async throws {
        try await drop("small", campaign("small", to: 3), by: 4711)
        #expect(try state("small") == "running")
        try await drop("large", campaign("large", to: 4), by: 4711)
        #expect(
            try errors("large") == [
                "a campaign of this user has at most 3 recipients ([submitters.catalogue] recipients): divide the "
                    + "list, or ask the administrator"
            ])
        #expect(try await fixture.ledger.job(try #require(JobID("large"))) == nil)
        try await drop("other", campaign("other", to: 4), by: 4712)
        #expect(try state("other") == "running")
    }

    @Test func `a user controls the campaigns that he dropped, and no other`() async throws {
        try await drop("c", campaign("c"), by: 4711)
        try await drop("no", JobText.control("no", "pause", campaign: "c"), by: 4712)
        #expect(try errors("no").first?.contains("“c” is no such campaign") == true)
        #expect(try state("c") == "running")
        try await drop("yes", JobText.control("yes", "pause", campaign: "c"), by: 4711)
        #expect(try state("yes") == "finished")
        #expect(try state("c") == "paused")
    }

    @Test func `the groups of an owner are looked up once a drop`() async throws {
        let fixture = try DaemonFixture(lines: ["[submitters.a]", "groups = [\"77\"]", "bases = [\"service\"]"])
        let asked = Asked()
        try fixture.producer().dropFile("c", json: campaign("c"))
        try #require(chown(fixture.directory.path("spool/incoming/c.json"), 4711, 4711) == 0)
        try await fixture.serve(account: { uid in
            asked.add(uid)
            return Account(uid: uid, groups: [77])
        })
        #expect(try fixture.producer().receipt("c")?.state == "running")
        #expect(asked.uids == [4711])
    }

    @Test func `a drop waits while the user database does not answer`() async throws {
        let fixture = try DaemonFixture(lines: ["[submitters.a]", "groups = [\"77\"]", "bases = [\"service\"]"])
        let asked = Asked()
        try fixture.producer().dropFile("c", json: campaign("c"))
        try #require(chown(fixture.directory.path("spool/incoming/c.json"), 4711, 4711) == 0)
        try await fixture.serve(account: { uid in
            asked.add(uid)
            if asked.uids.count < 3 { throw SystemAccounts.Unanswered(description: "the directory is away") }
            return Account(uid: uid, groups: [77])
        }) { context in
            await fixture.clock.run(seconds: 10)
            let isDone = try await eventually(timeout: .seconds(20)) { try context.spool.claimed().isEmpty }
            #expect(isDone, "\(fixture.log.messages)")
        }
        #expect(try fixture.producer().receipt("c")?.state == "running")
        #expect(asked.uids.count == 3)
        #expect(fixture.log.messages.contains { $0.contains("the directory is away") })
    }
}

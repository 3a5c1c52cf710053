import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

struct JobReviewQuotaTests {
    private let fixture: DaemonFixture

    init() throws {
        fixture = try DaemonFixture(lines: ["[consent]", "recipient_channels = [\"4712\"]"])
    }

    private let json = JobText.campaign("c", to: [.address("reader@people.example")])

    private func table(_ name: String = "a", jobs: Int = 10, bytes: Int64 = 1 << 20, recipients: Int = 5) -> Submitters
    {
        Submitters(
            name: name, users: [998],
            quota: Submitters.Quota(pendingJobs: jobs, pendingBytes: bytes, recipients: recipients))
    }

    /// What the user 998 is told who has so much under way.
    private func messages(_ jobs: Int, _ bytes: Int64, _ tables: Submitters...) throws -> [String] {
        var review = try fixture.review(json, by: Account(uid: 998)) { $0.submitters = tables }
        try #require(review.errors.isEmpty, "\(review.errors)")
        review.checkQuota(PendingWork(jobs: jobs, bytes: bytes))
        #expect(review.errors.allSatisfy { $0.pointer == "" })
        return review.errors.map(\.message)
    }

    private var size: Int64 { Int64(json.utf8.count) }

    @Test func `one job more than the quota is refused, with what is used and when to try again`() throws {
        #expect(try messages(9, 0, table(jobs: 10)) == [])
        #expect(
            try messages(10, 0, table(jobs: 10)) == [
                "the user 998 has 10 jobs that have not ended, and 10 are allowed ([submitters.a] pending_jobs): drop "
                    + "this one again when one of them has ended"
            ])
    }

    @Test func `one byte more than the quota is refused, with what is used and when to try again`() throws {
        let limit = size + 500
        #expect(try messages(1, 500, table(bytes: limit)) == [])
        #expect(
            try messages(1, 501, table(bytes: limit)) == [
                "the user 998 has 501 bytes in jobs that have not ended, this one has \(size), and \(limit) are "
                    + "allowed ([submitters.a] pending_bytes): drop it again when one of them has ended"
            ])
    }

    @Test func `who has more under way than a smaller quota allows is refused too`() throws {
        #expect(try messages(50, 1 << 30, table(jobs: 10, bytes: 1 << 20)).count == 2)
    }

    @Test func `a job that is larger than the whole quota is not worth another try`() throws {
        #expect(try messages(0, 0, table(bytes: size)) == [])
        #expect(
            try messages(0, 0, table(bytes: size - 1)) == [
                "it has \(size) bytes, and the user 998 may have \(size - 1) under way ([submitters.a] pending_bytes): "
                    + "make it smaller"
            ])
    }

    @Test func `of several tables that permit a job the widest quota counts, each kind by itself`() throws {
        let wide = table("a", jobs: 20, bytes: 1)
        let deep = table("b", jobs: 1, bytes: 1 << 20, recipients: 7)
        #expect(try messages(19, 0, wide, deep) == [])
        #expect(try messages(20, 0, deep, wide).first?.contains("[submitters.a] pending_jobs") == true)
        var other = table("c", jobs: 100)
        other.kinds = [.consent]
        #expect(
            try messages(20, 0, deep, wide, other).count == 1, "a table that does not permit the job gives no quota")
    }

    @Test func `the recipients of a campaign are limited by the widest quota`() throws {
        let review = try fixture.review(json, by: Account(uid: 998)) {
            $0.submitters = [table("a", recipients: 5), table("b", recipients: 7)]
        }
        #expect(review.recipientLimit?.count == 7)
        #expect(review.recipientLimit?.table == "b")
    }

    @Test(arguments: [UInt32(0), 4000])
    func `root and the daemon's own user have no quota`(uid: UInt32) throws {
        var everybody = table(jobs: 1)
        everybody.isEverybody = true
        let review = try fixture.review(json, by: Account(uid: uid)) { $0.submitters = [everybody] }
        #expect(!review.needsQuota(try fixture.job(json)))
        #expect(review.recipientLimit == nil)
    }

    @Test func `jobs that are done as they come are never refused for want of room`() throws {
        var all = table(jobs: 1)
        all.kinds = [.consent, .contacts, .campaign]
        all.controls = .all
        func needsQuota(_ json: String, uid: UInt32 = 998, files: [String: String] = [:]) throws -> Bool {
            let review = try fixture.review(json, files: files, by: Account(uid: uid)) { $0.submitters = [all] }
            try #require(review.errors.isEmpty, "\(review.errors)")
            return review.needsQuota(try fixture.job(json))
        }
        var withdrawal = JobText.ConsentEvent("reader@people.example", "withdrawn")
        #expect(try !needsQuota(JobText.consent("k", [withdrawal])))
        withdrawal.by = "recipient"
        #expect(try !needsQuota(JobText.consent("k", [withdrawal]), uid: 4712))
        #expect(try !needsQuota(JobText.control("k", "pause", campaign: "c")))
        #expect(try needsQuota(json))
        let list = ["list.csv": "email\na@people.example\n"]
        #expect(try needsQuota(JobText.contacts("k", consentColumn: nil), files: list))
    }
}

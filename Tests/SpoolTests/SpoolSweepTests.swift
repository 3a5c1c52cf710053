import Mailing
import Testing

@testable import Spool

struct SpoolSweepTests {
    @Test func `what is stale in tmp for 36 hours is removed and what is younger stays`() throws {
        let fixture = try SpoolFixture()
        try fixture.write("x", to: "tmp/half.json")
        try fixture.write("x", to: "tmp/half.job/lists/l.csv")
        let young = try fixture.spool.removeStale(now: fixture.moment(secondsFromNow: 36 * 3600 - 60))
        #expect(young.removed.isEmpty && young.left.isEmpty)
        let old = try fixture.spool.removeStale(now: fixture.moment(secondsFromNow: 36 * 3600 + 60))
        #expect(old.removed == ["half.job", "half.json"])
        #expect(old.left.isEmpty)
        #expect(try fixture.list("tmp").isEmpty)
    }

    @Test func `copies without a claim and half-removed drops are swept, jobs and claims are not`() throws {
        let fixture = try SpoolFixture()
        try fixture.drop("a.json", ["": "{}"])
        let drop = try fixture.claim()
        _ = try fixture.spool.inspect(drop)
        try fixture.write("{}", to: "work/kept/.0123/job.json")
        try fixture.write("{}", to: "work/kept/job-1/job.json")
        try fixture.write("{}", to: "work/removed/0123/a.job/job.json")
        #expect(try fixture.reopened().sweep().isEmpty)
        #expect(try fixture.list("work/kept").sorted() == [".\(drop.id)", "job-1"].sorted())
        #expect(try fixture.list("work/removed").isEmpty)
        #expect(try fixture.spool.claimed().map(\.id) == [drop.id])
    }
}

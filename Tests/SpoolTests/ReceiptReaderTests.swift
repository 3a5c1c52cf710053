import Foundation
import Glibc
import Mailing
import Testing

@testable import Spool

struct ReceiptReaderTests {
    private let fixture: SpoolFixture
    private let reader: ReceiptReader

    init() throws {
        fixture = try SpoolFixture()
        reader = try ReceiptReader(spool: fixture.path)
    }

    private func receipt(
        _ state: Receipt.State, job: String? = "j", sha256: String? = "s", repeats: Int = 0
    ) -> Receipt {
        var receipt = Receipt(job: job, kind: "campaign", state: state)
        receipt.sha256 = sha256
        receipt.repeats = repeats
        return receipt
    }

    private func write(_ receipt: Receipt, _ name: String) throws {
        try fixture.spool.write(receipt, to: try #require(ReceiptName(name)))
    }

    private func search(job: String? = "j", sha256: String? = "s") throws -> ReceiptSearch {
        try ReceiptSearch(reader: reader, drop: DropName("news.json"), job: job, sha256: sha256)
    }

    @Test func `a receipt is read as it was written`() throws {
        var written = Receipt(job: "j", kind: "campaign", state: .paused)
        written.acceptedAt = Timestamp(milliseconds: 1_700_000_000_000)
        written.sha256 = "abc"
        written.repeats = 2
        written.errors = [
            JobError(pointer: "/id", line: 2, column: 3, file: "job.json", message: "no"),
            JobError(pointer: nil, line: nil, column: nil, file: "a.csv", message: "“no”"),
        ]
        written.warnings = ["late"]
        var counts = Receipt.Counts()
        (counts.recipients, counts.sent, counts.uncertain) = (9, 5, 4)
        written.counts = counts
        written.withheld = ["refused": 3]
        written.consent = ["accepted": 9]
        written.registered = ["events": 1]
        written.firstSentAt = Timestamp(milliseconds: 1_700_000_001_000)
        written.lastSentAt = Timestamp(milliseconds: 1_700_000_002_000)
        written.estimatedFinish = Timestamp(milliseconds: 1_700_000_060_000)
        written.pausedBecause = "a mistake"
        written.firstReceipt = "older"
        try write(written, "news")
        #expect(try reader.receipt(try #require(ReceiptName("news")))?.receipt == written)
    }

    @Test(arguments: ["", "[]", "{\"state\": \"sleeping\"}", "{"])
    func `what is no receipt is refused with its path`(text: String) throws {
        try fixture.write(text, to: "receipts/news/receipt.json")
        let name = try #require(ReceiptName("news"))
        do throws(SpoolError) {
            _ = try reader.receipt(name)
            Issue.record("it was read")
        } catch {
            #expect(error.description.hasPrefix("\(fixture.path)/receipts/news/receipt.json"))
        }
    }

    @Test func `a receipt that is not there is none, nor is a directory without one`() throws {
        #expect(try reader.receipt(try #require(ReceiptName("news"))) == nil)
        try fixture.write("x", to: "receipts/news/.owner")
        #expect(try reader.receipt(try #require(ReceiptName("news"))) == nil)
    }

    @Test func `the answer is found under the next free name`() throws {
        try write(receipt(.finished, job: "other", sha256: "t"), "news")
        try write(receipt(.finished, job: "other", sha256: "u"), "news.2")
        var search = try search()
        #expect(try search.find() == nil)
        try write(receipt(.running), "news.3")
        #expect(try search.find()?.name.text == "news.3")
    }

    @Test func `an older rejection of the same name is no answer, a new one is`() throws {
        try write(receipt(.rejected), "news")
        try write(receipt(.rejected, job: nil, sha256: nil), "news.2")
        var search = try search()
        #expect(try search.find() == nil)
        try write(receipt(.rejected, job: nil, sha256: nil), "news.3")
        let found = try #require(try search.find())
        #expect(found.name.text == "news.3")
        #expect(!search.wasThere(found))
    }

    @Test func `another job of the same name is no answer`() throws {
        var search = try search()
        try write(receipt(.running, job: "other", sha256: "t"), "news")
        try write(receipt(.rejected, job: "other", sha256: nil), "news.2")
        try write(receipt(.rejected, job: "j", sha256: "t"), "news.3")
        try write(receipt(.running), "newspaper")
        try write(receipt(.running), "news.x")
        #expect(try search.find() == nil)
    }

    @Test func `who made the id needs nothing else to know the answer`() throws {
        var search = try search(sha256: nil)
        try write(receipt(.finished, job: "other", sha256: "s"), "news")
        #expect(try search.find() == nil)
        try write(receipt(.finished, sha256: "unknown"), "news.2")
        #expect(try search.find()?.name.text == "news.2")
    }

    @Test func `the same job again is answered in its first receipt`() throws {
        try write(receipt(.finished), "news")
        var search = try search()
        #expect(try search.find() == nil, "that is the answer to the first drop")
        try write(receipt(.finished, repeats: 1), "news")
        let found = try #require(try search.find())
        #expect(found.receipt.repeats == 1)
        #expect(search.wasThere(found))
    }
}

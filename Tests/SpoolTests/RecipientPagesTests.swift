import Mailing
import Testing

@testable import Spool

struct RecipientPagesTests {
    @Test func `recipients are written page by page and appear all at once`() throws {
        let fixture = try SpoolFixture()
        let name = try fixture.spool.reserveReceipt("a", owner: "1")
        let pages = try RecipientPages(spool: fixture.spool, name: name)
        for page in 0..<20 {
            try pages.add((0..<1000).map { .example("r\(page * 1000 + $0)@example.org") })
            #expect(!fixture.exists("receipts/a/recipients.csv"))
        }
        try pages.finish()
        let lines = try fixture.read("receipts/a/recipients.csv").split(separator: "\r\n")
        #expect(lines.count == 20_001)
        #expect(lines.last == "r19999@example.org,sent,,,,,")
        #expect(try fixture.list("receipts/a") == [".owner", "recipients.csv"])
    }

    @Test func `if the pages are never finished the recipients of before stay`() throws {
        let fixture = try SpoolFixture()
        let name = try fixture.spool.reserveReceipt("a", owner: "1")
        let first = try RecipientPages(spool: fixture.spool, name: name)
        try first.add([.example("jan@example.org")])
        try first.finish()
        let second = try RecipientPages(spool: fixture.spool, name: name)
        try second.add([.example("piet@example.org")])
        #expect(try fixture.read("receipts/a/recipients.csv").contains("jan@example.org"))
        try RecipientPages(spool: fixture.spool, name: name).finish()
        let lines = try fixture.read("receipts/a/recipients.csv").split(separator: "\r\n")
        #expect(lines.count == 1, "what an earlier writer left of its draft does not show")
    }
}

extension RecipientRecord {
    fileprivate static func example(_ address: String) -> RecipientRecord {
        RecipientRecord(
            address: address, state: "sent", reason: nil, reply: nil, sentAt: nil, messageID: nil, consentEvent: nil)
    }
}

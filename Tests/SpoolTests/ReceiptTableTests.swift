import Mailing
import Testing

@testable import Spool

struct ReceiptTableTests {
    private func line(_ record: RecipientRecord) -> String {
        var bytes: [UInt8] = []
        record.append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `a full row has its fields in the order of the header`() {
        let record = RecipientRecord(
            address: "jan@example.org", state: "sent", reason: "r", reply: "250 ok",
            sentAt: Timestamp(rfc3339: "2026-11-22T10:00:00Z"), messageID: "1@example.org", consentEvent: 7)
        #expect(line(record) == "jan@example.org,sent,r,250 ok,2026-11-22T10:00:00Z,1@example.org,7\r\n")
        #expect(RecipientRecord.header == "address,state,reason,reply,sentAt,messageId,consentEvent\r\n")
    }

    @Test func `commas and quotes are quoted and nothing breaks a line`() {
        let record = RecipientRecord(
            address: "\"a,b\"@example.org", state: "bounced", reason: nil, reply: "550 no\r\nsuch\u{0}user\u{2028}",
            sentAt: nil, messageID: nil, consentEvent: nil)
        #expect(line(record) == "\"\"\"a,b\"\"@example.org\",bounced,,550 no  such user ,,,\r\n")
    }
}

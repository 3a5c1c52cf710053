import Foundation
import Mailing
import Testing

@testable import Spool

struct ReceiptDocumentTests {
    @Test func `a receipt has the keys of the protocol in a fixed order`() throws {
        var receipt = Receipt(job: "2026-11-e-books", kind: "campaign", state: .finished)
        receipt.acceptedAt = Timestamp(rfc3339: "2026-11-22T10:00:00Z")
        receipt.counts = Receipt.Counts()
        receipt.counts?.recipients = 2
        receipt.counts?.sent = 2
        receipt.withheld = ["refused": 41, "notAsked": 50]
        receipt.warnings = ["It ends after it expires."]
        #expect(
            String(decoding: receipt.document, as: UTF8.self) == """
                {
                  "job": "2026-11-e-books",
                  "kind": "campaign",
                  "state": "finished",
                  "acceptedAt": "2026-11-22T10:00:00Z",
                  "errors": [],
                  "counts": {
                    "recipients": 2,
                    "queued": 0,
                    "inFlight": 0,
                    "sent": 2,
                    "bounced": 0,
                    "uncertain": 0,
                    "withheld": 0,
                    "expired": 0,
                    "cancelled": 0
                  },
                  "withheld": {
                    "notAsked": 50,
                    "refused": 41
                  },
                  "consent": {},
                  "firstSentAt": null,
                  "lastSentAt": null,
                  "estimatedFinish": null,
                  "pausedBecause": null,
                  "sha256": null,
                  "repeats": 0,
                  "warnings": [
                    "It ends after it expires."
                  ]
                }

                """)
    }

    @Test func `registered and the first receipt appear when there are any`() throws {
        var receipt = Receipt(job: "c-1", kind: "contacts", state: .finished)
        receipt.registered = ["new": 3]
        receipt.firstReceipt = "leden"
        let object = try #require(try JSONSerialization.jsonObject(with: Data(receipt.document)) as? [String: Any])
        #expect(object["registered"] as? [String: Int] == ["new": 3])
        #expect(object["firstReceipt"] as? String == "leden")
        #expect(object["counts"] is NSNull)
    }

    @Test func `an error has its place where it applies`() throws {
        var receipt = Receipt(job: nil, kind: nil, state: .rejected)
        receipt.errors = [
            JobError(pointer: "/from", line: 2, column: 3, file: "job.json", message: "give it"),
            JobError("a.json", "is a symbolic link"),
        ]
        let text = String(decoding: receipt.document, as: UTF8.self)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let errors = try #require(object["errors"] as? [[String: Any]])
        #expect(Set(errors[0].keys) == ["pointer", "line", "column", "file", "message"])
        #expect(Set(errors[1].keys) == ["file", "message"])
        #expect(object["job"] is NSNull)
    }

    @Test func `every text survives a JSON reader`() throws {
        let hostile = "\"quoted\" back\\slash \u{0}\u{1}\u{7F}\u{85}\u{2028}\n\r\t é 😀 </script>"
        var receipt = Receipt(job: hostile, kind: nil, state: .rejected)
        receipt.withheld = [hostile: 1]
        let object = try #require(try JSONSerialization.jsonObject(with: Data(receipt.document)) as? [String: Any])
        #expect(object["job"] as? String == hostile)
        #expect(object["withheld"] as? [String: Int] == [hostile: 1])
    }
}

import Dispatch
import Foundation
import Glibc
import Mailing
import Synchronization
import Testing

@testable import Spool

struct ReceiptFilesTests {
    @Test func `a name that is taken gets a number`() throws {
        let spool = try SpoolFixture()
        #expect(try spool.spool.reserveReceipt("a", owner: "1").text == "a")
        #expect(try spool.spool.reserveReceipt("a", owner: "2").text == "a.2")
        #expect(try spool.spool.reserveReceipt("a", owner: "3").text == "a.3")
    }

    @Test func `after a crash the same owner gets the same name`() throws {
        let fixture = try SpoolFixture()
        _ = try fixture.spool.reserveReceipt("a", owner: "1")
        _ = try fixture.spool.reserveReceipt("a", owner: "2")
        #expect(try fixture.reopened().reserveReceipt("a", owner: "2").text == "a.2")
        #expect(try fixture.reopened().reserveReceipt("a", owner: "1").text == "a")
    }

    @Test func `a directory whose owner was not written yet is taken over`() throws {
        let fixture = try SpoolFixture()
        _ = try fixture.spool.receipts.makeDirectory("a", mode: 0o2750)
        #expect(try fixture.reopened().reserveReceipt("a", owner: "1").text == "a")
        #expect(try fixture.reopened().reserveReceipt("a", owner: "2").text == "a.2")
    }

    @Test func `a directory with a receipt and no owner belongs to another`() throws {
        let fixture = try SpoolFixture()
        try fixture.write("{}", to: "receipts/a/receipt.json")
        #expect(try fixture.spool.reserveReceipt("a", owner: "1").text == "a.2")
    }

    @Test func `a link or a file in the place of a receipt is passed by`() throws {
        let fixture = try SpoolFixture()
        #expect(symlink("/etc", "\(fixture.path)/receipts/a") == 0)
        try fixture.write("", to: "receipts/a.2")
        #expect(try fixture.spool.reserveReceipt("a", owner: "1").text == "a.3")
    }

    @Test func `a name that the ledger has for another job is not given though its directory is gone`() throws {
        let fixture = try SpoolFixture()
        let name = try fixture.spool.reserveReceipt("a", owner: "1", isTaken: { $0.text == "a" })
        #expect(name.text == "a.2")
    }

    @Test(arguments: ["", ".", "..", ".a", "a/b", "a b", "é", String(repeating: "a", count: 201)])
    func `a name that cannot be a receipt's is refused`(text: String) {
        #expect(ReceiptName(text) == nil)
    }

    @Test func `a receipt is replaced whole and readable for the group`() throws {
        let fixture = try SpoolFixture()
        let name = try fixture.spool.reserveReceipt("a", owner: "1")
        for (state, durable) in [(Receipt.State.planned, true), (.finished, false)] {
            let receipt = Receipt(job: "a", kind: "campaign", state: state)
            try fixture.spool.write(receipt, to: name, durable: durable)
            #expect(try fixture.read("receipts/a/receipt.json").contains("\"state\": \"\(state)\""))
        }
        #expect(try fixture.list("receipts/a") == [".owner", "receipt.json"])
        var status = stat()
        #expect(stat("\(fixture.path)/receipts/a/receipt.json", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o640)
        #expect(stat("\(fixture.path)/receipts/a", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o750)
    }

    @Test func `whoever reads a receipt while several write it finds one that is whole`() throws {
        let fixture = try SpoolFixture()
        let spool = fixture.spool
        let file = URL(fileURLWithPath: "\(fixture.path)/receipts/a/receipt.json")
        let name = try spool.reserveReceipt("a", owner: "1")
        try spool.write(Receipt(job: "a", kind: nil, state: .planned), to: name)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            for round in 0..<300 {
                do {
                    guard worker == 0 else {
                        try spool.write(Receipt(job: "a", kind: nil, state: .finished), to: name)
                        continue
                    }
                    if try Data(contentsOf: file).suffix(2) != Data("}\n".utf8) {
                        failures.withLock { $0.append("round \(round): cut off") }
                    }
                } catch {
                    failures.withLock { $0.append("round \(round): \(error)") }
                }
            }
        }
        #expect(failures.withLock { $0 } == [])
    }

    @Test func `a receipt is never written through a link`() throws {
        let fixture = try SpoolFixture()
        let name = try fixture.spool.reserveReceipt("a", owner: "1")
        try fixture.write("theirs", to: "other")
        #expect(symlink("../../other", "\(fixture.path)/receipts/a/receipt.json") == 0)
        try fixture.spool.write(Receipt(job: "a", kind: nil, state: .planned), to: name)
        #expect(try fixture.read("other") == "theirs")
        #expect(try fixture.read("receipts/a/receipt.json").contains("planned"))
    }

    @Test func `a receipt whose directory was removed is made again`() throws {
        let fixture = try SpoolFixture()
        let name = try #require(ReceiptName("a"))
        try fixture.spool.write(Receipt(job: "a", kind: nil, state: .finished), to: name)
        #expect(fixture.exists("receipts/a/receipt.json"))
    }
}

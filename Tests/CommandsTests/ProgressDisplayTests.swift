import Mailing
import Synchronization
import Testing

@testable import Commands

struct ProgressDisplayTests {
    private func receipt(_ state: Receipt.State, sent: Int) -> Receipt {
        var receipt = Receipt(job: "news", kind: "campaign", state: state)
        var counts = Receipt.Counts()
        (counts.recipients, counts.sent, counts.queued) = (10, sent, 10 - sent)
        receipt.counts = counts
        return receipt
    }

    private func shown(isTerminal: Bool, isShown: Bool = true, _ work: (inout ProgressDisplay) -> Void) -> String {
        let text = Mutex("")
        var display = ProgressDisplay(isShown: isShown, isTerminal: isTerminal) { part in
            text.withLock { $0 += part }
        }
        work(&display)
        return text.withLock { $0 }
    }

    private func second(_ number: Int64) -> BootInstant { BootInstant(nanoseconds: number * 1_000_000_000) }

    @Test func `on a terminal one line changes`() {
        let text = shown(isTerminal: true) { display in
            display.show(receipt(.running, sent: 1), at: second(0))
            display.show(receipt(.running, sent: 1), at: second(1))
            display.show(receipt(.running, sent: 2), at: second(2))
            display.end()
        }
        let begin = "\r\u{1B}[K"
        #expect(
            text == "\(begin)running: 1 of 10 sent, 9 queued\(begin)running: 2 of 10 sent, 8 queued\n")
    }

    @Test func `elsewhere there is a line a state, and one every half minute`() {
        let text = shown(isTerminal: false) { display in
            display.show(receipt(.running, sent: 1), at: second(0))
            display.show(receipt(.running, sent: 2), at: second(29))
            display.show(receipt(.running, sent: 3), at: second(30))
            display.show(receipt(.paused, sent: 3), at: second(31))
            display.end()
        }
        #expect(
            text == """
                running: 1 of 10 sent, 9 queued
                running: 3 of 10 sent, 7 queued
                paused: 3 of 10 sent, 7 queued

                """)
    }

    @Test func `nothing is shown beside JSON`() {
        let text = shown(isTerminal: true, isShown: false) { display in
            display.line("dropped")
            display.show(receipt(.running, sent: 1), at: second(0))
            display.end()
        }
        #expect(text.isEmpty)
    }

    @Test func `the end names what was withheld and what is in doubt`() {
        var receipt = receipt(.finished, sent: 10)
        receipt.counts?.uncertain = 2
        receipt.withheld = ["refused": 2, "external": 1]
        receipt.warnings = ["late"]
        #expect(
            ReceiptText.lines(receipt, place: "/spool/receipts/news") == [
                "finished: 10 of 10 sent, 2 uncertain", "withheld: 1 external, 2 refused", "warning: late",
                "2 uncertain: see campaignctl uncertain news", "receipt: /spool/receipts/news",
            ])
    }

    @Test func `faults are written as compilers write them`() {
        let error = JobError(pointer: "/id", line: 2, column: 9, file: "job.json", message: "Mend this.")
        #expect(FaultText.line(error) == "job.json:2:9: /id: Mend this.")
        let whole = JobError(pointer: "", line: 1, column: 1, file: "a.json", message: "Add “kind”.")
        #expect(FaultText.line(whole) == "a.json:1:1: Add “kind”.")
        let file = JobError(pointer: nil, line: nil, column: nil, file: "list.csv", message: "is empty")
        #expect(FaultText.line(file) == "list.csv: is empty")
    }
}

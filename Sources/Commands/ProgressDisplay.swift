import Glibc
import Mailing

/// How a job goes on: one line that changes on a terminal, else a line whenever the state does, and twice a minute.
struct ProgressDisplay {
    private let isShown: Bool
    private let isTerminal: Bool
    private let write: (String) -> Void
    private var last = ""
    private var lastState: Receipt.State?
    private var lastAt = BootInstant(nanoseconds: .min / 2)
    private var isOpen = false

    /// Nanoseconds between two lines of one state, where there is no terminal.
    private static let interval: Int64 = 30_000_000_000

    init(
        isShown: Bool, isTerminal: Bool = isatty(1) == 1,
        write: @escaping (String) -> Void = { Terminal.write($0) }
    ) {
        self.isShown = isShown
        self.isTerminal = isTerminal
        self.write = write
    }

    /// A line of its own.
    mutating func line(_ text: String) {
        guard isShown else { return }
        end()
        write(Terminal.text([text]))
    }

    mutating func show(_ receipt: Receipt, at now: BootInstant) {
        let text = ReportText.clean(ReceiptText.progress(receipt))
        guard isShown, text != last else { return }
        if isTerminal {
            // Back to the beginning of the line, and what was there is erased.
            write("\r\u{1B}[K" + text.prefix(200))
            isOpen = true
        } else {
            let isDue = now.nanoseconds - lastAt.nanoseconds >= ProgressDisplay.interval
            guard receipt.state != lastState || isDue else { return }
            write(text + "\n")
        }
        (last, lastState, lastAt) = (text, receipt.state, now)
    }

    /// Leaves the line that changes.
    mutating func end() {
        if isOpen { write("\n") }
        isOpen = false
    }
}

/// Receipts for people.
enum ReceiptText {
    /// One line: the state, and how far it is.
    static func progress(_ receipt: Receipt) -> String {
        var parts = [receipt.state.rawValue]
        if let because = receipt.pausedBecause { parts[0] += " (\(because))" }
        if let counts = receipt.counts { parts.append(figures(counts)) }
        if let finish = receipt.estimatedFinish { parts.append("ends about \(finish)") }
        return parts.joined(separator: ": ")
    }

    /// The end of a job.
    static func lines(_ receipt: Receipt, place: String) -> [String] {
        var lines = [progress(receipt)]
        if !receipt.withheld.isEmpty { lines.append("withheld: " + words(receipt.withheld)) }
        if !receipt.registered.isEmpty { lines.append("registered: " + words(receipt.registered)) }
        lines += receipt.warnings.map { "warning: " + $0 }
        if let counts = receipt.counts, counts.uncertain > 0, let job = receipt.job {
            lines.append("\(counts.uncertain) uncertain: see campaignctl uncertain \(job)")
        }
        return lines + ["receipt: " + place]
    }

    private static func figures(_ counts: Receipt.Counts) -> String {
        let others = [
            (counts.queued + counts.inFlight, "queued"), (counts.bounced, "bounced"), (counts.uncertain, "uncertain"),
            (counts.withheld, "withheld"), (counts.expired, "expired"), (counts.cancelled, "cancelled"),
        ]
        let rest = others.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        return (["\(counts.sent) of \(counts.recipients) sent"] + rest).joined(separator: ", ")
    }

    static func words(_ counts: [String: Int]) -> String {
        counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }
}

import Ledger
import Mailing
import Spool

/// What a command found out, for people and for programs.
protocol Report {
    /// Lines for people.
    var lines: [String] { get }
    /// The same for programs, with the names of the receipts.
    var json: JSONText { get }
}

extension CommonOptions {
    func show(_ report: some Report) {
        if json { Terminal.say(document: report.json.document) } else { Terminal.say(report.lines) }
    }

    /// Opens the ledger of the daemon to look at it.
    func ledger(of path: String) throws(CommandFailure) -> LedgerReader {
        do throws(LedgerError) {
            return try LedgerReader(path: path)
        } catch {
            throw CommandFailure(error)
        }
    }
}

extension CommandFailure {
    init(_ error: LedgerError) {
        let status: Status =
            switch error {
            case .unreadable: .permission
            case .absent: .unavailable
            case .locked, .storage: .temporary
            default: error.isConfiguration ? .configuration : .refused
            }
        self.init(error.description, status: status)
    }

    /// A question to the ledger.
    static func asking<Value>(_ question: () throws(LedgerError) -> Value) throws(CommandFailure) -> Value {
        do throws(LedgerError) {
            return try question()
        } catch {
            throw CommandFailure(error)
        }
    }

    /// The job id that was typed.
    static func job(_ text: String) throws(CommandFailure) -> JobID {
        guard let job = JobID(text) else { throw CommandFailure("“\(text)” is no id of a campaign") }
        return job
    }
}

enum ReportText {
    /// Texts come from relays and lists too: nothing in them steers the terminal or begins a line of its own.
    static func clean(_ text: String) -> String {
        var clean = ""
        for scalar in text.unicodeScalars {
            clean.unicodeScalars.append(steers(scalar) ? "\u{FFFD}" : scalar)
        }
        return clean
    }

    /// Whether a terminal obeys it instead of showing it: control characters, and what turns lines or directions.
    static func steers(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// Columns of their greatest width, two spaces between them; numbers to the right.
    static func table(_ rows: [[String]], numbers: Set<Int> = []) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let pad = String(repeating: " ", count: widths[column] - cell.count)
                return numbers.contains(column) ? pad + cell : cell + pad
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    static func time(_ time: Timestamp?) -> String {
        // To the second: nobody reads more.
        time.map { Timestamp(milliseconds: $0.milliseconds / 1000 * 1000).rfc3339 } ?? "-"
    }

    /// `3 x, 2 y`, the greatest first; “none” for nothing.
    static func words(_ counts: [String: Int]) -> String {
        let sorted = counts.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return sorted.isEmpty ? "none" : sorted.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }

    static func duration(seconds: Int64) -> String {
        switch seconds {
        case ..<60: "\(max(0, seconds)) s"
        case ..<3600: "\(seconds / 60) min"
        case ..<86_400: "\(seconds / 3600) h \(seconds / 60 % 60) min"
        default: "\(seconds / 86_400) days \(seconds / 3600 % 24) h"
        }
    }
}

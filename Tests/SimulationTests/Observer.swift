import Foundation
import Synchronization
import TestSupport

/// What was seen of a world from outside: the spool's receipts, and what the relays were given.
struct Record: Sendable {
    /// A withdrawal, and when its receipt was first seen, in true nanoseconds.
    struct Withdrawal: Sendable {
        var address: String
        var seenAt: Int64?
    }

    /// From which relay to which other one a control job gives what waits.
    struct Route: Sendable {
        var from: String
        var to: String
    }

    /// A control job, when it was dropped, and when its receipt was first seen, in true nanoseconds.
    struct Control: Sendable {
        var action: String
        var campaign: String
        var settlement: String?
        /// Whom it is about; nil for everybody.
        var address: String?
        var route: Route?
        var droppedAt: Int64
        var seenAt: Int64?
        var isRejected = false
    }

    /// What the configuration file said of the relays from a moment on.
    struct Tables: Sendable {
        var relays: [Scenario.Relay]
        var writtenAt: Int64
        /// Since when the daemon is known to go by it, or by a later one; nil if it is not.
        var inForceAt: Int64?
    }

    var tables: [Tables] = []
    /// Somebody set the wall clock, by so many seconds.
    var steppedWalls: [(at: Int64, seconds: Int64)] = []
    var dots: [SimulatedRelay.Dot] = []
    /// In true nanoseconds.
    var crashedAt: [Int64] = []
    var crashes: Int { crashedAt.count }
    /// How many deliveries may be in doubt though their relay answered: one a relay for each crash, and for each run in
    /// which the disk failed.
    var doubtsOfCrashes = 0
    /// Steps of each run.
    var steps: [Int] = []
    /// Those of them before each daemon waited for anything for the first time.
    var recoveries: [Int] = []
    var failedSteps = 0
    var objections: [String] = []
    var withdrawals: [String: Withdrawal] = [:]
    var controls: [String: Control] = [:]
    var receipts: [String: JobReceipt] = [:]
    var recipients: [String: [[String: String]]] = [:]
    /// Whether every job has come to its end.
    var isComplete = false
    var journal: [String] = []

    /// With what the id of the report of a campaign begins.
    static func reportPrefix(_ campaign: String) -> String { "\(campaign).report-" }
}

/// Watches a world while it is played.
final class Observer: Sendable {
    private struct State {
        var record = Record()
        var open: Set<String> = []
        /// Campaigns whose report was not seen to its end.
        var reports: Set<String> = []
        /// Open, but waiting for a person.
        var waiting: Set<String> = []
        var completeSince: Int64?
        var relays = 0
    }

    private let state = Mutex(State())

    /// Whether every job has come to its end, or waits for a person, and has for two seconds.
    func isComplete(at moment: Int64) -> Bool {
        state.withLock { state in
            // What is not over is not reported on yet.
            guard state.open.subtracting(state.waiting).isEmpty, state.reports.isSubset(of: state.open) else {
                state.completeSince = nil
                return false
            }
            let since = state.completeSince ?? moment
            state.completeSince = since
            return moment - since >= 2_000_000_000
        }
    }

    func mayDoubt(_ relays: Int) { state.withLock { $0.relays = relays } }

    func crashed(at moment: Int64) {
        state.withLock { state in
            state.record.crashedAt.append(moment)
            state.record.doubtsOfCrashes += state.relays
        }
    }

    func object(_ sentence: String) { state.withLock { $0.record.objections.append(sentence) } }
    func expects(_ job: String) { state.withLock { _ = $0.open.insert(job) } }

    func expectsReport(of campaign: String) { state.withLock { _ = $0.reports.insert(campaign) } }

    func withdraws(_ address: String, job: String) {
        state.withLock { $0.record.withdrawals[job] = Record.Withdrawal(address: address) }
    }

    func controls(_ control: Record.Control, job: String) {
        state.withLock {
            $0.record.controls[job] = control
            // Whoever settles with “resend”, or goes on, opens the campaign again.
            let reopens = control.settlement != nil || ["resume", "approve"].contains(control.action)
            if reopens { $0.open.insert(control.campaign) }
        }
    }

    /// The configuration file has other relays from now on.
    func configures(_ relays: [Scenario.Relay], at moment: Int64) {
        state.withLock { $0.record.tables.append(Record.Tables(relays: relays, writtenAt: moment)) }
    }

    /// The daemon goes by what the configuration file said at the latest when it was asked to read it.
    func configured(at moment: Int64) {
        state.withLock { state in
            for index in state.record.tables.indices where state.record.tables[index].inForceAt == nil {
                state.record.tables[index].inForceAt = moment
            }
        }
    }

    func stepped(_ seconds: Int64, at moment: Int64) {
        state.withLock { $0.record.steppedWalls.append((moment, seconds)) }
    }

    func left(_ machine: Machine, run: Int) {
        state.withLock { state in
            state.record.steps.append(machine.disk.steps)
            state.record.recoveries.append(machine.recovery)
            state.record.failedSteps += machine.disk.failed
            if machine.disk.failed > 0, !machine.disk.hasCrashed { state.record.doubtsOfCrashes += state.relays }
            state.record.journal += ["--- run \(run)"] + machine.journal
        }
    }

    /// A dot to somebody whose withdrawal was answered before instant 2 can only be a breach of consent.
    func saw(_ dot: SimulatedRelay.Dot) {
        state.withLock { state in
            for withdrawal in state.record.withdrawals.values where withdrawal.address == dot.recipient {
                if let seen = withdrawal.seenAt, dot.at - seen > Observer.grace {
                    state.record.objections.append("\(dot.recipient) got a message after the withdrawal was answered")
                }
            }
        }
    }

    /// The intent is recorded at most so long before its dot, in nanoseconds.
    static let grace: Int64 = 10_000_000

    /// Reads the receipts of what is open.
    func look(_ spool: String, at moment: Int64) throws {
        let (open, reports) = state.withLock { ($0.open, $0.reports) }
        guard !open.isEmpty || !reports.isEmpty else { return }
        let directory = try SpoolDirectory(path: spool)
        for campaign in reports where try Observer.isReported(campaign, in: directory) {
            state.withLock { _ = $0.reports.remove(campaign) }
        }
        for job in open.sorted() {
            guard let receipt = try Observer.receipt(job, in: directory)?.receipt else { continue }
            let waits = ["paused", "held"].contains(receipt.state)
            let isOver = ["rejected", "finished", "cancelled", "expired"].contains(receipt.state)
            state.withLock { state in
                if waits { state.waiting.insert(job) } else { state.waiting.remove(job) }
                guard isOver else { return }
                if state.record.withdrawals[job]?.seenAt == nil { state.record.withdrawals[job]?.seenAt = moment }
                if state.record.controls[job]?.seenAt == nil { state.record.controls[job]?.seenAt = moment }
                if receipt.state == "rejected" { state.record.controls[job]?.isRejected = true }
                state.open.remove(job)
            }
        }
    }

    func record(_ spool: String, dots: [SimulatedRelay.Dot], isComplete: Bool) throws -> Record {
        let directory = try SpoolDirectory(path: spool)
        var record = state.withLock { $0.record }
        record.dots = dots
        record.isComplete = isComplete
        for name in directory.names(in: "receipts") {
            guard let found = try Observer.receipt(name, in: directory) else { continue }
            record.receipts[name] = found.receipt
            record.recipients[name] = try directory.recipients(found.name)
        }
        return record
    }

    /// Whether the report of a campaign has come to its end, or there is nothing to report on.
    private static func isReported(_ campaign: String, in directory: SpoolDirectory) throws -> Bool {
        if try directory.receipt(campaign)?.state == "rejected" { return true }
        let names = directory.names(in: "receipts").filter { $0.hasPrefix(Record.reportPrefix(campaign)) }
        return try names.contains { name in
            guard let receipt = try receipt(name, in: directory)?.receipt else { return false }
            return ["finished", "expired", "cancelled", "paused", "held"].contains(receipt.state)
        }
    }

    /// The receipt of a job: where it came a second time, and the second drop was taken first, that of the first taken.
    private static func receipt(
        _ name: String, in directory: SpoolDirectory
    ) throws -> (receipt: JobReceipt, name: String)? {
        guard let receipt = try directory.receipt(name) else { return nil }
        guard let first = receipt.json["firstReceipt"]?.string else { return (receipt, name) }
        return try directory.receipt(first).map { ($0, first) }
    }
}

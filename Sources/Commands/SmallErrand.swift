import ArgumentParser
import Daemon
import Foundation
import Glibc
import Mailing
import Spool

/// What every command takes that has a small job done: a control or consent job of its own making.
struct SmallJobOptions: ParsableArguments {
    @Flag(help: "Do not wait for the answer.")
    var noWait = false

    @OptionGroup var common: CommonOptions

    /// How long the answer is waited for, in seconds.
    static let patience: Int64 = 30
}

/// A job that a command makes, drops and waits for.
struct SmallErrand {
    let options: SmallJobOptions
    /// What is done, as in “pause”: part of the job's id.
    let verb: String

    /// Drops the job and says what became of it.
    ///
    /// - Parameters:
    ///   - job: The document for an id and a moment.
    ///   - done: What to say when it is done.
    func run<Document: Encodable>(
        _ job: (String, Timestamp) -> Document, done: (Receipt, DropErrand) async throws -> String
    ) async throws {
        let clocks = try SystemClocks()
        let door = try SpoolDoor(try options.common.configuration())
        let now = clocks.wall
        let id = SmallErrand.freshID(verb, now: now)
        let bytes = Array(try JSONEncoder().encode(job(id, now)))
        if case .failure(let found) = JobReader.read(bytes, file: id + ".json", form: .single) {
            throw ValidationError(found.errors.map { ReportText.clean($0.message) }.joined(separator: "\n"))
        }
        let draft = try door.attempt { () throws(SpoolError) in try door.writer.draft(bytes, name: id) }
        if !options.noWait { Interrupt.expect() }
        var errand = try DropErrand(
            draft, door: door, job: id, sha256: nil, awaits: !options.noWait, clocks: clocks)
        if options.noWait {
            let text = "dropped as \(errand.drop.text); its answer will be the receipt \(id)"
            try say([text], errand, nil)
            if let doubt = errand.doubt { throw CommandFailure(doubt, status: .temporary) }
            return
        }
        if let doubt = errand.doubt { Terminal.complain("campaignctl: " + doubt) }
        switch try await errand.answer(within: SmallJobOptions.patience, note: { _ in }) {
        case .receipt(let found):
            if found.receipt.state == .rejected {
                if options.common.json { try say([], errand, found) }
                throw CommandFailure(found.receipt.errors.map(\.message))
            }
            let lines = [try await done(found.receipt, errand)] + found.receipt.warnings.map { "warning: " + $0 }
            try say(lines, errand, found)
        case .waiting: throw CommandFailure(errand.notTaken, status: .temporary)
        case .underWay:
            throw CommandFailure(
                "campaignd has taken \(errand.drop.text) and is still at work; its answer will be the receipt \(id)",
                status: .temporary)
        case .interrupted:
            Terminal.complain("stopped waiting; \(errand.drop.text) was dropped, its answer will be the receipt \(id)")
            throw ExitCode(Interrupt.status)
        }
    }

    private func say(_ lines: [String], _ errand: DropErrand, _ found: ReceiptReader.Found?) throws {
        guard options.common.json else { return Terminal.say(lines) }
        let doubts = found == nil ? [errand.doubt].compactMap { $0 } : []
        var output = DropOutput(
            drop: errand.drop.text, isDropped: true, errors: [], warnings: found?.receipt.warnings ?? doubts)
        output.receiptName = found?.name.text
        output.receipt = found.map { DocumentOutput(value: $0.document) }
        Terminal.say(document: try JSONOutput.text(output))
    }

    /// Never given twice: the moment to the second, and 64 random bits.
    static func freshID(_ verb: String, now: Timestamp) -> String {
        let whole = Timestamp(milliseconds: now.milliseconds / 1000 * 1000)
        let moment = whole.rfc3339.filter { $0 != "-" && $0 != ":" }
        let chance = String(UInt64.random(in: .min ... .max), radix: 16)
        let filled = String(repeating: "0", count: 16 - chance.count) + chance
        return "campaignctl-\(verb)-\(moment)-\(filled)"
    }
}

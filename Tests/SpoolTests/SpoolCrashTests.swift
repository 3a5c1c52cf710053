import Mailing
import Testing

@testable import Spool

/// The life of a drop, cut off after every step and taken up again by a new process that knows only the files and
/// the ledger. Whatever the step, the job must be planned exactly once and answered exactly once.
struct SpoolCrashTests {
    private struct Crash: Error {}

    /// What the real ledger keeps for ever: a job's id, its identity, its claim and the name of its receipt.
    private final class Ledger {
        struct Entry: Equatable {
            var claim: String
            var sha256: String
            var receipt: String
        }
        var jobs: [JobID: Entry] = [:]
        var plans = 0
        var repeats = 0
    }

    /// Takes in everything that is claimed or pending, and crashes after so many steps.
    private struct Intake {
        let spool: SpoolDirectory
        let ledger: Ledger
        let now: Timestamp
        var stepsLeft: Int

        mutating func step() throws {
            stepsLeft -= 1
            if stepsLeft < 0 { throw Crash() }
        }

        mutating func run() throws {
            _ = try spool.sweep()
            for drop in try spool.claimed() { try take(drop) }
            var hints = IncomingHints()
            for pending in try spool.pending(hints: &hints, now: now).drops {
                guard case .claimed(let drop) = try spool.claim(pending) else { continue }
                try step()
                try take(drop)
            }
        }

        mutating func take(_ drop: ClaimedDrop) throws {
            if let (id, entry) = ledger.jobs.first(where: { $0.value.claim == drop.id }) {
                try finish(drop, id, entry)
                return
            }
            let inspection = try spool.inspect(drop)
            try step()
            guard let sha256 = inspection.sha256 else {
                try reject(drop, inspection)
                return
            }
            let id = try #require(JobID(String(decoding: try spool.jobFile(of: inspection), as: UTF8.self)))
            if ledger.jobs[id]?.sha256 == sha256 {
                try spool.discard(drop)
                try step()
                ledger.repeats += 1
                return
            }
            let name = try spool.reserveReceipt(inspection.name, owner: drop.id)
            try step()
            try spool.keep(drop, as: id)
            try step()
            let entry = Ledger.Entry(claim: drop.id, sha256: sha256, receipt: name.text)
            ledger.jobs[id] = entry
            ledger.plans += 1
            try step()
            try spool.planned(drop)
            try step()
            try finish(drop, id, entry)
        }

        mutating func finish(_ drop: ClaimedDrop, _ id: JobID, _ entry: Ledger.Entry) throws {
            let name = try #require(ReceiptName(entry.receipt))
            try spool.write(Receipt(job: id.text, kind: "campaign", state: .planned), to: name)
            try step()
            try spool.accept(drop, as: id)
            try step()
        }

        mutating func reject(_ drop: ClaimedDrop, _ inspection: Inspection) throws {
            let name = try spool.reserveReceipt(inspection.name, owner: drop.id)
            try step()
            var receipt = Receipt(job: nil, kind: nil, state: .rejected)
            receipt.errors = inspection.errors
            try spool.write(receipt, to: name)
            try step()
            try spool.reject(drop, receipt: receipt, as: name)
            try step()
        }
    }

    /// Runs until there is nothing left to do, with a crash after `steps` steps. True if it did crash.
    private func runWithCrash(after steps: Int, _ fixture: SpoolFixture, _ ledger: Ledger) throws -> Bool {
        var isCrashed = false
        do {
            var intake = Intake(
                spool: try fixture.reopened(), ledger: ledger, now: fixture.later, stepsLeft: steps)
            try intake.run()
        } catch is Crash {
            isCrashed = true
        }
        var again = Intake(spool: try fixture.reopened(), ledger: ledger, now: fixture.later, stepsLeft: .max)
        try again.run()
        return isCrashed
    }

    @Test func `a crash after any step loses no drop, plans none twice and answers each once`() throws {
        var steps = 0
        while true {
            let fixture = try SpoolFixture()
            let ledger = Ledger()
            try fixture.drop("good.job", ["job.json": "job-1", "list.csv": "email"])
            try fixture.drop("bad.job", ["list.csv": "email"])
            let isCrashed = try runWithCrash(after: steps, fixture, ledger)

            let id = try #require(JobID("job-1"))
            #expect(ledger.plans == 1, "after \(steps) steps")
            #expect(ledger.repeats == 0, "after \(steps) steps")
            #expect(try fixture.list("receipts") == ["bad", "good"], "after \(steps) steps")
            #expect(try fixture.list("rejected") == ["bad"], "after \(steps) steps")
            #expect(try fixture.list("rejected/bad") == ["bad.job", "receipt.json"])
            #expect(try fixture.read("rejected/bad/bad.job/list.csv") == "email")
            #expect(try fixture.spool.keptJobs() == [id])
            #expect(try fixture.read("work/kept/job-1/list.csv") == "email")
            for directory in ["incoming", "work/claimed", "work/removed"] {
                #expect(try fixture.list(directory).isEmpty, "\(directory) after \(steps) steps")
            }
            #expect(try fixture.list("work/kept") == ["job-1"])
            if !isCrashed { break }
            steps += 1
        }
        #expect(steps > 10, "the sweep must have met every step")
    }

    @Test func `the same drop again is one plan and one repeat, whenever it crashes`() throws {
        for steps in 0..<6 {
            let fixture = try SpoolFixture()
            let ledger = Ledger()
            try fixture.drop("good.json", ["": "job-1"])
            _ = try runWithCrash(after: .max, fixture, ledger)
            try fixture.drop("good.json", ["": "job-1"])
            _ = try runWithCrash(after: steps, fixture, ledger)
            #expect(ledger.plans == 1)
            #expect(try fixture.list("receipts") == ["good"])
            #expect(try fixture.list("work/kept") == ["job-1"])
        }
    }

    @Test func `a drop that kills the daemon is known by its attempts`() throws {
        let fixture = try SpoolFixture()
        let ledger = Ledger()
        try fixture.drop("good.json", ["": "job-1"])
        for attempts in 1...3 {
            var intake = Intake(
                spool: try fixture.reopened(), ledger: ledger, now: fixture.later, stepsLeft: attempts == 1 ? 1 : 0)
            #expect(throws: Crash.self) { try intake.run() }
            #expect(try fixture.reopened().claimed().map(\.attempts) == [attempts])
        }
    }
}

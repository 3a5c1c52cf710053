import ArgumentParser
import Daemon
import Ledger
import Mailing
import Spool

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Says what campaignd would answer to a job, and drops nothing.",
        discussion: """
            Where the ledger may be read, as root for example, it also says what the plan of a campaign would be, and \
            whether its submitter has too much under way. The job is judged as if you dropped it, unless --as says who.
            """)

    @Argument(
        help: "The job: a file NAME.json, or a directory NAME.job with job.json and the files that it names.",
        completion: .file())
    var path: String

    @Option(name: .customLong("as"), help: "The user who is to drop it. Default: you.")
    var user: String?

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await CommandFailure.reported {
            let clocks = try SystemClocks()
            let configuration = try JobFile.readableConfiguration(common)
            let source = try JobFile.source(path)
            let job = try JobFile.examine(source, configuration, as: user, now: clocks.wall)
            var notes: [String] = []
            if configuration == nil {
                notes.append("\(common.config) may not be read: relays, rights and presets were not checked")
            }
            var trial: JobTrial?
            if let configuration, job.errors.isEmpty {
                trial = try await JobTrial(job, configuration: configuration, now: clocks.wall)
                if let why = trial?.notTried { notes.append(why) }
            }
            let errors = job.errors + (trial?.errors ?? [])
            let warnings = job.warnings + (trial?.warnings ?? [])
            if common.json {
                let output = CheckOutput(
                    drop: source.drop.text, kind: job.kind, job: job.id, errors: errors.map(FaultText.output),
                    warnings: warnings, notes: notes, plan: trial?.plan.map(PlanOutput.init))
                Terminal.say(document: try JSONOutput.text(output))
            } else {
                say(job, errors: errors, warnings: warnings, notes: notes, plan: trial?.plan)
            }
            guard errors.isEmpty else { throw ExitCode(CommandFailure.Status.refused.rawValue) }
        }
    }

    private func say(
        _ job: JobExamination, errors: [JobError], warnings: [String], notes: [String], plan: JobTrial.Plan?
    ) {
        var lines = errors.map(FaultText.line)
        if errors.isEmpty {
            lines.append("\(path): a good job, \(job.kind ?? "") “\(job.id ?? "")”")
            if let plan { lines += CheckCommand.lines(plan) }
        } else {
            lines.append(errors.count == 1 ? "1 error" : "\(errors.count) errors")
        }
        lines += warnings.map { "warning: " + $0 } + notes.map { "note: " + $0 }
        Terminal.say(lines)
    }

    static func lines(_ plan: JobTrial.Plan) -> [String] {
        let counts = plan.counts
        var lines = ["recipients: \(counts.recipients), of which \(counts.queued) would be sent to now"]
        if counts.withheld > 0 { lines.append("withheld: \(counts.withheld): \(ReceiptText.words(plan.withheld))") }
        if plan.relays.count > 1 {
            lines.append("relays: \(ReceiptText.words(plan.relays))")
        }
        if let finish = plan.estimatedFinish { lines.append("ends about \(finish), if its relays have nothing else") }
        if let held = plan.heldBecause { lines.append("it would be held: \(held)") }
        return lines
    }
}

/// What `check --json` prints.
private struct CheckOutput: Encodable {
    let drop: String
    let kind: String?
    let job: String?
    let errors: [ErrorOutput]
    let warnings: [String]
    let notes: [String]
    let plan: PlanOutput?
}

private struct PlanOutput: Encodable {
    struct Counts: Encodable {
        let recipients: Int
        let queued: Int
        let withheld: Int
    }

    let state: String
    let counts: Counts
    let withheld: [String: Int]
    let consent: [String: Int]
    let relays: [String: Int]
    let estimatedFinish: String?
    let pausedBecause: String?

    init(_ plan: JobTrial.Plan) {
        state = plan.state
        counts = Counts(
            recipients: plan.counts.recipients, queued: plan.counts.queued, withheld: plan.counts.withheld)
        withheld = plan.withheld
        consent = plan.consent
        relays = plan.relays
        estimatedFinish = plan.estimatedFinish?.rfc3339
        pausedBecause = plan.heldBecause
    }
}

import ArgumentParser
import Daemon
import Glibc
import Mailing
import Spool

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Checks a job and drops it for campaignd.",
        discussion: """
            A copy is checked and dropped; what lies at PATH stays as it is. Nothing that waits for campaignd is ever \
            replaced. Who may drop jobs: root and the members of the group campaignd-submit.
            """)

    @Argument(
        help: "The job: a file NAME.json, or a directory NAME.job with job.json and the files that it names.",
        completion: .file())
    var path: String

    @Option(help: "What drop and receipt are called. Default: as PATH, without its suffix.")
    var name: String?

    @Flag(help: "Wait until the job has ended, and show how it goes. Ctrl-C ends the waiting only.")
    var wait = false

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await CommandFailure.reported {
            let clocks = try SystemClocks()
            let configuration = try common.configuration()
            let submitter = try JobFile.submitter()
            let door = try SpoolDoor(configuration)
            let source = try JobFile.source(path, name: name)
            guard try !door.attempt({ () throws(SpoolError) in try door.writer.isTaken(source.drop) }) else {
                throw DropErrand.taken(source.drop)
            }
            let (made, copy) = try door.attempt { () throws(SpoolError) in try door.writer.draft(source) }
            let daemonUser = try door.attempt { () throws(SpoolError) in try door.writer.daemonUser() }
            let job = JobExamination(
                copy, configuration: configuration, submitter: submitter, daemonUser: daemonUser, now: clocks.wall)
            guard let draft = made, job.errors.isEmpty else {
                if let made { try door.attempt { () throws(SpoolError) in try door.writer.discard(made) } }
                throw try refusal(job, source.drop)
            }
            if wait { Interrupt.expect() }
            let errand = try DropErrand(
                draft, door: door, job: job.id, sha256: job.sha256, awaits: wait, clocks: clocks)
            if wait { return try await follow(errand, job) }
            try say(errand, job)
            if let doubt = errand.doubt { throw CommandFailure(doubt, status: .temporary) }
        }
    }

    private func refusal(_ job: JobExamination, _ drop: DropName) throws -> CommandFailure {
        if common.json {
            Terminal.say(
                document: try JSONOutput.text(
                    DropOutput(drop: drop.text, isDropped: false, errors: job.errors, warnings: job.warnings)))
        }
        return CommandFailure(["\(path) was not dropped:"] + job.errors.map(FaultText.line))
    }

    private func say(_ errand: DropErrand, _ job: JobExamination) throws {
        guard !common.json else {
            let warnings = job.warnings + [errand.doubt].compactMap { $0 }
            let output = DropOutput(drop: errand.drop.text, isDropped: true, errors: [], warnings: warnings)
            return Terminal.say(document: try JSONOutput.text(output))
        }
        for warning in job.warnings { Terminal.complain("warning: " + warning) }
        Terminal.say("dropped as \(errand.drop.text); its answer will be the receipt \(errand.drop.receiptName)")
    }

    private func follow(_ errand: DropErrand, _ job: JobExamination) async throws {
        var errand = errand
        var display = ProgressDisplay(isShown: !common.json)
        display.line("dropped as \(errand.drop.text)")
        if let doubt = errand.doubt { Terminal.complain("campaignctl: " + doubt) }
        let answer = try await errand.answer(within: nil) { Terminal.complain("campaignctl: " + $0) }
        guard case .receipt(var found) = answer else { throw interrupted(&display, errand, nil) }
        if let first = found.receipt.firstReceipt.flatMap(ReceiptName.init), let known = try errand.current(first) {
            found = known
        }
        if errand.cameBefore(found), found.receipt.state != .rejected {
            display.line("the same job was dropped before; nothing is done twice")
        }
        while !found.receipt.state.isFinal {
            guard !Interrupt.hasCome else { throw interrupted(&display, errand, found) }
            display.show(found.receipt, at: errand.clocks.boot)
            try await errand.pause(milliseconds: 500)
            if let now = try errand.current(found.name) { found = now }
        }
        display.end()
        try tell(found, errand)
    }

    private func interrupted(
        _ display: inout ProgressDisplay, _ errand: DropErrand, _ found: ReceiptReader.Found?
    ) -> ExitCode {
        display.end()
        let name = found?.name.text ?? errand.drop.receiptName
        Terminal.complain("stopped waiting; the job goes on, see the receipt \(name)")
        return ExitCode(Interrupt.status)
    }

    private func tell(_ found: ReceiptReader.Found, _ errand: DropErrand) throws {
        let receipt = found.receipt
        if common.json {
            var output = DropOutput(drop: errand.drop.text, isDropped: true, errors: [], warnings: receipt.warnings)
            output.receiptName = found.name.text
            output.receipt = DocumentOutput(value: found.document)
            Terminal.say(document: try JSONOutput.text(output))
        }
        if receipt.state == .rejected {
            throw CommandFailure(["\(errand.drop.text) was rejected:"] + receipt.errors.map(FaultText.line))
        }
        if !common.json { Terminal.say(ReceiptText.lines(receipt, place: errand.path(of: found))) }
        guard receipt.state == .finished else { throw ExitCode(CommandFailure.Status.refused.rawValue) }
    }
}

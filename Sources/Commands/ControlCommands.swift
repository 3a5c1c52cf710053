import ArgumentParser
import Mailing
import Spool

/// What every command takes that changes the course of one campaign.
struct ControlOptions: ParsableArguments {
    @Argument(help: "The campaign: the id of its job.", completion: CampaignCompletion.kind)
    var campaign: String

    @Option(help: "Why; shown in the campaign's receipt while it is paused.")
    var reason: String?

    @OptionGroup var job: SmallJobOptions

    func validate() throws {
        guard JobID.isValid(campaign) else {
            throw ValidationError("“\(campaign)” is no id of a campaign: look it up in its receipt.")
        }
    }

    /// Has it done, and says in which state the campaign is then.
    ///
    /// - Parameter expected: The states that show that the receipt is of after it.
    func carryOut(_ action: ControlJob.Action, expected: Set<Receipt.State>) async throws {
        try await CommandFailure.reported {
            let errand = SmallErrand(options: job, verb: action.rawValue)
            try await errand.run { id, _ in
                ControlDocument(id: id, campaign: campaign, action: action.rawValue, reason: reason)
            } done: { _, errand in
                guard let words = try await state(errand, expected: expected) else {
                    return "\(action.rawValue) of \(campaign) is done"
                }
                return "\(campaign) is \(words)"
            }
        }
    }

    /// The receipt follows within half a second. It has the campaign's name if its drop had; else nothing is known.
    private func state(_ errand: DropErrand, expected: Set<Receipt.State>) async throws -> String? {
        guard let name = ReceiptName(campaign) else { return nil }
        for _ in 0..<15 {
            guard let receipt = try errand.current(name)?.receipt, receipt.job == campaign else { return nil }
            // Paused before, for another reason.
            let isOlder = receipt.state == .paused && reason != nil && receipt.pausedBecause != reason
            if expected.contains(receipt.state), !isOlder {
                return receipt.state.rawValue + (receipt.pausedBecause.map { ": \($0)" } ?? "")
            }
            try await errand.pause(milliseconds: 100)
        }
        return nil
    }
}

/// A control job as it is dropped.
struct ControlDocument: Encodable {
    var kind = "control"
    var id: String
    var campaign: String
    var action: String
    var reason: String?
    var settlement: String?
    var address: String?
    var from: String?
    var to: String?

    enum CodingKeys: String, CodingKey {
        case kind, id, campaign, action, reason, address, from, to
        case settlement = "as"
    }
}

struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Stops a campaign until it is resumed.")

    @OptionGroup var options: ControlOptions

    func run() async throws { try await options.carryOut(.pause, expected: [.paused]) }
}

struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Lets a paused campaign go on.",
        discussion: "A campaign that waited for approval when it was paused waits for it again.")

    @OptionGroup var options: ControlOptions

    func run() async throws {
        try await options.carryOut(.resume, expected: [.running, .scheduled, .held, .finished])
    }
}

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Ends a campaign for good: what has not left does not leave.")

    @OptionGroup var options: ControlOptions

    func run() async throws { try await options.carryOut(.cancel, expected: [.cancelled]) }
}

struct ApproveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Lets a campaign go that is held: after its test mail, or as a repetition.")

    @OptionGroup var options: ControlOptions

    func run() async throws {
        try await options.carryOut(.approve, expected: [.running, .scheduled, .finished])
    }
}

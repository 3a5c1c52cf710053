import ArgumentParser
import Mailing

struct SettleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settle", abstract: "Ends the doubt about messages that are uncertain.",
        discussion: """
            As “sent” a message is closed for good. As “resend” it is queued again: if the relay had taken it after \
            all, that is a second mail. Look for its Message-ID in the relay's log first.
            """)

    enum Target: String, ExpressibleByArgument, CaseIterable {
        case sent
        case resend
    }

    @Argument(help: "The campaign: the id of its job.", completion: CampaignCompletion.kind)
    var campaign: String

    @Option(help: "Only this recipient.")
    var address: String?

    @Flag(help: "All of the campaign that are uncertain.")
    var all = false

    @Option(name: .customLong("as"), help: "What became of it: sent or resend.")
    var target: Target

    @Option(help: "How you know; kept for ever.")
    var reason: String

    @OptionGroup var job: SmallJobOptions

    func validate() throws {
        guard JobID.isValid(campaign) else {
            throw ValidationError("“\(campaign)” is no id of a campaign: look it up in its receipt.")
        }
        guard all != (address != nil) else {
            throw ValidationError("Say whom: either --address ADDRESS or --all.")
        }
    }

    func run() async throws {
        try await CommandFailure.reported {
            try await SmallErrand(options: job, verb: "settle").run { id, _ in
                ControlDocument(
                    id: id, campaign: campaign, action: "settle", reason: reason, settlement: target.rawValue,
                    address: address)
            } done: { receipt, _ in
                let count = receipt.registered["settled"] ?? 0
                let outcome = target == .sent ? "settled as sent" : "queued again"
                return count == 1 ? "1 message is \(outcome)" : "\(count) messages are \(outcome)"
            }
        }
    }
}

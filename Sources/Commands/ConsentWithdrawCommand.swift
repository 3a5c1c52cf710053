import ArgumentParser
import Mailing

struct ConsentWithdrawCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Records that somebody wants no more mail for a purpose.",
        discussion: "It counts at once, also for what is queued. Only the person's own act undoes it.")

    enum Actor: String, ExpressibleByArgument, CaseIterable {
        case `operator`
        case recipient
    }

    @Argument(help: "Whose will it is.")
    var address: String

    @Option(help: "What the mail was about: the purpose that campaigns name.")
    var purpose: String

    @Option(help: "How it was said, such as “telephone, main desk”; kept for ever.")
    var source: String

    @Option(
        help: """
            Who decided. “recipient” is believed from the users that the configuration names; of others it is noted \
            as “operator”.
            """)
    var by = Actor.operator

    @OptionGroup var job: SmallJobOptions

    private struct Document: Encodable {
        struct Event: Encodable {
            let address: String
            let purpose: String
            var event = "withdrawn"
            let by: String
            let source: String
            let at: String
        }

        var kind = "consent"
        let id: String
        let events: [Event]
    }

    func run() async throws {
        try await CommandFailure.reported {
            try await SmallErrand(options: job, verb: "withdraw").run { id, now in
                let event = Document.Event(
                    address: address, purpose: purpose, by: by.rawValue, source: source, at: now.rfc3339)
                return Document(id: id, events: [event])
            } done: { _, _ in
                "recorded: \(address) gets no more mail for “\(purpose)”"
            }
        }
    }
}

import ArgumentParser
import Daemon
import Mailing

struct RerouteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reroute", abstract: "Gives what a campaign has waiting for one relay to another one.",
        discussion: """
            For a relay that is dead, or not configured any more. Only what is queued moves, test mails included, and \
            nobody gets anything twice: what was handed over to the old relay, or may have been, stays with it.
            """)

    @Argument(help: "The campaign: the id of its job.", completion: CampaignCompletion.kind)
    var campaign: String

    @Option(
        help: "The relay for which the messages wait; it need not be configured any more.",
        completion: RelayCompletion.kind)
    var from: String

    @Option(
        help: "The relay that is to carry them; it has to be configured, and to carry the campaign's sender.",
        completion: RelayCompletion.kind)
    var to: String

    @Option(help: "Why; written to the journal.")
    var reason: String?

    @OptionGroup var job: SmallJobOptions

    func validate() throws {
        guard JobID.isValid(campaign) else {
            throw ValidationError("“\(campaign)” is no id of a campaign: look it up in its receipt.")
        }
        guard from != to else { throw ValidationError("--from and --to name the same relay.") }
    }

    func run() async throws {
        try await CommandFailure.reported {
            try await SmallErrand(options: job, verb: "reroute").run { id, _ in
                ControlDocument(id: id, campaign: campaign, action: "reroute", reason: reason, from: from, to: to)
            } done: { receipt, _ in
                words(receipt.registered)
            }
        }
    }

    /// - Parameter registered: What the receipt counts.
    func words(_ registered: [String: Int]) -> String {
        func messages(_ count: Int) -> String { count == 1 ? "1 message" : "\(count) messages" }
        let moved = registered["rerouted"] ?? 0
        var text = "\(messages(moved)) of \(campaign) \(moved == 1 ? "goes" : "go") by \(to) now instead of \(from)"
        if let doubtful = registered["uncertain"], doubtful > 0 {
            text +=
                "; \(messages(doubtful)) in doubt \(doubtful == 1 ? "stays" : "stay") with \(from): see campaignctl "
                + "uncertain \(campaign)"
        }
        if let open = registered["inFlight"], open > 0 {
            text += "; \(messages(open)) \(open == 1 ? "was" : "were") being handed over to \(from)"
        }
        return text
    }
}

/// Names of relays for the shell, from the configuration; none where there is any trouble.
enum RelayCompletion {
    static let kind = CompletionKind.custom { words, _, prefix in
        names(beginning: prefix, configuration: CommonOptions.configurationFile(of: words))
    }

    static func names(beginning prefix: String, configuration path: String) -> [String] {
        let names = (try? ConfigurationFile.load(path)).map { Array($0.relays.keys) } ?? []
        return names.filter { $0.hasPrefix(prefix) }.sorted()
    }
}

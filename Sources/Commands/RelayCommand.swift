import ArgumentParser
import Daemon
import Ledger
import Mailing
import Spool

struct RelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay", abstract: "Shows the relays.", subcommands: [RelayListCommand.self])
}

struct RelayListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the relays: where they are, what they carry, and what waits for them.")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        try await CommandFailure.reported {
            let configuration = try common.configuration()
            let ledger = try common.ledger(of: configuration.ledgerPath)
            let now = try Moment.now()
            let traffic = try CommandFailure.asking { () throws(LedgerError) in try ledger.traffic(now: now) }
            common.show(RelayList(configuration: configuration, traffic: traffic, now: now))
        }
    }
}

struct RelayList: Report {
    /// One relay and its state in a word.
    struct Entry {
        enum State: String {
            /// Something waits, and something left within the last five minutes.
            case sending
            /// Something waits, and nothing left of late: its campaigns are not running, or it cannot be reached.
            case waiting
            case idle
            /// Something waits for it, and nobody sends it.
            case notConfigured
        }

        let name: String
        let settings: Configuration.Relay?
        let traffic: RelayTraffic
        let state: State
    }

    let entries: [Entry]
    let limit: Int?

    init(configuration: Configuration, traffic: [String: RelayTraffic], now: Timestamp) {
        limit = configuration.messagesPerHour
        let open = traffic.filter { $0.value.queued + $0.value.inFlight + $0.value.uncertain > 0 }.keys
        entries = Set(configuration.relays.keys).union(open).sorted().map { name in
            let traffic = traffic[name] ?? RelayTraffic()
            let settings = configuration.relays[name]
            let isLate = (traffic.lastHandOverAt ?? .init(milliseconds: 0)) < now.adding(seconds: -300)
            let state: Entry.State =
                if settings == nil { .notConfigured } else if traffic.queued + traffic.inFlight == 0 { .idle } else {
                    isLate ? .waiting : .sending
                }
            return Entry(name: name, settings: settings, traffic: traffic, state: state)
        }
    }

    var lines: [String] {
        let head = ["RELAY", "STATE", "LAST HOUR", "LIMIT", "QUEUED", "UNCERTAIN", "LAST HAND-OVER", "URL"]
        let rows = entries.map { entry in
            [
                entry.name, entry.state == .notConfigured ? "not configured" : entry.state.rawValue,
                "\(entry.traffic.lastHour)", entry.settings.map { "\($0.messagesPerHour)/h" } ?? "-",
                "\(entry.traffic.queued + entry.traffic.inFlight)", "\(entry.traffic.uncertain)",
                ReportText.time(entry.traffic.lastHandOverAt), entry.settings?.url ?? "-",
            ]
        }
        let all = limit.map { ["limit over all relays: \($0)/h"] } ?? []
        return ReportText.table([head] + rows, numbers: [2, 3, 4, 5]) + all
    }

    var json: JSONText {
        .object([("relays", .array(documents)), ("messagesPerHour", .count(limit))])
    }

    var documents: [JSONText] { entries.map(RelayList.json) }

    private static func json(_ entry: Entry) -> JSONText {
        .object([
            ("relay", .string(entry.name)), ("url", .text(entry.settings?.url)),
            ("state", .string(entry.state.rawValue)),
            ("messagesPerHour", .count(entry.settings?.messagesPerHour)), ("lastHour", .count(entry.traffic.lastHour)),
            ("queued", .count(entry.traffic.queued)), ("inFlight", .count(entry.traffic.inFlight)),
            ("uncertain", .count(entry.traffic.uncertain)), ("lastHandOverAt", .time(entry.traffic.lastHandOverAt)),
        ])
    }
}

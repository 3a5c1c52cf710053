import Ledger
import Logging
import Mailing
import Synchronization

/// What the daemon tells the operator: one record an event, with fields of its own.
struct DaemonJournal: Sendable {
    private let logger: Logger
    private let key: LedgerKey
    private let settings: Settings
    private let storms = Storms()

    init(logger: Logger, key: LedgerKey, settings: Settings) {
        self.logger = logger
        self.key = key
        self.settings = settings
    }

    /// Events that an operator may act on; the catalog explains each.
    enum Event: String, CaseIterable {
        case delivery = "1ad1e6b2c7ad4d34a2c4d2f6f0b75b11"
        case uncertain = "6a5c8a6c9d0f4b0c8a0b8ce1f0a6b512"
        case paused = "0f3b1c7ce9a14bb48f0b7a3d5e2a9c13"
        case rejected = "b6a1d9f8e0c34f5f9b7b6e1d2c3a4f14"
        case accepted = "4c9e2f7a8b1d4e6f8a9b0c1d2e3f4a15"
        case ended = "7d2c1b0a9f8e4d6c8b7a6f5e4d3c2b16"
        case relayTrouble = "9e8d7c6b5a4f4e3d8c2b1a0f9e8d7c17"
        case ledgerTrouble = "2b3c4d5e6f7a4b8c9d0e1f2a3b4c5d18"
        case reloaded = "c1d2e3f4a5b64c7d8e9f0a1b2c3d4e19"
        case reloadRefused = "e5f6a7b8c9d04e1f8a2b3c4d5e6f7a1a"
        case recovered = "f0e1d2c3b4a54f6e8d7c9b8a7f6e5d1b"
    }

    func note(
        _ level: Logger.Level, _ event: Event?, _ message: String, _ fields: [String: String] = [:],
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        var metadata: Logger.Metadata = [:]
        for (name, value) in fields { metadata[name] = .string(value) }
        if let event { metadata["MESSAGE_ID"] = .string(event.rawValue) }
        let message = settings.current.showsAddresses ? message : masked(message)
        logger.log(level: level, "\(message)", metadata: metadata, file: file, function: function, line: line)
    }

    /// For trouble that is met again and again: once a minute for each kind and relay, with the number left out.
    func noteSeldom(
        _ level: Logger.Level, _ event: Event?, _ message: String, _ fields: [String: String] = [:], now: BootInstant,
        about subject: String = ""
    ) {
        let key = "\(event?.rawValue ?? "") \(subject) \(fields["RELAY"] ?? "")"
        let left: Int? = storms.counts.withLock { counts in
            if let known = counts[key], now.nanoseconds - known.shownAt.nanoseconds < DaemonJournal.quietTime {
                counts[key]?.left += 1
                return nil
            }
            let left = counts[key]?.left ?? 0
            if counts.count > 1000 { counts = [:] }
            counts[key] = (now, 0)
            return left
        }
        guard let left else { return }
        note(level, event, left == 0 ? message : "\(message) (and \(left) times before it)", fields)
    }

    private static let quietTime: Int64 = 60_000_000_000

    /// What was left out of the journal.
    private final class Storms: Sendable {
        let counts = Mutex<[String: (shownAt: BootInstant, left: Int)]>([:])
    }

    /// The one line of a delivery.
    func delivered(_ due: DueDelivery, relay: String, outcome: Outcome, reply: SMTPReply?, detail: String) {
        var fields = [
            "CAMPAIGN": due.job.text, "DELIVERY": "\(due.id)", "RELAY": relay, "OUTCOME": outcome.word,
            "RECIPIENT": shown(due.address),
        ]
        if let reply { fields["SMTP_CODE"] = "\(reply.code)" }
        if let enhanced = reply?.enhanced { fields["SMTP_ENHANCED_CODE"] = enhanced.description }
        let level: Logger.Level =
            switch outcome {
            case .sent: .info
            case .bounced, .deferred, .policyRefusal, .routeTrouble: .notice
            case .uncertain, .senderTrouble: .warning
            }
        let event: Event = outcome == .uncertain ? .uncertain : .delivery
        note(level, event, "\(outcome.word): \(shown(due.address)) by \(relay): \(detail)", fields)
    }

    /// A text with each address in it, such as a server's reply may hold, replaced by its pseudonym.
    func masked(_ text: String) -> String {
        guard text.contains("@") else { return text }
        let edges: Set<Character> = [" ", "<", ">", "(", ")", "“", "”", "\"", ",", ";", ":", "[", "]"]
        var result = ""
        var word = ""
        func close() {
            if let address = try? AddressText.read(word) { result += shown(address) } else { result += word }
            word = ""
        }
        for character in text {
            if edges.contains(character) {
                close()
                result.append(character)
            } else {
                word.append(character)
            }
        }
        close()
        return result
    }

    /// An address as the journal may show it: a pseudonym that is the same each time, unless configured otherwise.
    func shown(_ address: EmailAddress) -> String {
        if settings.current.showsAddresses { return address.text }
        return "recipient-" + key.token(for: "journal", address.key, digits: 12)
    }
}

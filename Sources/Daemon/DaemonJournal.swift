import Ledger
import Logging
import Mailing
import Synchronization

/// What the daemon tells the operator: one record an event, with fields of its own.
struct DaemonJournal: Sendable {
    private let logger: Logger
    private let key: LedgerKey
    /// What tells the ledger apart from all others.
    private let ledger: String
    private let settings: Settings
    private let storms = Storms()

    init(logger: Logger, key: LedgerKey, ledger: String = "", settings: Settings) {
        self.logger = logger
        self.key = key
        self.ledger = ledger
        self.settings = settings
    }

    func note(
        _ level: Logger.Level, _ event: Event, _ message: String, _ fields: [String: String] = [:],
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        var metadata: Logger.Metadata = [:]
        for (name, value) in fields { metadata[name] = .string(value) }
        metadata["MESSAGE_ID"] = .string(event.rawValue)
        let message = settings.current.showsAddresses ? message : masked(message)
        logger.log(level: level, "\(message)", metadata: metadata, file: file, function: function, line: line)
    }

    /// For trouble that is met again and again: once a minute for each kind and relay, with the number left out.
    func noteSeldom(
        _ level: Logger.Level, _ event: Event, _ message: String, _ fields: [String: String] = [:], now: BootInstant,
        about subject: String = ""
    ) {
        let key = "\(event.rawValue) \(subject) \(fields["RELAY"] ?? "")"
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
    ///
    /// - Parameter intent: Its number, if there was one: by it a restored ledger is found out.
    func delivered(
        _ due: DueDelivery, relay: String, outcome: Outcome, reply: SMTPReply?, detail: String, intent: Int64? = nil
    ) {
        // Whatever else is said of a message in doubt, it stays in doubt.
        let word = due.isInDoubt && outcome != .sent ? Outcome.uncertain.word : outcome.word
        var fields = [
            "CAMPAIGN": due.job.text, "DELIVERY": "\(due.id)", "RELAY": relay, "OUTCOME": word,
            "RECIPIENT": shown(due.address),
        ]
        if let intent {
            fields["INTENT"] = "\(intent)"
            fields["LEDGER"] = ledger
        }
        if let reply { fields["SMTP_CODE"] = "\(reply.code)" }
        if let enhanced = reply?.enhanced { fields["SMTP_ENHANCED_CODE"] = enhanced.description }
        let level: Logger.Level =
            switch outcome {
            case .sent: .info
            case .bounced, .deferred, .policyRefusal, .routeTrouble: .notice
            case .uncertain, .senderTrouble: .warning
            }
        let event: Event = word == Outcome.uncertain.word ? .uncertain : .delivery
        note(level, event, "\(word): \(shown(due.address)) by \(relay): \(detail)", fields)
    }

    /// The one line of a doubt that ended.
    ///
    /// - Parameter job: The control job that ended it, if one did.
    func settled(_ doubt: SettledDoubt, by evidence: SettlementEvidence, job: JobID? = nil) {
        let person = shown(doubt.address)
        var fields = [
            "CAMPAIGN": doubt.job.text, "DELIVERY": "\(doubt.delivery)", "RECIPIENT": person,
            "SETTLED_AS": doubt.settlement.rawValue, "EVIDENCE": evidence.kind.rawValue,
        ]
        fields["JOB"] = job?.text
        note(
            .notice, .settled,
            "uncertain no more, settled as \(doubt.settlement.rawValue) (\(evidence.kind.rawValue)): \(person): "
                + evidence.text, fields)
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

extension Job {
    /// By these a job is traced: `CAMPAIGN` is the campaign that a control job changes, else the job itself.
    var journalFields: [String: String] {
        var campaign = id
        if case .control(let control) = self { campaign = control.campaign }
        return ["CAMPAIGN": campaign.text, "JOB": id.text]
    }
}

extension Intake.AcceptedDrop {
    /// The same, with who dropped it.
    var journalFields: [String: String] { job.journalFields.merging(["SUBMITTER": "\(submitter)"]) { $1 } }
}

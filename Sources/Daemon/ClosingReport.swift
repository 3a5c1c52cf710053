import Ledger
import Mailing
import Spool

/// The campaign job that tells an organiser how another campaign ended: its words and figures are those of the receipt.
struct ClosingReport {
    /// Of the report's own job.
    let id: JobID
    /// Who gets it.
    let address: String
    /// What it is about.
    let campaign: Campaign
    let receipt: Receipt
    /// Why the campaign was cancelled, if somebody said why.
    let because: String?
    /// The paths of the receipt and of what stands beside it.
    let files: [String]
    /// Empty for the default one.
    let relays: [String]

    /// The purpose of all reports.
    static let purpose = "campaign report"

    /// The id of the report on a campaign, the same each time. The code at its end has a secret in it, so that nobody
    /// takes the id by chance, or in order to keep the report back.
    static func id(of campaign: JobID, key: LedgerKey) -> JobID {
        let text = "\(campaign.text.prefix(100)).report-\(key.token(for: "report", campaign.text, digits: 16))"
        guard let id = JobID(text) else { preconditionFailure("“\(text)” is no id, though it has the form of one") }
        return id
    }

    /// Whether a job has the form of a report: those of the daemon have it.
    static func isReport(_ campaign: Campaign) -> Bool {
        campaign.purpose == purpose && campaign.basis == .service && campaign.id.text.contains(".report-")
    }

    /// By which relays a report goes: those that it names, as far as they are there and carry its sender; else one that
    /// does, since nobody could name it for the report, which has to arrive though a relay goes while it is on its way.
    static func relays(_ report: Campaign, _ configuration: Configuration) -> [String] {
        let able = configuration.relays.filter { $0.value.carries(report.sender.address) }.keys
        let named = report.relays.filter(able.contains)
        guard named.isEmpty, let first = able.min() else { return named.isEmpty ? report.relays : named }
        return [able.contains("default") ? "default" : first]
    }

    /// The job as it is dropped: the same bytes for the same state of the ledger.
    var document: [UInt8] {
        let text = ClosingReport.template(lines.joined(separator: "\n") + "\n")
        var sender: [(String, JSONText)] = [("address", .string(campaign.sender.address.text))]
        if let name = campaign.sender.name { sender.insert(("name", .string(name)), at: 0) }
        var members: [(String, JSONText)] = [
            ("kind", .string(Job.Kind.campaign.rawValue)), ("id", .string(id.text)),
            ("purpose", .string(ClosingReport.purpose)), ("basis", .string(Campaign.Basis.service.rawValue)),
            ("justification", .string("The job of campaign \(campaign.id) asks for this report.")),
            ("from", .object(sender)),
            ("reason", .string("You get this message because the job of campaign \(campaign.id) asks for it.")),
            ("subject", .string(subject)), ("text", .string(text)),
            ("defaults", .object([(ClosingReport.brace, .string("{"))])),
            ("recipients", .array([.object([("address", .string(address))])])),
        ]
        if !relays.isEmpty { members.append(("relays", .array(relays.map { .string($0) }))) }
        return Array((JSONText.object(members).document + "\n").utf8)
    }

    private var counts: Receipt.Counts { receipt.counts ?? Receipt.Counts() }

    private var subject: String {
        "Campaign \(campaign.id) is \(receipt.state.rawValue): \(counts.sent) of \(counts.recipients) sent"
    }

    private var lines: [String] {
        var lines = ["Campaign \(campaign.id) is \(receipt.state.rawValue).", ""]
        if receipt.state == .cancelled, let because { lines += ["It was cancelled: \(because)", ""] }
        if receipt.state == .expired { lines += ["Its time was over before everybody's turn had come.", ""] }
        lines += [
            "subject: \(campaign.subject)", "acceptedAt: \(ClosingReport.time(receipt.acceptedAt))",
            "firstSentAt: \(ClosingReport.time(receipt.firstSentAt))",
            "lastSentAt: \(ClosingReport.time(receipt.lastSentAt))", "",
        ]
        if case .object(let figures) = counts.json {
            lines += figures.map { word, count in "\(word): \(count.document)" } + [""]
        }
        lines += ClosingReport.list("Withheld, by reason:", receipt.withheld)
        lines += ClosingReport.list("Recipients, by consent:", receipt.consent)
        if counts.uncertain > 0 { lines += doubt }
        lines += ["The receipt, and what became of each recipient:"] + files
        lines += ["", "What changes later, when a doubt is settled, is told there and not by another mail."]
        return lines.map(ClosingReport.oneLine)
    }

    private var doubt: [String] {
        [
            "Of the uncertain ones nobody knows whether the relay took them. They are not sent again by themselves:",
            "recipients.csv names them; look for their Message-IDs in the relay's log.",
            "“campaignctl uncertain \(campaign.id)” says what settles each, and “campaignctl settle” settles it.", "",
        ]
    }

    private static func list(_ title: String, _ figures: [String: Int]) -> [String] {
        guard !figures.isEmpty else { return [] }
        return [title] + figures.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" } + [""]
    }

    private static func time(_ moment: Timestamp?) -> String { moment?.rfc3339 ?? "never" }

    /// What somebody wrote, as one line that a job may have.
    private static func oneLine(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar {
            case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}": " "
            default: scalar
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }

    /// The field that stands for an opening brace.
    private static let brace = "opening brace"

    /// A text as a template that yields it whatever is in it: no two braces of it stand together, and a field that
    /// had two would not be shown.
    private static func template(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.flatMap { $0 == "{" ? Array("{{\(brace)}}".unicodeScalars) : [$0] }))
    }
}

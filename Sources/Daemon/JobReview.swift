import Crypto
import Foundation
import Ledger
import MIME
import Mailing
import RecipientLists
import Spool

/// Judges a job that is well formed: may this submitter do it, and can it be done here.
struct JobReview {
    let configuration: Configuration
    let inspection: Inspection
    /// Who dropped it.
    let submitter: Account
    /// The user that the daemon runs as.
    let ownUser: UInt32
    let now: Timestamp
    let file: String
    /// Who dropped the campaign that a control job is about; nil if that is not known, or there is none.
    var controlledSubmitter: UInt32?
    /// Whether new campaigns are held, because the ledger was restored or comes from another machine.
    var isHeldSinceStart = false
    /// The tables that permit the job; empty where none has to.
    var permits: [Submitters] = []
    private(set) var errors: [JobError] = []
    var warnings: [String] = []
    private(set) var prepared: PreparedCampaign?

    /// - Parameter submitter: The owner of the drop.
    init(
        configuration: Configuration, inspection: Inspection, submitter: Account, ownUser: UInt32, now: Timestamp,
        file: String
    ) {
        self.configuration = configuration
        self.inspection = inspection
        self.submitter = submitter
        self.ownUser = ownUser
        self.now = now
        self.file = file
    }

    mutating func review(_ job: Job) {
        checkPermission(job)
        for name in job.files where !inspection.files.contains(where: { $0.path == name }) {
            refuse("the bundle has no file “\(name)”; put it in, or take its name out", pointer: nil)
        }
        guard errors.isEmpty else { return }
        switch job {
        case .campaign(let campaign): review(campaign)
        case .contacts(let contacts):
            for (index, list) in contacts.lists.enumerated() {
                check(list.file, pointer: "/lists/\(index)", consentColumn: contacts.consent?.column)
            }
        case .consent(let consent): checkWord(consent)
        case .control: break
        }
    }

    private mutating func review(_ campaign: Campaign) {
        checkRelays(campaign)
        if let test = campaign.test { checkTest(test, campaign) }
        if let to = campaign.reportTo, to.needsSMTPUTF8 {
            refuse(
                "a report cannot be sent to \(to): only ASCII before the @ can be sent to yet", pointer: "/report/to")
        }
        for (index, window) in campaign.windows.enumerated() where TimeZones.rule(window.timeZone) == nil {
            refuse(
                "there is no time zone “\(window.timeZone)”; write for example Europe/Amsterdam",
                pointer: campaign.windows.count == 1 ? "/window/timeZone" : "/window/\(index)/timeZone")
        }
        let expires = campaign.expires ?? JobReview.expires(campaign, now: now)
        if expires <= now {
            refuse("“expires” is in the past (\(expires)); the campaign could reach nobody", pointer: "/expires")
        }
        for (index, source) in campaign.recipients.enumerated() {
            if case .list(let list) = source { check(list, pointer: "/recipients/\(index)", consentColumn: nil) }
        }
        do {
            prepared = try CampaignLibrary.prepare(campaign, directory: inspection.directory)
        } catch let error as InvalidTemplate {
            for fault in error.errors { refuse(fault, campaign) }
        } catch let error as TemplateError {
            refuse(error, campaign)
        } catch let error as CampaignLibrary.BodyError {
            add(JobError(pointer: nil, line: nil, column: nil, file: error.file, message: error.message))
        } catch {
            refuse("the files of the bundle cannot be read: \(error)", pointer: nil)
        }
    }

    private mutating func refuse(_ fault: TemplateError, _ campaign: Campaign) {
        let content: Campaign.Content? =
            switch fault.part {
            case .text: campaign.text
            case .html: campaign.html
            default: nil
            }
        if case .file(let name) = content {
            return add(
                JobError(pointer: nil, line: fault.line, column: fault.column, file: name, message: fault.message))
        }
        let place = fault.line.map { " (line \($0) of it)" } ?? ""
        refuse(fault.message + place, pointer: "/\(fault.part.rawValue)")
    }

    private mutating func checkRelays(_ campaign: Campaign) {
        let names = JobReview.relays(campaign, configuration)
        if names.isEmpty {
            let known = configuration.relays.keys.sorted().joined(separator: ", ")
            refuse("there is no relay “default”: name one or more of \(known) in “relays”", pointer: "/relays")
        }
        for (index, name) in names.enumerated() {
            let pointer = campaign.relays.isEmpty ? "/relays" : "/relays/\(index)"
            guard let relay = configuration.relays[name] else {
                refuse("there is no relay “\(name)” in the configuration", pointer: pointer)
                continue
            }
            let address = campaign.sender.address
            guard relay.carries(address) else {
                refuse(
                    "the relay “\(name)” does not carry mail from \(address); see “senders” in its configuration",
                    pointer: "/from/address")
                continue
            }
        }
    }

    private mutating func checkTest(_ test: Campaign.Test, _ campaign: Campaign) {
        let configured = configuration.testRecipients
        let allowed = configured.isEmpty ? [AddressPattern(domain: campaign.sender.address.domain)] : configured
        for (index, address) in test.recipients.enumerated()
        where !allowed.contains(where: { $0.matches(address) }) {
            refuse(
                "\(address) may not get test mail; allowed is what [sending] test_recipients names, "
                    + "by default the domain of the sender", pointer: "/test/to/\(index)")
        }
    }

    /// Opens a list and its preset, to refuse at once what could not be read at all.
    private mutating func check(_ list: Campaign.ListFile, pointer: String, consentColumn: String?) {
        do {
            let preset = try list.preset.map {
                try Preset.load(name: $0, directory: configuration.presetsDirectory)
            }
            let reader = try ListReader(path: inspection.directory + "/" + list.file, preset: preset)
            if let consentColumn, reader.column(named: consentColumn) == nil {
                refuse(
                    "the list “\(list.file)” has no column “\(consentColumn)”; it has "
                        + reader.columns.prefix(20).joined(separator: ", "), pointer: "/consent/column")
            }
        } catch let error as ListError {
            add(JobError(pointer: nil, line: error.line, column: nil, file: list.file, message: error.message))
        } catch let error as PresetError {
            refuse(error.message, pointer: pointer + "/preset")
        } catch {
            refuse("the list “\(list.file)” cannot be read: \(error)", pointer: pointer)
        }
    }

    mutating func refuse(_ message: String, pointer: String?) {
        add(JobError(pointer: pointer, line: nil, column: nil, file: file, message: message))
    }

    mutating func add(_ error: JobError) {
        if errors.count < 1000 { errors.append(error) }
    }

    /// The relays among which a campaign is divided.
    static func relays(_ campaign: Campaign, _ configuration: Configuration) -> [String] {
        if ClosingReport.isReport(campaign) { return ClosingReport.relays(campaign, configuration) }
        if !campaign.relays.isEmpty { return campaign.relays }
        if configuration.relays["default"] != nil { return ["default"] }
        return configuration.relays.count == 1 ? Array(configuration.relays.keys) : []
    }

    static func expires(_ campaign: Campaign, now: Timestamp) -> Timestamp {
        let begin = max(campaign.sendAfter ?? now, now)
        return campaign.expires ?? begin.adding(seconds: Campaign.defaultLifetime)
    }

    /// SHA-256 over all that a campaign says but its id and who is told of its end: equal for a mailing that was
    /// dropped twice under two ids.
    static func fingerprint(_ campaign: Campaign, files: [Inspection.File]) -> String {
        var hash = SHA256()
        func add(_ parts: String?...) {
            for part in parts {
                let text = part ?? "\u{0}"
                hash.update(data: Array("\(text.utf8.count):\(text)".utf8))
            }
        }
        add(campaign.purpose, campaign.basis.rawValue, campaign.justification, campaign.sender.name)
        add(campaign.sender.address.key, campaign.replyTo?.key, campaign.reason, campaign.subject)
        add("\(campaign.text as Any)", "\(campaign.html as Any)", campaign.attachments.joined(separator: "/"))
        for (name, value) in campaign.defaults.sorted(by: { $0.key < $1.key }) { add(name, value) }
        for source in campaign.recipients { add("\(source)") }
        add("\(campaign.test as Any)", campaign.sendAfter?.rfc3339, campaign.expires?.rfc3339)
        add(campaign.relays.joined(separator: "/"))
        for window in campaign.windows { add(window.stored) }
        for file in files where file.path != "job.json" { add(file.path, file.sha256) }
        return hash.finalize().map { String(UInt16($0) | 0x100, radix: 16).dropFirst() }.joined()
    }
}

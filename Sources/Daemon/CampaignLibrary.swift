import Foundation
import Ledger
import MIME
import Mailing
import Spool

/// A campaign with its templates compiled and its attachments encoded.
struct PreparedCampaign: Sendable {
    let campaign: Campaign
    let template: MessageTemplate

    /// Whether a template finds all that it needs in a recipient's fields.
    func isComplete(_ fields: [String: String], address: EmailAddress?) -> Bool {
        template.missing(in: merged(fields, address: address)).isEmpty
    }

    func merged(_ fields: [String: String], address: EmailAddress?) -> [String: String] {
        var all = MessageTemplate.merging(fields, over: campaign.defaults)
        if let address { all["email"] = address.text }
        return all
    }
}

/// Prepares campaigns from the daemon's own copy of their drops and keeps those in use.
actor CampaignLibrary {
    private let executor: any SerialExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let spool: SpoolDirectory
    private var shelf: [JobID: PreparedCampaign] = [:]
    private var order: [JobID] = []
    /// Campaigns with their attachments in memory at once.
    private let capacity = 16

    init(spool: SpoolDirectory, executor: any SerialExecutor = QueueExecutor(label: "campaignd.templates")) {
        self.spool = spool
        self.executor = executor
    }

    func campaign(_ id: JobID) throws -> PreparedCampaign {
        if let found = shelf[id] { return found }
        let directory = spool.keptDirectory(of: id)
        guard let campaign = try CampaignLibrary.read(id, from: spool)
        else { throw LedgerError.storage(reason: "the kept copy of job \(id) is not readable any more") }
        let prepared = try CampaignLibrary.prepare(campaign, directory: directory)
        add(prepared)
        return prepared
    }

    /// A campaign's job, from the daemon's own copy; nil if that is none any more.
    static func read(_ id: JobID, from spool: SpoolDirectory) throws(SpoolError) -> Campaign? {
        let bytes = try spool.keptJob(of: id)
        guard case .success(.campaign(let campaign)) = JobReader.read(bytes, file: "job.json", form: .bundle)
        else { return nil }
        return campaign
    }

    func add(_ prepared: PreparedCampaign) {
        let id = prepared.campaign.id
        shelf[id] = prepared
        order.removeAll { $0 == id }
        order.append(id)
        if order.count > capacity { shelf[order.removeFirst()] = nil }
    }

    /// - Parameter directory: Where the files of the drop are.
    static func prepare(_ campaign: Campaign, directory: String) throws -> PreparedCampaign {
        let attachments = try campaign.attachments.map { name in
            try Attachment.load(path: directory + "/" + name, name: (name as NSString).lastPathComponent)
        }
        let from = Mailbox(name: campaign.sender.name, address: campaign.sender.address.text)
        let template = try MessageTemplate(
            subject: campaign.subject, text: try content(campaign.text, directory: directory),
            html: try content(campaign.html, directory: directory), attachments: attachments, from: from,
            replyTo: campaign.replyTo.map { Mailbox(address: $0.text) },
            footLines: [campaign.reason])
        return PreparedCampaign(campaign: campaign, template: template)
    }

    /// A body file that is not what it must be.
    struct BodyError: Error {
        let file: String
        let message: String
    }

    private static let bodyLimit = 2 << 20

    private static func content(_ content: Campaign.Content?, directory: String) throws -> String? {
        switch content {
        case nil: return nil
        case .inline(let text): return text
        case .file(let name):
            let data = try Data(contentsOf: URL(fileURLWithPath: directory + "/" + name))
            guard data.count <= bodyLimit else {
                let message = "a body has at most \(bodyLimit) bytes, and this has \(data.count)"
                throw BodyError(file: name, message: message)
            }
            guard let text = String(data: data, encoding: .utf8) else {
                throw BodyError(file: name, message: "a body must be UTF-8; save the file in that encoding")
            }
            return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
        }
    }
}

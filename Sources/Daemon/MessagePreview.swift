import Foundation
import Ledger
package import MIME
package import Mailing
import RecipientLists
import Spool

/// One recipient's message of a campaign that was not dropped yet, made as the daemon makes it.
///
/// What the ledger's secret goes into is an example: the Message-ID, the return path, the recipient's mark in the
/// address of the unsubscribe page.
package struct MessagePreview: Sendable {
    /// As the recipient will read it.
    package let message: FilledMessage
    /// As it is handed to the relay.
    package let source: [UInt8]
    /// What is not as it will be.
    package private(set) var notes: [String]

    /// Why there is no message for this recipient.
    package struct Impossible: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// - Parameter job: A campaign without errors.
    package init(
        _ job: JobExamination, recipient text: String, configuration: Configuration, now: Timestamp
    ) async throws {
        guard let prepared = job.prepared else {
            throw Impossible(description: "only a campaign has messages; this is a \(job.kind ?? "broken") job")
        }
        let address: EmailAddress
        do throws(EmailAddress.Invalid) {
            address = try AddressText.read(text)
        } catch {
            throw Impossible(description: "“\(text)” is no mail address: \(error)")
        }
        var search = RecipientSearch(
            prepared: prepared, directory: job.inspection.directory, configuration: configuration)
        let found = try await search.find(address)
        notes = search.notes
        let due = DueDelivery(
            id: 0, campaign: 0, job: prepared.campaign.id, isTest: found.isTest, address: found.address,
            fields: found.fields, acceptedAt: now, attempts: 0)
        let maker = MessageMaker(key: .sample)
        let relay = JobReview.relays(prepared.campaign, configuration).first.flatMap { configuration.relays[$0] }
        let (fields, headers) = maker.values(due, prepared, configuration: configuration, relay: relay)
        do {
            message = try prepared.template.fill(fields: fields, headers: headers)
            source = try maker.make(due, prepared, configuration: configuration, relay: relay).message
        } catch let error as ComposeError {
            throw Impossible(description: "\(address) would be withheld: \(error)")
        }
    }
}

/// Looks for one recipient where the job says that its recipients are.
private struct RecipientSearch {
    let prepared: PreparedCampaign
    let directory: String
    let configuration: Configuration
    var notes: [String] = []

    struct Found {
        var address: EmailAddress
        var fields: [String: String]
        var isTest = false
    }

    init(prepared: PreparedCampaign, directory: String, configuration: Configuration) {
        self.prepared = prepared
        self.directory = directory
        self.configuration = configuration
    }

    /// The first place where they stand; what is known of them as a contact is added.
    mutating func find(_ address: EmailAddress) async throws -> Found {
        let contact = try await contact(address)
        let campaign = prepared.campaign
        var groups: [String] = []
        for source in campaign.recipients {
            switch source {
            case .address(let known) where known.key == address.key:
                return Found(address: known, fields: contact?.fields ?? [:])
            case .address: continue
            case .group(let name):
                groups.append(name)
                if contact?.groups.contains(name) == true {
                    return Found(address: address, fields: contact?.fields ?? [:])
                }
            case .list(let list):
                guard let row = try row(of: address, in: list) else { continue }
                let fields = (contact?.fields ?? [:]).merging(ListFields.all(row)) { _, own in own }
                return Found(address: address, fields: fields)
            }
        }
        if campaign.test?.recipients.contains(where: { $0.key == address.key }) == true {
            return Found(address: address, fields: contact?.fields ?? [:], isTest: true)
        }
        let elsewhere =
            groups.isEmpty ? "" : ", and no member of \(groups.joined(separator: ", ")) as far as can be seen"
        throw MessagePreview.Impossible(
            description: "\(address) is not among the recipients of the job\(elsewhere)")
    }

    private mutating func contact(
        _ address: EmailAddress
    ) async throws -> (fields: [String: String], groups: Set<String>)? {
        do throws(LedgerError) {
            if let ledger = try TrialLedger(path: configuration.ledgerPath) { return try await ledger.contact(address) }
            notes.append("the ledger may not be read or is not there yet: what it knows of \(address) is missing")
        } catch {
            notes.append("\(error): what the ledger knows of \(address) is missing")
        }
        return nil
    }

    private func row(of address: EmailAddress, in list: Campaign.ListFile) throws -> RecipientRow? {
        let preset = try list.preset.map { try Preset.load(name: $0, directory: configuration.presetsDirectory) }
        let reader = try ListReader(path: directory + "/" + list.file, preset: preset)
        while let item = try reader.next() {
            guard case .row(let row) = item, case .success(let found) = AddressText.result(row.email),
                found.key == address.key
            else { continue }
            return row
        }
        return nil
    }
}

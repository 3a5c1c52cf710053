import Ledger
import Mailing
import RecipientLists
import Spool

/// Registers the contacts of an import, a batch at a time.
struct Registrar {
    let context: DaemonContext
    let job: ContactsImport
    let directory: String
    private var counts: [String: Int] = [:]
    private var warnings: [String] = []
    private var batch: [ContactEntry] = []

    private static let batchSize = 400
    private static let warningLimit = 100

    init(context: DaemonContext, job: ContactsImport, directory: String) {
        self.context = context
        self.job = job
        self.directory = directory
    }

    /// Imports all lists and marks the job as finished. Returns what became of the rows.
    mutating func run() async throws -> (counts: [String: Int], warnings: [String]) {
        for list in job.lists { try await run(list) }
        let invalid = counts["invalid"] ?? 0
        if invalid > Registrar.warningLimit {
            warnings.append("\(invalid - Registrar.warningLimit) more rows could not be used")
        }
        try await context.ledger.finish(job: job.id, registered: counts, warnings: warnings)
        return (counts, warnings)
    }

    private mutating func run(_ list: ContactsImport.List) async throws {
        let preset = try list.file.preset.map {
            try Preset.load(name: $0, directory: context.settings.current.presetsDirectory)
        }
        let reader = try ListReader(path: directory + "/" + list.file.file, preset: preset)
        let consentColumn = job.consent.flatMap { reader.column(named: $0.column) }
        while let item = try reader.next() {
            counts["rows", default: 0] += 1
            switch item {
            case .bad(let row): note(list, line: row.line, row.message)
            case .row(let row):
                do throws(EmailAddress.Invalid) {
                    let address = try AddressText.read(row.email)
                    batch.append(entry(row, address, consentColumn: consentColumn))
                } catch {
                    note(list, line: row.line, "“\(row.email)” is no address: \(error)")
                }
                if batch.count >= Registrar.batchSize { try await flush(list) }
            }
        }
        try await flush(list)
    }

    private func entry(_ row: RecipientRow, _ address: EmailAddress, consentColumn: String?) -> ContactEntry {
        var attributes = row.attributes
        var answer: ConsentEvent.Kind?
        if let evidence = job.consent, let consentColumn {
            let value = attributes.removeValue(forKey: consentColumn) ?? ""
            if evidence.accepted.contains(value) {
                answer = .imported
            } else if evidence.refused.contains(value) {
                answer = .refused
            }
        }
        return ContactEntry(
            address: address, name: row.name, language: row.language, number: row.number, attributes: attributes,
            answer: answer)
    }

    private mutating func flush(_ list: ContactsImport.List) async throws {
        if context.stopping.isSet { throw Expander.Stopped() }
        guard !batch.isEmpty else { return }
        context.progress.beat("planning", at: context.clocks.boot)
        let proof = job.consent.map {
            ConsentProof(purpose: $0.purpose, source: $0.source, text: $0.text, at: $0.at, by: .import, job: job.id)
        }
        let done = try await context.ledger.register(batch, group: list.group, proof: proof, now: context.clocks.wall)
        counts["added", default: 0] += done.added
        counts["updated", default: 0] += done.updated
        counts["withoutEffect", default: 0] += done.withoutEffect
        for (status, count) in done.statuses { counts[status, default: 0] += count }
        batch.removeAll(keepingCapacity: true)
    }

    private mutating func note(_ list: ContactsImport.List, line: Int, _ message: String) {
        counts["invalid", default: 0] += 1
        guard warnings.count < Registrar.warningLimit else { return }
        warnings.append("\(list.file.file), line \(line): \(message)")
    }
}

import Ledger
import Mailing
import RecipientLists
import Spool

/// Where a plan is written: the ledger, or a trial of which nothing is kept.
protocol PlanBook: Sendable {
    func groupExists(_ name: String) async throws -> Bool
    func members(
        ofGroup name: String, after contact: Int64, limit: Int
    ) async throws -> [(contact: Int64, address: EmailAddress)]
    func plan(
        _ recipients: [PlannedRecipient], campaign number: Int64, plan: CampaignPlan, isTest: Bool,
        isComplete: @escaping @Sendable ([String: String]) -> Bool
    ) async throws
    func setAside(_ rows: [SetAside], campaign number: Int64) async throws
}

extension DeliveryLedger: PlanBook {}
extension TrialLedger: PlanBook {}

/// Goes through a campaign's recipients in the order of the job, in batches, and has each written down.
struct RecipientWalk<Book: PlanBook> {
    let book: Book
    let prepared: PreparedCampaign
    /// Where the files of the drop are.
    let directory: String
    let presetsDirectory: String
    let plan: CampaignPlan
    let number: Int64
    /// The most recipients that it may have; nil for what everybody may.
    let limit: RecipientLimit?
    /// Asked before each batch; throws to end the walk.
    let proceed: @Sendable () throws -> Void
    private var rotation: RelayRotation
    private var batch: [PlannedRecipient] = []
    private var aside: [SetAside] = []
    private var total = 0

    private let batchSize = 400

    init(
        book: Book, prepared: PreparedCampaign, directory: String, presetsDirectory: String, plan: CampaignPlan,
        number: Int64, limit: RecipientLimit?, proceed: @escaping @Sendable () throws -> Void
    ) {
        self.book = book
        self.prepared = prepared
        self.directory = directory
        self.presetsDirectory = presetsDirectory
        self.plan = plan
        self.number = number
        self.limit = limit
        self.proceed = proceed
        rotation = RelayRotation(relays: plan.relays)
    }

    /// - Throws: `Expander.Refused` for what the submitter can mend.
    mutating func run() async throws {
        let campaign = prepared.campaign
        if let test = campaign.test { try await planTest(test) }
        for (index, source) in campaign.recipients.enumerated() {
            switch source {
            case .address(let address):
                try await add(address, fields: [:], place: "job.json, recipient \(index + 1)")
            case .group(let name):
                try await addGroup(name, pointer: "/recipients/\(index)/group")
            case .list(let list):
                try await addList(list)
            }
        }
        try await flush()
    }

    private mutating func planTest(_ test: Campaign.Test) async throws {
        let recipients = test.recipients.map { address in
            PlannedRecipient(address: address, relay: rotation.relays[0], fields: [:], place: "test")
        }
        // What a test recipient lacks is shown as its name, so nothing is ever missing.
        try await book.plan(recipients, campaign: number, plan: plan, isTest: true, isComplete: { _ in true })
    }

    private mutating func addGroup(_ name: String, pointer: String) async throws {
        guard try await book.groupExists(name) else {
            let message = "there is no group “\(name)”: import its contacts first"
            throw Expander.Refused(errors: [
                JobError(pointer: pointer, line: nil, column: nil, file: "job.json", message: message)
            ])
        }
        var after: Int64 = 0
        while true {
            let members = try await book.members(ofGroup: name, after: after, limit: batchSize)
            for member in members { try await add(member.address, fields: [:], place: "group \(name)") }
            guard members.count == batchSize, let last = members.last else { return }
            after = last.contact
        }
    }

    private mutating func addList(_ list: Campaign.ListFile) async throws {
        let preset = try list.preset.map { try Preset.load(name: $0, directory: presetsDirectory) }
        let reader = try ListReader(path: directory + "/" + list.file, preset: preset)
        while let item = try reader.next() {
            switch item {
            case .bad(let row):
                let place = "\(list.file), line \(row.line): \(row.message)"
                try await setAside(SetAside(address: row.text, reason: .invalidAddress, place: place))
            case .row(let row):
                let place = "\(list.file), line \(row.line)"
                switch AddressText.result(row.email) {
                case .success(let address):
                    try await add(address, fields: ListFields.all(row), place: place)
                case .failure(let why):
                    let reason = "\(place): \(why)"
                    try await setAside(
                        SetAside(address: String(row.email.prefix(320)), reason: .invalidAddress, place: reason))
                }
            }
        }
    }

    private mutating func add(_ address: EmailAddress, fields: [String: String], place: String) async throws {
        if address.needsSMTPUTF8 {
            let reason = "\(place): only ASCII before the @ can be sent to yet"
            return try await setAside(SetAside(address: address.text, reason: .invalidAddress, place: reason))
        }
        try count()
        batch.append(PlannedRecipient(address: address, relay: rotation.take(), fields: fields, place: place))
        if batch.count >= batchSize { try await flush() }
    }

    private mutating func setAside(_ row: SetAside) async throws {
        try count()
        aside.append(row)
        if aside.count >= batchSize { try await flush() }
    }

    private mutating func count() throws {
        total += 1
        guard total > min(limit?.count ?? .max, Expander.recipientLimit) else { return }
        let message =
            limit?.message ?? "a campaign has at most \(Expander.recipientLimit) recipients; divide the list"
        throw Expander.Refused(errors: [
            JobError(pointer: "/recipients", line: nil, column: nil, file: "job.json", message: message)
        ])
    }

    private mutating func flush() async throws {
        try proceed()
        try await book.plan(
            batch, campaign: number, plan: plan, isTest: false,
            isComplete: { [prepared] in
                prepared.isComplete($0, address: nil)
            })
        try await book.setAside(aside, campaign: number)
        batch.removeAll(keepingCapacity: true)
        aside.removeAll(keepingCapacity: true)
    }
}

/// What a row of a list gives to templates.
enum ListFields {
    static func all(_ row: RecipientRow) -> [String: String] {
        var fields = row.attributes
        if let name = row.name { fields["name"] = name }
        if let language = row.language { fields["language"] = language }
        if let number = row.number { fields["number"] = number }
        return fields
    }
}

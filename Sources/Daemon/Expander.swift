import Ledger
import Mailing
import RecipientLists
import Spool

/// Turns a campaign's recipients into planned deliveries: instant 1.
///
/// It works in batches, each a transaction of its own, so that other campaigns are sent meanwhile; until the plan is
/// committed as a whole, nothing of it counts.
struct Expander {
    let context: DaemonContext
    let prepared: PreparedCampaign
    let directory: String
    private let limit: RecipientLimit?
    private let plan: CampaignPlan
    private var rotation: RelayRotation
    private var batch: [PlannedRecipient] = []
    private var aside: [SetAside] = []
    private var total = 0
    private var number: Int64 = 0

    private static let batchSize = 400
    /// Recipients of one campaign, all sources together.
    static let recipientLimit = 2_000_000

    init(
        context: DaemonContext, prepared: PreparedCampaign, directory: String, fingerprint: String,
        accepted: Timestamp, limit: RecipientLimit? = nil
    ) {
        self.limit = limit
        self.context = context
        self.prepared = prepared
        self.directory = directory
        let configuration = context.settings.current
        let campaign = prepared.campaign
        let relays = JobReview.relays(campaign, configuration)
        rotation = RelayRotation(relays: relays)
        plan = CampaignPlan(
            job: campaign.id, basis: campaign.basis, purpose: campaign.purpose, fingerprint: fingerprint,
            acceptedAt: accepted, sendAfter: campaign.sendAfter,
            expires: JobReview.expires(campaign, now: accepted), relays: relays,
            renewalBefore: accepted.adding(seconds: -Int64(configuration.renewalDays) * 86_400),
            windows: campaign.windows)
    }

    /// A campaign that cannot be planned, for reasons that its submitter can mend.
    struct Refused: Error {
        var errors: [JobError]
    }

    /// The end of planning that was cut off by a stop; the next start begins anew.
    struct Stopped: Error {}

    /// Plans and commits. Returns the campaign's number and state.
    ///
    /// - Parameter estimate: When so many will have left by these relays, from a moment on; nil if never.
    mutating func expand(warnings: [String], estimate: (Int, [String], Timestamp) -> Timestamp?) async throws -> (
        number: Int64, state: CampaignState
    ) {
        let campaign = prepared.campaign
        number = try await context.ledger.beginPlan(plan)
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
        return try await commit(warnings: warnings, estimate: estimate)
    }

    private mutating func commit(
        warnings: [String], estimate: (Int, [String], Timestamp) -> Timestamp?
    ) async throws -> (number: Int64, state: CampaignState) {
        let campaign = prepared.campaign
        let now = context.clocks.wall
        let twin = try await context.ledger.twin(
            fingerprint: plan.fingerprint, since: now.adding(seconds: -Campaign.repeatWindow), otherThan: campaign.id)
        var state: CampaignState = (plan.sendAfter ?? now) > now ? .scheduled : .running
        var because: String?
        if let reason = try await context.ledger.holdOnNew()?.becauseNew {
            state = .held
            because = reason
        } else if let twin {
            state = .held
            because = "it is equal to campaign \(twin) in all but its id: approve it only if it shall be sent again"
        } else if campaign.test?.needsApproval == true {
            state = .held
            because = "it waits for approval after the test mail"
        }
        var warnings = warnings
        if let summary = try await context.ledger.summary(campaign: number) {
            let finish = estimate(summary.counts.queued, plan.relays, max(plan.sendAfter ?? now, now))
            if summary.counts.queued > 0, let finish, finish > plan.expires {
                warnings.append("at this rate it would end at \(finish), after it expires at \(plan.expires)")
            } else if summary.counts.queued > 0, finish == nil {
                warnings.append("its window and that of its relay leave no time to send it in")
            }
        }
        try await context.ledger.commitPlan(
            campaign: number, job: campaign.id, state: state, because: because, warnings: warnings)
        return (number, state)
    }

    private mutating func planTest(_ test: Campaign.Test) async throws {
        let recipients = test.recipients.map { address in
            PlannedRecipient(address: address, relay: rotation.relays[0], fields: [:], place: "test")
        }
        // What a test recipient lacks is shown as its name, so nothing is ever missing.
        try await context.ledger.plan(
            recipients, campaign: number, plan: plan, isTest: true, isComplete: { _ in true })
    }

    private mutating func addGroup(_ name: String, pointer: String) async throws {
        guard try await context.ledger.groupExists(name) else {
            let message = "there is no group “\(name)”: import its contacts first"
            throw Refused(errors: [
                JobError(pointer: pointer, line: nil, column: nil, file: "job.json", message: message)
            ])
        }
        var after: Int64 = 0
        while true {
            let members = try await context.ledger.members(ofGroup: name, after: after, limit: Expander.batchSize)
            for member in members { try await add(member.address, fields: [:], place: "group \(name)") }
            guard members.count == Expander.batchSize, let last = members.last else { return }
            after = last.contact
        }
    }

    private mutating func addList(_ list: Campaign.ListFile) async throws {
        let preset = try list.preset.map {
            try Preset.load(name: $0, directory: context.settings.current.presetsDirectory)
        }
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
        if batch.count >= Expander.batchSize { try await flush() }
    }

    private mutating func setAside(_ row: SetAside) async throws {
        try count()
        aside.append(row)
        if aside.count >= Expander.batchSize { try await flush() }
    }

    private mutating func count() throws {
        total += 1
        guard total > min(limit?.count ?? .max, Expander.recipientLimit) else { return }
        let message =
            limit?.message ?? "a campaign has at most \(Expander.recipientLimit) recipients; divide the list"
        throw Refused(errors: [
            JobError(pointer: "/recipients", line: nil, column: nil, file: "job.json", message: message)
        ])
    }

    private mutating func flush() async throws {
        if context.stopping.isSet { throw Stopped() }
        context.progress.beat("planning", at: context.clocks.boot)
        try await context.ledger.plan(
            batch, campaign: number, plan: plan, isTest: false,
            isComplete: { [prepared] in
                prepared.isComplete($0, address: nil)
            })
        try await context.ledger.setAside(aside, campaign: number)
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

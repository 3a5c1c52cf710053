import Foundation
import GRDB
import Ledger
import Mailing
import TestSupport
import Testing

/// A new ledger in a directory of its own, and short words for what the tests do with it.
struct LedgerFixture {
    static let now = Timestamp(milliseconds: 1_800_000_000_000)
    static let bootID = BootID("4b1d")

    let directory: TemporaryDirectory
    let ledger: DeliveryLedger

    var path: String { directory.path("ledger.sqlite") }

    /// Something done to the file by a connection that knows nothing of the ledger's rules.
    func raw<Value>(_ work: (Database) throws -> Value) throws -> Value {
        try LedgerFixture.raw(path, work)
    }

    static func raw<Value>(_ path: String, _ work: (Database) throws -> Value) throws -> Value {
        let queue = try DatabaseQueue(path: path)
        defer {
            do { try queue.close() } catch { Issue.record("a raw connection does not close: \(error)") }
        }
        return try queue.inDatabase(work)
    }

    func execute(_ sql: String) throws {
        try raw { try $0.execute(sql: sql) }
    }

    func count(_ sql: String) throws -> Int {
        try raw { try Int.fetchOne($0, sql: sql) } ?? 0
    }

    func text(_ sql: String) throws -> String? {
        try raw { try String.fetchOne($0, sql: sql) }
    }

    /// Why the schema refuses a statement; nil if it does not.
    func refusal(_ sql: String) throws -> String? {
        do {
            try execute(sql)
            return nil
        } catch let error as DatabaseError {
            return error.message
        }
    }

    /// Everything in the file as text, table by table.
    func dump() throws -> String {
        try raw { database in
            let tables = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            return try tables.map { table in
                let rows = try Row.fetchAll(database, sql: "SELECT * FROM \(table) ORDER BY 1, 2")
                return "\(table)\n" + rows.map { "  \($0)\n" }.joined()
            }.joined()
        }
    }
}

extension LedgerFixture {
    init() throws {
        let directory = try TemporaryDirectory()
        let ledger = try DeliveryLedger(
            path: directory.path("ledger.sqlite"), zoneRule: { $0 == "UTC" ? .utc : nil })
        self.init(directory: directory, ledger: ledger)
    }
}

func address(_ text: String) throws -> EmailAddress {
    try EmailAddress(parsing: text) { $0.precomposedStringWithCanonicalMapping }
}

func jobID(_ text: String) throws -> JobID { try #require(JobID(text)) }

// Contacts and consent.
extension LedgerFixture {
    /// Registers contacts and lets them say something about a purpose.
    @discardableResult
    func register(
        _ addresses: [String], answer: ConsentEvent.Kind? = .imported, group: String? = nil,
        purpose: String = "newsletter", job: String = "import", at: Timestamp = now
    ) async throws -> RegistrationCounts {
        let proof = ConsentProof(
            purpose: purpose, source: "form", text: "I want the newsletter", at: at, by: .import, job: try jobID(job))
        let entries = try addresses.map {
            ContactEntry(
                address: try address($0), name: nil, language: nil, number: nil, attributes: [:], answer: answer)
        }
        return try await ledger.register(entries, group: group, proof: proof, now: at)
    }

    @discardableResult
    func record(
        _ kind: ConsentEvent.Kind, _ text: String, by actor: ConsentEvent.Actor = .recipient,
        purpose: String = "newsletter", job: String = "event", at: Timestamp = now, recordedAt: Timestamp? = nil
    ) async throws -> RegistrationCounts {
        let entry = ConsentJob.Entry(
            address: try address(text), purpose: purpose, event: kind, by: actor, source: "web page", text: nil, at: at)
        return try await ledger.record([entry], job: try jobID(job), now: recordedAt ?? at)
    }

    func status(_ text: String, purpose: String = "newsletter") async throws -> ConsentStatus? {
        try await ledger.consentStatus(try address(text), purpose: purpose)
    }
}

// Campaigns.
extension LedgerFixture {
    func plan(
        _ job: String, basis: Campaign.Basis = .consent, fingerprint: String = "print", acceptedAt: Timestamp = now,
        sendAfter: Timestamp? = nil, expires: Timestamp = now.adding(seconds: 86_400),
        relays: [String] = ["default"], renewalBefore: Timestamp = now.adding(seconds: -365 * 86_400)
    ) throws -> CampaignPlan {
        CampaignPlan(
            job: try jobID(job), basis: basis, purpose: "newsletter", fingerprint: fingerprint, acceptedAt: acceptedAt,
            sendAfter: sendAfter, expires: expires, relays: relays, renewalBefore: renewalBefore)
    }

    func campaignJob(_ job: String) throws -> Campaign {
        Campaign(
            id: try jobID(job), purpose: "newsletter", basis: .consent, justification: nil,
            sender: Campaign.Sender(name: nil, address: try address("news@library.example")), replyTo: nil,
            reason: "you asked for it", subject: "News", text: .inline("News"), html: nil, attachments: [],
            defaults: [:], recipients: [], test: nil, sendAfter: nil, expires: nil, relays: [])
    }

    func begin(_ job: String, receipt: String? = nil, at: Timestamp = now) async throws {
        try await ledger.begin(
            job: .campaign(try campaignJob(job)), sha256: "00", receipt: receipt ?? job, claim: "claim-\(job)", now: at)
    }

    func add(
        _ addresses: [String], to number: Int64, _ plan: CampaignPlan, isTest: Bool = false, relay: String = "default",
        fields: [String: String] = [:], isComplete: ([String: String]) -> Bool = { _ in true }
    ) async throws {
        let recipients = try addresses.enumerated().map {
            PlannedRecipient(
                address: try address($1), relay: relay, fields: fields, place: "list.csv, line \($0 + 2)")
        }
        let complete = recipients.map { isComplete($0.fields) }.allSatisfy { $0 }
        try await ledger.plan(recipients, campaign: number, plan: plan, isTest: isTest, isComplete: { _ in complete })
    }

    /// A planned and committed campaign to these people.
    @discardableResult
    func campaign(
        _ job: String = "mailing", to addresses: [String], _ change: (inout CampaignPlan) -> Void = { _ in },
        tests: [String] = [], relay: String = "default", state: CampaignState = .running, because: String? = nil
    ) async throws -> Int64 {
        var plan = try plan(job)
        change(&plan)
        try await begin(job)
        let number = try await ledger.beginPlan(plan)
        try await add(tests, to: number, plan, isTest: true, relay: relay)
        try await add(addresses, to: number, plan, relay: relay)
        try await ledger.commitPlan(
            campaign: number, job: plan.job, state: state, because: because, warnings: [])
        return number
    }

    /// The state of each delivery, with its reason where it is withheld, in the order of planning.
    func states(_ campaign: Int64, isTest: Bool = false) throws -> [String] {
        try raw { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT address || ' ' || state || CASE state WHEN 'withheld' THEN ' ' || reason ELSE '' END
                    FROM deliveries WHERE campaign = ? AND is_test = ? ORDER BY id
                    """,
                arguments: [campaign, isTest])
        }
    }

    func delivery(_ text: String, in campaign: Int64? = nil) throws -> Int64 {
        let key = try address(text).key
        let id = try raw { database in
            try Int64.fetchOne(
                database,
                sql: "SELECT max(id) FROM deliveries WHERE address_key = ? AND campaign = coalesce(?, campaign)",
                arguments: [key, campaign])
        }
        return try #require(id)
    }

    func state(_ delivery: Int64) throws -> String {
        try #require(try text("SELECT state FROM deliveries WHERE id = \(delivery)"))
    }
}

// Handing over.
extension LedgerFixture {
    func due(relay: String = "default", at: Timestamp = now, turns: Turns = Turns()) async throws -> DueDelivery? {
        guard case .due(let due) = try await ledger.nextDue(relay: relay, now: at, turns: turns) else { return nil }
        return due
    }

    func slot(_ nanoseconds: Int64) -> Pacer.StoredSlot {
        Pacer.StoredSlot(bootID: LedgerFixture.bootID, at: BootInstant(nanoseconds: nanoseconds))
    }

    /// To whom idempotency keys go.
    static let keyScope = "X-Key smtp://relay.example"

    /// What instant 2 is asked; the limits named keep no distance between dots unless `interval` says so.
    func request(
        _ delivery: Int64, at: Timestamp = now, slot nanoseconds: Int64 = 1, relays: [String] = ["default"],
        interval: Int64 = 0, keySeconds: Int64? = nil
    ) -> IntentRequest {
        IntentRequest(
            delivery: delivery, messageID: "<\(delivery)@library.example>", slot: slot(nanoseconds),
            claims: relays.map { SlotClaim(name: $0, interval: interval) }, now: at, localPort: 40_001,
            keySeconds: keySeconds, keyScope: LedgerFixture.keyScope)
    }

    func intend(
        _ delivery: Int64, at: Timestamp = now, slot nanoseconds: Int64 = 1, relays: [String] = ["default"],
        interval: Int64 = 0, keySeconds: Int64? = nil
    ) async throws -> Delivery.IntentDecision {
        let request = request(
            delivery, at: at, slot: nanoseconds, relays: relays, interval: interval, keySeconds: keySeconds)
        return try await ledger.intend(request).decision
    }

    /// Brings a delivery into doubt: handed over, and no answer to the dot.
    func doubt(_ text: String, at: Timestamp = now, keySeconds: Int64? = nil) async throws -> Int64 {
        let delivery = try delivery(text)
        #expect(try await intend(delivery, at: at, keySeconds: keySeconds) == .handOver)
        try await conclude(delivery, .uncertain, at: at)
        return delivery
    }

    @discardableResult
    func recover(
        at: Timestamp = now, machine: String? = nil, intentsInJournal: Int64? = nil, holdAfterDowntime: Int64? = nil
    ) async throws -> Recovery {
        try await ledger.recover(
            StartingPoint(
                now: at, machine: machine, intentsInJournal: intentsInJournal, holdAfterDowntime: holdAfterDowntime))
    }

    func conclude(
        _ delivery: Int64, _ outcome: Outcome, reply: String? = nil, writtenAt: Int64? = nil, at: Timestamp = now
    ) async throws {
        let evidence = AttemptEvidence(
            reply: reply, enhanced: "2.0.0", peer: "smtp://relay.example", queueID: "Q1",
            writtenAt: writtenAt.map(BootInstant.init(nanoseconds:)))
        try await ledger.conclude(
            delivery: delivery, outcome: outcome, evidence: evidence, relays: ["default"],
            bootID: LedgerFixture.bootID, retries: .standard, now: at)
    }
}

extension LedgerFixture {
    /// Lets an address prove itself dead: a hard bounce of some earlier service mail.
    func suppress(_ text: String) async throws {
        let job = "bounce-\(try address(text).key.filter(\.isLetter))"
        let campaign = try await campaign(job, to: [text], { $0.basis = .service })
        let delivery = try delivery(text, in: campaign)
        #expect(try await intend(delivery) == .handOver)
        try await conclude(delivery, .bounced(suppress: true), reply: "550 5.1.1 no such user")
    }
}

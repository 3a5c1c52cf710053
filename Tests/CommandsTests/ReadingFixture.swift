import Daemon
import Foundation
import Ledger
import Mailing
import Spool
import TestSupport
import Testing

@testable import Commands

/// A configuration and a ledger that the verbs of the daemon made, for commands that look at them.
struct ReadingFixture {
    static let now = Timestamp(milliseconds: 1_800_000_000_000)

    let directory: TemporaryDirectory
    let ledger: DeliveryLedger

    var path: String { directory.path("ledger.sqlite") }
    var configurationPath: String { directory.path("campaignd.toml") }
    var spoolPath: String { directory.path("spool") }

    init(relayLines: [String] = []) throws {
        directory = try TemporaryDirectory()
        let maildir = "maildir:" + directory.path("outbox")
        let configuration = TestConfiguration(relays: [.init(url: maildir, messagesPerHour: 100, lines: relayLines)])
        try directory.write(
            configuration.toml(spool: directory.path("spool"), ledger: directory.path("ledger.sqlite")),
            to: "campaignd.toml")
        ledger = try DeliveryLedger(path: directory.path("ledger.sqlite"))
    }

    func reader() throws -> LedgerReader { try LedgerReader(path: path) }

    func configuration() throws -> Configuration { try ConfigurationFile.load(configurationPath) }

    func views() throws -> [CampaignView] {
        let configuration = try configuration()
        return try reader().campaigns(limited: configuration.limitedDomains).map {
            CampaignView($0, configuration: configuration, now: Self.now)
        }
    }

    func relays() throws -> RelayList {
        RelayList(configuration: try configuration(), traffic: try reader().traffic(now: Self.now), now: Self.now)
    }

    func register(_ addresses: [String], answer: ConsentEvent.Kind = .imported) async throws {
        let proof = ConsentProof(
            purpose: "newsletter", source: "desk", text: "I want the newsletter", at: Self.now, by: .import,
            job: try #require(JobID("import")))
        let entries = try addresses.map {
            ContactEntry(
                address: try AddressText.read($0), name: nil, language: nil, number: nil, attributes: [:],
                answer: answer)
        }
        _ = try await ledger.register(entries, group: "readers", proof: proof, now: Self.now)
    }

    /// A committed campaign to these people.
    @discardableResult
    func campaign(
        _ name: String, to addresses: [String], relay: String = "default", state: CampaignState = .running,
        because: String? = nil
    ) async throws -> Int64 {
        let job = try #require(JobID(name))
        let campaign = Campaign(
            id: job, purpose: "newsletter", basis: .consent, justification: nil,
            sender: Campaign.Sender(name: nil, address: try AddressText.read("news@library.example")), replyTo: nil,
            reason: "you asked for it", subject: "News", text: .inline("News"), html: nil, attachments: [],
            defaults: [:], recipients: [], test: nil, sendAfter: nil, expires: nil, relays: [])
        try await ledger.begin(
            job: .campaign(campaign), sha256: "00", receipt: name, claim: "claim-\(name)", now: Self.now)
        let plan = CampaignPlan(
            job: job, basis: .consent, purpose: "newsletter", fingerprint: name, acceptedAt: Self.now, sendAfter: nil,
            expires: Self.now.adding(seconds: 86_400), relays: [relay],
            renewalBefore: Self.now.adding(seconds: -86_400))
        let number = try await ledger.beginPlan(plan)
        let recipients = try addresses.map {
            PlannedRecipient(address: try AddressText.read($0), relay: relay, fields: [:], place: "list.csv, line 2")
        }
        try await ledger.plan(recipients, campaign: number, plan: plan, isTest: false, isComplete: { _ in true })
        try await ledger.commitPlan(campaign: number, job: job, state: state, because: because, warnings: [])
        return number
    }

    /// Hands the next message over, a minute ago.
    @discardableResult
    func handOver(_ outcome: Outcome = .sent, relay: String = "default", keySeconds: Int64? = nil) async throws -> Int64
    {
        let moment = Self.now.adding(seconds: -60)
        guard case .due(let due) = try await ledger.nextDue(relay: relay, now: Self.now, turns: Turns()) else {
            throw TestSupportError("nothing is due")
        }
        let slot = Pacer.StoredSlot(bootID: BootID("4b1d"), at: BootInstant(nanoseconds: 1))
        let request = IntentRequest(
            delivery: due.id, messageID: "<\(due.id)@library.example>", slot: slot,
            claims: [SlotClaim(name: relay, interval: 0)], now: moment, localPort: 40_001, keySeconds: keySeconds,
            keyScope: "X-Key smtp://127.0.0.1:2525")
        #expect(try await ledger.intend(request).decision == .handOver)
        try await ledger.conclude(
            delivery: due.id, outcome: outcome, evidence: AttemptEvidence(reply: nil), relays: [relay],
            bootID: BootID("4b1d"), retries: .standard, now: moment)
        return due.id
    }
}

/// The JSON of a report, read back.
func parsed(_ report: some Report) throws -> TestSupport.JSONValue {
    try TestSupport.JSONValue(parsing: Data(report.json.document.utf8))
}

/// The names of an object's members.
func keys(_ value: TestSupport.JSONValue?) -> Set<String> {
    if case .object(let members) = value { Set(members.keys) } else { [] }
}

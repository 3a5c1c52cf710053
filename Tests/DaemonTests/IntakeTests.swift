import Foundation
import Ledger
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(5)))
struct IntakeTests {
    private let fixture: DaemonFixture
    private let producer: TestSupport.SpoolDirectory

    init() throws {
        fixture = try DaemonFixture()
        producer = try fixture.producer()
    }

    private static let service = JobText.campaign("c", to: [.list("list.csv")], basis: "service")
    private static let files = ["list.csv": Array("email\na@people.example\nb@people.example\n".utf8)]

    private func receipt(_ name: String) throws -> JobReceipt { try #require(try producer.receipt(name)) }

    private func dropCampaign(_ name: String = "c") throws {
        try producer.dropBundle(name, json: IntakeTests.service, files: IntakeTests.files)
    }

    @Test func `a campaign goes from the drop to the last receipt`() async throws {
        try dropCampaign()
        try await fixture.serve()
        #expect(try receipt("c").state == "running")
        #expect(producer.names(in: "incoming").isEmpty)
        await fixture.send(fixture.relay(), seconds: 10)
        await fixture.writeReceipts()
        #expect(try receipt("c").state == "finished")
        #expect(fixture.auditor.recipients == ["a@people.example", "b@people.example"])
    }

    @Test func `what is accepted and what is rejected is counted for the metrics`() async throws {
        try dropCampaign()
        for name in ["bad", "worse"] { try producer.dropFile(name, json: "{") }
        try await fixture.serve { context in
            let isDone = try await eventually(timeout: .seconds(20)) {
                let values = context.meters.values(now: fixture.clock.boot)
                return try context.spool.claimed().isEmpty && values.accepted + values.rejected == 3
            }
            #expect(isDone, "\(fixture.log.messages)")
            let values = context.meters.values(now: fixture.clock.boot)
            #expect(values.accepted == 1 && values.rejected == 2)
        }
    }

    @Test func `the same again does nothing, and is counted`() async throws {
        try dropCampaign()
        try await fixture.serve()
        await fixture.send(fixture.relay(), seconds: 10)
        try dropCampaign()
        try await fixture.serve()
        try dropCampaign()
        try await fixture.serve()
        #expect(try receipt("c").repeats == 2)
        #expect(producer.names(in: "receipts") == ["c"])
        await fixture.send(fixture.relay(), seconds: 1000)
        #expect(fixture.auditor.dots.count == 2)
    }

    @Test func `the same under another name is told where the first is`() async throws {
        try dropCampaign()
        try await fixture.serve()
        try dropCampaign("again")
        try await fixture.serve()
        #expect(try receipt("again").json["firstReceipt"]?.string == "c")
        #expect(try receipt("c").repeats == 1)
    }

    @Test func `the same twice at once is one campaign`() async throws {
        try dropCampaign("c")
        try dropCampaign("d")
        try await fixture.serve()
        await fixture.send(fixture.relay(), seconds: 60)
        #expect(fixture.auditor.dots.count == 2)
    }

    @Test func `an id that was used for other content is refused`() async throws {
        try dropCampaign()
        try await fixture.serve()
        try producer.dropBundle("other", json: IntakeTests.service, files: ["list.csv": Array("email\n".utf8)])
        try await fixture.serve()
        let refused = try receipt("other")
        #expect(refused.state == "rejected")
        #expect(refused.errors.map(\.pointer) == ["/id"])
        #expect(
            refused.errors.map(\.message) == [
                "the id “c” was used before for other content (receipt c); give this job an id of its own"
            ])
        #expect(try receipt("c").state == "running")
    }

    @Test func `a name that is taken gets a number, and no receipt is lost`() async throws {
        try dropCampaign()
        try await fixture.serve()
        try producer.dropFile("c", json: JobText.control("k", "pause", campaign: "c"))
        try await fixture.serve()
        #expect(try receipt("c").state == "paused")
        #expect(try receipt("c.2").job == "k")
        #expect(try receipt("c.2").state == "finished")
    }

    @Test func `what is no job is put aside, untouched, beside its answer`() async throws {
        try producer.dropFile("bad", json: "{ \"kind\": \"campaign\",\n  \"id\": }")
        try await fixture.serve()
        let refused = try receipt("bad")
        #expect(refused.state == "rejected")
        #expect(refused.errors.first?.file == "bad.json")
        #expect(refused.errors.first?.line == 2)
        #expect(producer.names(in: "rejected/bad") == ["bad.json", "receipt.json"])
    }

    @Test func `a rejection has the identity of what was dropped, so that its submitter finds it`() async throws {
        let jobs = [
            "unreadable": "{", "wrong": "{\"kind\": \"control\"}",
            "reviewed": JobText.campaign("r", to: [.group("g")], extra: ["relays": ["none"]]),
            "planned": JobText.campaign("p", to: [.group("nobody")], basis: "service"),
        ]
        for (name, json) in jobs { try producer.dropFile(name, json: json) }
        try await fixture.serve()
        for (name, json) in jobs {
            let path = try fixture.directory.write(json, to: "\(name).json")
            let known = try JobSource(path: path).examine(as: 0).inspection.sha256
            #expect(try receipt(name).state == "rejected")
            #expect(try receipt(name).json["sha256"]?.string == known, "\(name)")
            #expect(known?.count == 64)
        }
    }

    @Test func `a rejected job reserves no id`() async throws {
        let wrong = JobText.campaign("c", to: [.group("nobody")], basis: "service")
        try producer.dropFile("first", json: wrong)
        try await fixture.serve()
        #expect(try receipt("first").state == "rejected")
        #expect(try receipt("first").errors.map(\.file) == ["first.json"])
        try dropCampaign("second")
        try await fixture.serve()
        #expect(try receipt("second").state == "running")
    }

    @Test func `a withdrawal overtakes the campaign before it`() async throws {
        try await fixture.accept("a@people.example", "b@people.example")
        let json = JobText.campaign("c", to: [.address("a@people.example"), .address("b@people.example")])
        try producer.dropFile("1", json: json)
        try producer.dropFile("2", json: JobText.consent("w", [.init("a@people.example", "withdrawn")]))
        try await fixture.serve()
        await fixture.send(fixture.relay(), seconds: 60)
        #expect(fixture.auditor.recipients == ["b@people.example"])
        #expect(try receipt("2").state == "finished")
    }

    @Test func `an import is answered with its counts, and its list is not kept`() async throws {
        let list = Array("email,Nieuwsbrief\na@people.example,J\nnobody,J\n".utf8)
        try producer.dropBundle("people", json: JobText.contacts("i"), files: ["list.csv": list])
        try await fixture.serve()
        let done = try receipt("people")
        #expect(done.state == "finished")
        #expect(done.json["registered"]?.integers["added"] == 1)
        #expect(done.json["registered"]?.integers["invalid"] == 1)
        #expect(done.warnings.count == 1)
        #expect(producer.names(in: "work/kept").isEmpty)
    }

    @Test func `a control job that does not fit is refused with the reason`() async throws {
        try dropCampaign()
        try await fixture.serve()
        try producer.dropFile("k", json: JobText.control("k", "approve", campaign: "c"))
        try producer.dropFile("l", json: JobText.control("l", "pause", campaign: "nothing"))
        try await fixture.serve()
        #expect(try receipt("k").errors.map(\.pointer) == ["/action"])
        #expect(try receipt("k").errors.first?.message.contains("only a held campaign waits for approval") == true)
        #expect(try receipt("l").errors.map(\.pointer) == ["/campaign"])
    }

    @Test func `a control job waits behind the planning of its campaign`() async throws {
        try dropCampaign("1")
        try producer.dropFile("2", json: JobText.control("k", "pause", campaign: "c"))
        try await fixture.serve()
        #expect(try receipt("2").state == "finished")
        #expect(try receipt("1").state == "paused")
    }

    // MARK: Crashes

    /// How far the daemon got before it died.
    enum Step: Int, CaseIterable {
        case claimed
        case read
        case reserved
        case kept
        case begun
        case halfPlanned
        case planned
        case told
    }

    private func claim() throws -> ClaimedDrop {
        var hints = IncomingHints()
        let pending = try fixture.context.spool.pending(hints: &hints, now: fixture.clock.wall).drops
        guard case .claimed(let claim) = try fixture.context.spool.claim(try #require(pending.first)) else {
            throw TestSupportError("the drop could not be claimed")
        }
        return claim
    }

    private func live(until step: Step) async throws {
        let spool = fixture.context.spool
        let claim = try claim()
        guard step.rawValue >= Step.read.rawValue else { return }
        let inspection = try spool.inspect(claim)
        guard step.rawValue >= Step.reserved.rawValue else { return }
        let receipt = try spool.reserveReceipt(claim.receiptName, owner: claim.id)
        guard step.rawValue >= Step.kept.rawValue else { return }
        let id = try #require(JobID("c"))
        try spool.keep(claim, as: id)
        guard step.rawValue >= Step.begun.rawValue else { return }
        guard case .campaign(let campaign) = try fixture.job(IntakeTests.service) else { return }
        try await fixture.ledger.begin(
            job: .campaign(campaign), sha256: try #require(inspection.sha256), receipt: receipt.text, claim: claim.id,
            now: fixture.clock.wall)
        guard step.rawValue >= Step.halfPlanned.rawValue else { return }
        let plan = CampaignPlan(
            job: id, basis: .service, purpose: campaign.purpose, fingerprint: "f", acceptedAt: fixture.clock.wall,
            sendAfter: nil, expires: fixture.clock.wall.adding(seconds: 86_400), relays: ["default"],
            renewalBefore: fixture.clock.wall)
        let number = try await fixture.ledger.beginPlan(plan)
        let first = PlannedRecipient(
            address: try AddressText.read("a@people.example"), relay: "default", fields: [:], place: "list.csv, line 2")
        try await fixture.ledger.plan([first], campaign: number, plan: plan, isTest: false, isComplete: { _ in true })
        guard step.rawValue >= Step.planned.rawValue else { return }
        var second = first
        second.address = try AddressText.read("b@people.example")
        try await fixture.ledger.plan([second], campaign: number, plan: plan, isTest: false, isComplete: { _ in true })
        try await fixture.ledger.commitPlan(campaign: number, job: id, state: .running, because: nil, warnings: [])
        guard step == .told else { return }
        try spool.planned(claim)
    }

    @Test(arguments: Step.allCases)
    func `after a crash at any step the campaign is planned once and answered once`(step: Step) async throws {
        try dropCampaign()
        try await live(until: step)
        try await fixture.serve()
        #expect(try receipt("c").state == "running")
        #expect(try receipt("c").count("queued") == 2)
        #expect(try receipt("c").repeats == 0)
        #expect(producer.names(in: "receipts") == ["c"])
        #expect(producer.names(in: "work/kept") == ["c"])
        await fixture.send(fixture.relay(), seconds: 60)
        #expect(fixture.auditor.recipients.sorted() == ["a@people.example", "b@people.example"])
        try dropCampaign()
        try await fixture.serve()
        #expect(try receipt("c").repeats == 1)
    }

    @Test(arguments: [Step.begun, .halfPlanned])
    func `what was begun and is refused after a restart reserves no id, and can be dropped again`(
        step: Step
    ) async throws {
        try dropCampaign()
        try await live(until: step)
        let configuration = fixture.configuration
        var other = configuration
        other.relays = try ["one": #require(other.relays["default"]), "two": #require(other.relays["default"])]
        fixture.context.settings.replace(by: other)
        try await fixture.serve()
        #expect(try receipt("c").state == "rejected")
        #expect(try await fixture.ledger.job(try #require(JobID("c"))) == nil)
        #expect(producer.names(in: "work/kept").isEmpty)
        fixture.context.settings.replace(by: configuration)
        try dropCampaign("again")
        try await fixture.serve()
        #expect(try receipt("again").state == "running")
        #expect(try receipt("again").count("queued") == 2)
    }

    @Test func `a crash after an import was registered does not keep its list for ever`() async throws {
        let list = Array("email,Nieuwsbrief\na@people.example,J\n".utf8)
        try producer.dropBundle("people", json: JobText.contacts("i"), files: ["list.csv": list])
        let claim = try claim()
        let inspection = try fixture.context.spool.inspect(claim)
        let id = try #require(JobID("i"))
        let receipt = try fixture.context.spool.reserveReceipt(claim.receiptName, owner: claim.id)
        try fixture.context.spool.keep(claim, as: id)
        let job = try fixture.job(JobText.contacts("i"))
        try await fixture.ledger.begin(
            job: job, sha256: try #require(inspection.sha256), receipt: receipt.text, claim: claim.id,
            now: fixture.clock.wall)
        try await fixture.ledger.finish(job: id, registered: ["rows": 1], warnings: [])
        try await fixture.serve()
        #expect(producer.names(in: "work/kept").isEmpty)
    }

    @Test func `trouble of the machine is no crash, however often it comes`() async throws {
        try await fixture.sql(
            "CREATE TRIGGER trouble BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'no room left'); END")
        try dropCampaign()
        try await fixture.serve { _ in await fixture.clock.run(seconds: 10) }
        #expect(fixture.log.messages.contains { $0.contains("no room left") }, "it was tried")
        #expect(try fixture.context.spool.claimed().map(\.attempts) == [0], "and no try is held against it")
        try await fixture.sql("DROP TRIGGER trouble")
        try await fixture.serve()
        #expect(try receipt("c").state == "running")
    }

    @Test func `a drop that killed the daemon five times is put aside`() async throws {
        try dropCampaign()
        let claim = try claim()
        for _ in 0..<Intake.attemptLimit { _ = try fixture.context.spool.inspect(claim) }
        try await fixture.serve()
        #expect(try receipt("c").state == "rejected")
        #expect(try receipt("c").errors.first?.message.hasPrefix("the daemon crashed 5 times while it read") == true)
        #expect(producer.names(in: "work/kept").isEmpty)
        try dropCampaign("once-more")
        try await fixture.serve()
        #expect(try receipt("once-more").state == "running")
    }

    @Test func `systemd starts the daemon often enough for two drops that kill it to be put aside`() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let unit = try String(contentsOf: root.appendingPathComponent("systemd/campaignd.service"), encoding: .utf8)
        let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix("StartLimitBurst=") })
        let starts = try #require(Int(line.split(separator: "=")[1]))
        #expect(starts > 2 * Intake.attemptLimit)
    }
}

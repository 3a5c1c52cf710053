import Foundation
import Ledger
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

/// Everything that the parts of a daemon share, on real directories and a real ledger, with a clock of its own.
final class DaemonFixture: Sendable {
    let directory: TemporaryDirectory
    let clock: VirtualClock
    let log = RecordingLog()
    let auditor = RelayAuditor()
    let context: DaemonContext
    let library: CampaignLibrary
    let keeper: CampaignKeeper
    let records = RecordGate()

    /// - Parameters:
    ///   - relays: names and rates.
    ///   - relayLines: further lines of each relay.
    ///   - lines: further lines of the configuration.
    init(
        relays: [String: Int] = ["default": 3000], relayLines: [String] = [], lines: [String] = [],
        clock: VirtualClock = VirtualClock()
    ) throws {
        directory = try TemporaryDirectory()
        self.clock = clock
        let tables = relays.sorted { $0.key < $1.key }.map { name, rate in
            TestConfiguration.Relay(
                name: name, url: "smtp://\(name).example:25", messagesPerHour: rate, lines: relayLines)
        }
        let text = TestConfiguration(relays: tables, lines: lines).toml(spool: "spool", ledger: "ledger.sqlite")
        let configuration = try ConfigurationFile.read(text, path: directory.path("campaignd.toml"))
        let settings = Settings(configuration)
        let ledger = try DeliveryLedger(path: configuration.ledgerPath, zoneRule: TimeZones.rule)
        context = DaemonContext(
            ledger: ledger, spool: try Spool.SpoolDirectory(path: configuration.spoolDirectory), clocks: clock,
            settings: settings, journal: DaemonJournal(logger: log.logger, key: ledger.key, settings: settings),
            progress: Progress(), stopping: StopFlag())
        library = CampaignLibrary(spool: context.spool)
        keeper = CampaignKeeper(context: context, wakeLanes: {})
    }

    var ledger: DeliveryLedger { context.ledger }
    var configuration: Configuration { context.settings.current }

    /// The producer's side of the spool.
    func producer() throws -> TestSupport.SpoolDirectory {
        try TestSupport.SpoolDirectory(path: configuration.spoolDirectory)
    }

    // MARK: People

    /// Registers people who said yes.
    func accept(_ addresses: String..., purpose: String = JobText.purpose) async throws {
        try await record(.accepted, addresses, purpose: purpose)
    }

    /// People who took their yes back.
    func withdraw(_ addresses: String..., purpose: String = JobText.purpose) async throws {
        try await record(.withdrawn, addresses, purpose: purpose)
    }

    func record(_ event: ConsentEvent.Kind, _ addresses: [String], purpose: String = JobText.purpose) async throws {
        let id = try #require(JobID("consent-\(UUID().uuidString)"))
        let entries = try addresses.map { address in
            ConsentJob.Entry(
                address: try AddressText.read(address), purpose: purpose, event: event, by: .operator,
                source: "telephone", text: nil, at: clock.wall)
        }
        try await ledger.begin(
            job: .consent(ConsentJob(id: id, events: entries)), sha256: id.text, receipt: id.text, claim: id.text,
            now: clock.wall)
        _ = try await ledger.record(entries, job: id, now: clock.wall)
    }

    // MARK: Campaigns

    /// Reads a campaign job and keeps its files as an accepted drop's are kept.
    func campaign(_ json: String, files: [String: String] = [:]) throws -> PreparedCampaign {
        guard case .campaign(let campaign) = try job(json) else { throw TestSupportError("this is no campaign") }
        let kept = context.spool.keptDirectory(of: campaign.id)
        try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: true)
        for (name, text) in files.merging(["job.json": json], uniquingKeysWith: { $1 }) {
            try Data(text.utf8).write(to: URL(fileURLWithPath: kept + "/" + name))
        }
        return try CampaignLibrary.prepare(campaign, directory: kept)
    }

    func job(_ json: String) throws -> Job {
        switch JobReader.read(Array(json.utf8), file: "job.json", form: .bundle) {
        case .success(let job): return job
        case .failure(let found): throw TestSupportError("this is no job: \(found.errors)")
        }
    }

    /// Plans a campaign up to instant 1.
    @discardableResult
    func plan(
        _ json: String, files: [String: String] = [:], fingerprint: String = UUID().uuidString
    ) async throws -> (number: Int64, state: CampaignState) {
        let prepared = try campaign(json, files: files)
        let id = prepared.campaign.id
        try await ledger.begin(
            job: .campaign(prepared.campaign), sha256: fingerprint, receipt: id.text, claim: id.text, now: clock.wall)
        let expander = Expander(
            context: context, prepared: prepared, directory: context.spool.keptDirectory(of: id),
            fingerprint: fingerprint, accepted: clock.wall)
        return try await expander.expand(warnings: [])
    }

    /// The rows of a campaign in the order of planning.
    func rows(_ campaign: Int64) async throws -> [RecipientRecord] {
        try await ledger.recipientRecords(campaign: campaign, after: 0, limit: 10_000).records
    }

    /// The states of a campaign's rows by address.
    func states(_ campaign: Int64) async throws -> [String: String] {
        Dictionary(uniqueKeysWithValues: try await rows(campaign).map { ($0.address, $0.state) })
    }

    func summary(_ campaign: Int64) async throws -> CampaignSummary {
        try #require(try await ledger.summary(campaign: campaign))
    }

    // MARK: Lanes

    func relay(_ name: String = "default", milliseconds: Int64 = 0) -> ScriptedRelay {
        ScriptedRelay(name: name, clock: clock, auditor: auditor, milliseconds: milliseconds)
    }

    /// A lane as it is after a start with a pacer that says “at once”, unless another one is given.
    func lane(_ relay: ScriptedRelay, pacer: Pacer? = nil, overall: OverallPace = OverallPace(pacer: nil)) -> RelayLane
    {
        let rate = configuration.relays[relay.name]?.messagesPerHour ?? 3000
        let fresh = Pacer(
            messagesPerHour: rate, stored: nil, wasInFlight: false, bootID: clock.bootID, now: clock.boot)
        return RelayLane(
            name: relay.name, context: context, library: library, keeper: keeper, overall: overall, records: records,
            connection: relay, pacer: pacer ?? fresh)
    }

    /// Runs a lane, which keeps time from moving while it works.
    func run(_ lane: RelayLane) -> Task<Void, Never> {
        clock.join()
        return Task { [clock] in
            await lane.run()
            clock.leave()
        }
    }

    /// Runs one lane for so many virtual seconds and ends it.
    func send(_ relay: ScriptedRelay, seconds: Double) async {
        let lane = lane(relay)
        let task = run(lane)
        await clock.run(seconds: seconds)
        lane.end()
        await task.value
    }

    // MARK: Receipts

    /// A keeper that knows nothing yet, as after a start.
    func newKeeper() -> CampaignKeeper { CampaignKeeper(context: context, wakeLanes: {}) }

    func run(_ keeper: CampaignKeeper) -> Task<Void, Never> {
        clock.join()
        return Task { [clock] in
            await keeper.run()
            clock.leave()
        }
    }

    func end(_ keeper: CampaignKeeper, _ task: Task<Void, Never>) async {
        await keeper.finish()
        await clock.run(seconds: 1)
        await task.value
    }

    /// Brings all receipts up to date, as a daemon does that is started and stopped.
    func writeReceipts() async {
        let keeper = newKeeper()
        let task = run(keeper)
        await clock.settle()
        await end(keeper, task)
    }

    /// Changes the ledger's file behind the daemon's back, as a disk fault would.
    func sql(_ statements: String) async throws {
        let script = """
            import sqlite3, sys
            database = sqlite3.connect(sys.argv[1], timeout=30)
            database.executescript(sys.argv[2])
            database.close()
            """
        let result = try await runPython(script, [configuration.ledgerPath, statements])
        try #require(result.status == 0, "\(result.errorText)")
    }
}

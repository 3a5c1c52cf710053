import Foundation
import Glibc
import TestSupport

/// One small mailing from drop to receipt: an import of three people who said yes, then a campaign to them. The daemon
/// is struck as planned and started again whenever it has ended, as its service manager would do.
struct SweepWorld {
    /// Each has a relay of its own, so that nobody waits for a slot.
    static let people = Scenario.readers(3)
    static let importJob = JobText.contacts("people")
    static let list = Scenario.list(people)
    static let mailingJob = JobText.campaign(
        "news", to: people.map { .address($0) },
        extra: ["relays": .array(Scenario.relayNames(people.count).map { .string($0) })])
    /// A message on which its connection broke waits for 60 s.
    private static let patience: UInt64 = 80_000_000_000
    /// strace strikes every thread, also those that come later: what it breaks would never be mended by itself. A
    /// message has waited once by then, and may wait once more.
    private static let straceEnds: UInt64 = 70_000_000_000

    /// What came of it.
    struct Verdict: Sendable {
        /// The calls that were struck, one a plan at most (more where a fault lasted).
        var struck: [RecordedCall] = []
        var crashes = 0
        var doubles: [String] = []
        var losses: [String] = []
        var unexplained: [String] = []
        var uncertain = 0
        /// The number of the last call of the first run before the daemon was told to stop.
        var callsBeforeStop = 0
        /// What the daemon said on standard error.
        var words = ""

        var isClean: Bool { doubles.isEmpty && losses.isEmpty && unexplained.isEmpty }
        var complaints: String { (doubles + losses + unexplained).joined(separator: "; ") }
    }

    /// One run of the daemon after another.
    struct Plans: Sendable {
        var runs: [Interposer.Plan] = []
        /// strace in place of the library: arguments for the first run.
        var strace: [String]?
        /// strace is no parent of the daemon, and is ended after a while: then the daemon goes on by itself.
        var isStraceBeside = false
        /// What is done to the ledger between a crash and the next start.
        var whileDown: @Sendable (String) async throws -> Void = { _ in }
        /// What is looked at before a fault that lasts is lifted; returns complaints.
        var whileFaulty: @Sendable (Scenario) async throws -> [String] = { _ in [] }
        /// Whether a call may fail so early that the daemon cannot start.
        var mayRefuseToStart = false
    }

    let scenario: Scenario
    private(set) var verdict = Verdict()
    private let interposer: Interposer
    private var plans: Plans
    private var run = 0
    private var current: Interposer.Plan?
    private var isLifted = false

    init(_ interposer: Interposer, _ plans: Plans) throws {
        self.interposer = interposer
        self.plans = plans
        scenario = try Scenario(relays: Self.people.count)
    }

    /// Lives through the plans, then on without any, to the receipts and an orderly stop.
    static func live(_ interposer: Interposer, _ plans: Plans) async throws -> SweepWorld {
        var world = try SweepWorld(interposer, plans)
        do {
            try await world.live()
        } catch {
            world.verdict.unexplained.append("\(error)")
        }
        try world.judge()
        world.verdict.struck = try (1...world.run).flatMap { try world.calls($0).filter(\.isStruck) }
        world.verdict.words = world.scenario.daemon.standardError
        return world
    }

    /// What was recorded of a run, from 1.
    func calls(_ run: Int) throws -> [RecordedCall] {
        try CallRecord.read(scenario.daemon.directory.path("run\(run).record"))
    }

    private mutating func live() async throws {
        try start()
        // Not drop before it watches: what is found by a scan must lie still for five seconds.
        try await attend { $0.daemon.notifications.contains("READY=1") }
        try scenario.daemon.directory.write("", to: "dropped")
        try scenario.spool.dropBundle("people", json: Self.importJob, files: ["list.csv": Self.list])
        try await attend { try Self.hasEnded("people", $0) }
        try scenario.spool.dropFile("news", json: Self.mailingJob)
        try await attend { try Self.hasEnded("news", $0) }
        verdict.callsBeforeStop = try calls(1).last?.number ?? 0
        // The stop is part of the life of a file: the write-ahead log is moved into the ledger.
        scenario.daemon.terminate()
        let status = try await scenario.daemon.waitUntilExit()
        guard status != 0 else { return }
        try await ended(status)
        try await attend { try $0.daemon.notifications.contains("READY=1") && Self.hasEnded("news", $0) }
        try await scenario.daemon.kill()
    }

    private mutating func start() throws {
        run += 1
        current = plans.runs.isEmpty ? nil : plans.runs.removeFirst()
        isLifted = false
        let directory = scenario.daemon.directory
        let environment = current.map { interposer.environment($0, in: directory, run: "run\(run)") } ?? [:]
        if run == 1, let strace = plans.strace {
            let place = plans.isStraceBeside ? ["-D"] : []
            let given = environment.flatMap { ["-E", "\($0.key)=\($0.value)"] }
            try scenario.daemon.start(
                wrapper: ["strace", "-f", "-qq"] + place + strace + given, isWrapperParent: !plans.isStraceBeside)
        } else {
            try scenario.daemon.start(environment: environment)
        }
    }

    static func hasEnded(_ job: String, _ scenario: Scenario) throws -> Bool {
        ["finished", "rejected", "cancelled", "expired"].contains(try scenario.spool.receipt(job)?.state ?? "")
    }

    /// Waits for a condition, and starts the daemon again when it has ended.
    private mutating func attend(until condition: (Scenario) throws -> Bool) async throws {
        let began = MonotonicClock.now()
        let deadline = began + Self.patience + (plans.isStraceBeside ? Self.straceEnds : 0)
        while try !condition(scenario) {
            if run == 1, plans.isStraceBeside, MonotonicClock.now() > began + Self.straceEnds {
                scenario.daemon.endTracer()
            }
            guard MonotonicClock.now() < deadline else { throw TestSupportError("it stands still") }
            if case .failUntilLifted = current?.strike, !isLifted, try calls(run).contains(where: \.isStruck) {
                verdict.unexplained += try await plans.whileFaulty(scenario)
                try scenario.daemon.directory.write("", to: "run\(run).lifted")
                isLifted = true
            }
            if !scenario.daemon.isRunning { try await ended(scenario.daemon.exitStatus ?? 0) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private mutating func ended(_ status: Int32) async throws {
        let isReady = scenario.daemon.notifications.contains("READY=1")
        if status == -SIGKILL, current?.isKill == true || plans.strace != nil {
            verdict.crashes += 1
        } else if !(plans.mayRefuseToStart && !isReady && status > 0) {
            verdict.unexplained.append("the daemon ended by itself with status \(status)")
            guard verdict.unexplained.count < 10 else { throw TestSupportError("it does not live") }
        }
        try await plans.whileDown(scenario.daemon.ledgerPath)
        try start()
    }

    private mutating func judge() throws {
        let seen = scenario.server.snapshot
        let taken = seen.acceptedPerRecipient
        let several = taken.filter { $0.value > 1 }.map { "\($0.value) times to \($0.key)" }
        verdict.doubles = Array(Set(seen.handedOverTwice)) + several
        verdict.unexplained += seen.violations
        let rows = try scenario.spool.recipients("news") ?? []
        let offered = Set(seen.messages.flatMap(\.recipients) + seen.aborted.flatMap(\.recipients))
        for person in Self.people {
            let row = rows.first { $0["address"] == person }
            switch row?["state"] {
            case "sent" where taken[person] != nil: break
            case "uncertain":
                verdict.uncertain += 1
                if !offered.contains(person) {
                    verdict.unexplained.append("\(person) is uncertain and was never offered to the relay")
                }
            case let state: verdict.losses.append("\(person) is \(state ?? "not named"), taken \(taken[person] ?? 0)")
            }
        }
        // Each relay has one message in flight, at the most.
        if verdict.uncertain > verdict.crashes * Self.people.count {
            verdict.unexplained.append("\(verdict.uncertain) are uncertain after \(verdict.crashes) crashes")
        }
        for job in ["people", "news"] where try scenario.spool.receipt(job)?.state != "finished" {
            verdict.losses.append("\(job) is \(try scenario.spool.receipt(job)?.state ?? "not answered")")
        }
    }
}

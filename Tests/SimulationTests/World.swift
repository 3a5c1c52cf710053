import Foundation
import Mailing
import Synchronization
import TestSupport

@testable import Daemon

/// A scenario played out: producers, relays, one daemon after another, and the time that passes.
///
/// Everything happens on the calling thread, in an order that the seed decides.
final class World {
    /// How the world may be turned against the daemon.
    struct Fate: Sendable {
        /// nil: whatever is ready first runs first.
        var seed: UInt64?
        /// The first run crashes at its step of this number, the second at its own, and so on; nil for no crash.
        var crashes: [Int?] = []
        /// Faults of the disk in the first, second … run.
        var faults: [[SimulatedDisk.Fault]] = []
        var mutant: Mutant?
    }

    private enum Phase {
        case running(Machine)
        /// Nobody is there until then, in true time.
        case down(until: Int64)
    }

    let scenario: Scenario
    private let fate: Fate
    private let root: String
    private let relays: [String: SimulatedRelay]
    private let scheduler: Scheduler
    private let observer: Observer
    /// The relays as the configuration file has them now.
    private var tables: [Scenario.Relay]
    private var moment = Moment.start
    private var phase = Phase.down(until: Moment.start.true)
    private var run = 0
    private var pending: [Scenario.Event]
    /// How the present run is to end, once it was told to.
    private var ending: (end: Scenario.End, seconds: Double)?
    private var texts: [String: String] = [:]
    private var count = 0
    /// When the latest drop came, by the clock of the real file system.
    private var latestDrop: Int64 = 0
    /// All is done, and the daemon was told to stop for good.
    private var isLast = false

    /// Virtual time after which a world that has not come to its end is called stuck, in nanoseconds.
    private static let limit = Moment.start.true + 12_000 * 1_000_000_000

    init(_ scenario: Scenario, fate: Fate) throws {
        self.scenario = scenario
        self.fate = fate
        root = try World.makeRoot()
        relays = Dictionary(
            uniqueKeysWithValues: scenario.relays.map {
                ($0.name, SimulatedRelay($0))
            })
        for (name, answers) in scenario.answers {
            for relay in relays.values { relay.answer(Scenario.address(name), answers) }
        }
        tables = scenario.relays
        moment.wall = scenario.begin
        scheduler = Scheduler(seed: fate.seed)
        pending = scenario.events
        observer = Observer()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    /// Plays the scenario to its end and returns what was seen.
    func play() throws -> Record {
        try scheduler.own {
            try writeConfiguration()
            try registerPeople()
            while try turn() {}
            return try observer.record(
                spool, dots: relays.values.flatMap(\.dots).sorted { $0.at < $1.at }, isComplete: isLast)
        }
    }

    // MARK: Turns

    /// Runs what is ready, then lets time pass up to the next thing. False when all is over.
    private func turn() throws -> Bool {
        if case .running(let machine) = phase {
            machine.drain()
            moment = machine.moment
            if machine.disk.hasCrashed { return try crash(machine) }
            if machine.hasEnded { return try ended(machine) }
        }
        try observer.look(spool, at: moment.true)
        guard moment.true < World.limit else {
            if case .running(let machine) = phase { observer.left(machine, run: run) }
            return false
        }
        if let event = pending.first, due(event) <= moment.true {
            pending.removeFirst()
            try perform(event.action)
            return true
        }
        switch phase {
        case .down(let until):
            let next = min(until, pending.first.map(due) ?? .max)
            moment = moment.passed(max(0, next - moment.true))
            if moment.true >= until { begin() }
            return true
        case .running(let machine):
            if isOver, !isLast {
                isLast = true
                machine.stop()
                return true
            }
            let wake = machine.clock.nextDeadline.map { $0.nanoseconds + moment.true - moment.boot }
            let next = min(wake ?? .max, pending.first.map(due) ?? .max)
            guard next < .max else { return false }
            machine.clock.advance(to: BootInstant(nanoseconds: moment.boot + next - moment.true))
            return true
        }
    }

    private func due(_ event: Scenario.Event) -> Int64 { Moment.start.true + Int64(event.seconds * 1_000_000_000) }

    private var isOver: Bool { pending.isEmpty && observer.isComplete(at: moment.true) }

    // MARK: Runs of the daemon

    private var directory: String { "\(root)/\(run)" }

    private func begin() {
        let machine = Machine(
            directory: directory,
            disk: SimulatedDisk(
                crashAt: run < fate.crashes.count ? fate.crashes[run] : nil,
                faults: run < fate.faults.count ? fate.faults[run] : []),
            moment: moment, scheduler: scheduler, relays: relays, mutant: fate.mutant, observer: observer)
        observer.mayDoubt(relays.count)
        observer.configured(at: moment.true)
        phase = .running(machine)
        machine.start()
    }

    /// The state of the disk at this moment is what the next run finds.
    private func crash(_ machine: Machine) throws -> Bool {
        isLast = false
        observer.crashed(at: moment.true)
        try leave(machine)
        abandon(machine)
        phase = .down(until: moment.true + 1_000_000_000)
        return true
    }

    /// A daemon ended: because it was told to, or because it could not go on.
    private func ended(_ machine: Machine) throws -> Bool {
        if isLast, machine.failure == nil {
            observer.left(machine, run: run)
            return false
        }
        isLast = false
        if let failure = machine.failure, machine.disk.failed == 0 {
            observer.object("the daemon ended by itself: \(failure)")
        }
        try leave(machine)
        let pause = Int64((ending?.seconds ?? 1) * 1_000_000_000)
        let until = moment.true + pause
        if ending?.end == .reboot { moment = moment.rebooted(run) }
        ending = nil
        phase = .down(until: until)
        return true
    }

    private func leave(_ machine: Machine) throws {
        observer.left(machine, run: run)
        let spool = spool
        try FileManager.default.copyItem(atPath: directory, toPath: "\(root)/\(run + 1)")
        run += 1
        latestDrop = try DropOrder.keep(from: spool, to: self.spool)
        // Not even a mad world goes on for ever.
        guard run < 200 else {
            throw TestSupportError("200 starts bring the world to no end: \(machine.failure ?? "no failure")")
        }
    }

    /// A crashed daemon is let run out; nothing of it reaches the disk or a relay any more.
    private func abandon(_ machine: Machine) {
        for _ in 0..<2_000 where !machine.hasEnded {
            machine.stop()
            machine.drain()
            guard !machine.hasEnded, let next = machine.clock.nextDeadline else { break }
            machine.clock.advance(to: next)
        }
        if !machine.hasEnded { observer.object("what is left of a crashed daemon comes to no end") }
        try? FileManager.default.removeItem(atPath: machine.directory)
    }

    // MARK: What happens

    private func perform(_ action: Scenario.Action) throws {
        switch action {
        case .campaign(let id, let people):
            if scenario.reports[id] != nil { observer.expectsReport(of: id) }
            let text = campaign(id, people)
            texts[id] = text
            try drop(id, text)
        case .again(let id, let name): try drop(name, texts[id] ?? "", isJob: false)
        case .withdraw(let name):
            let id = newID("withdrawal")
            let address = Scenario.address(name)
            observer.withdraws(address, job: id)
            try drop(id, JobText.consent(id, [JobText.ConsentEvent(address, "withdrawn")]))
        case .control(let action, let campaign, let settlement, let name):
            try control(action, campaign, settlement, name)
        case .reroute(let campaign, let from, let to):
            let id = newID("reroute")
            let control = Record.Control(
                action: "reroute", campaign: campaign, route: Record.Route(from: from, to: to), droppedAt: moment.true)
            observer.controls(control, job: id)
            if let mutant = fate.mutant { try mutant.sabotage(ledger: directory + "/ledger.sqlite") }
            let extra: [String: JSONValue] = ["from": .string(from), "to": .string(to)]
            try drop(id, JobText.control(id, "reroute", campaign: campaign, extra: extra))
        case .change(let relay, let change):
            for index in tables.indices where tables[index].name == relay { tables[index].apply(change) }
            try writeConfiguration()
            if case .running(let machine) = phase { machine.reload() }
        case .wall(let seconds):
            if case .running(let machine) = phase { machine.clock.stepWall(seconds: seconds) }
            moment.wall = moment.wall.adding(seconds: seconds)
            observer.stepped(seconds, at: moment.true)
        case .end(let end, let seconds): try tellToEnd(end, seconds)
        }
    }

    private func tellToEnd(_ end: Scenario.End, _ seconds: Double) throws {
        guard case .running(let machine) = phase else { return }
        ending = (end, seconds)
        guard end != .stop else { return machine.stop() }
        machine.disk.crash()
        observer.crashed(at: moment.true)
        try leave(machine)
        abandon(machine)
        let until = moment.true + Int64(seconds * 1_000_000_000)
        if end == .reboot { moment = moment.rebooted(run) }
        ending = nil
        phase = .down(until: until)
    }

    private func control(_ action: String, _ campaign: String, _ settlement: String?, _ name: String?) throws {
        let id = newID(action)
        var extra: [String: JSONValue] = [:]
        extra["as"] = settlement.map { .string($0) }
        extra["address"] = name.map { .string(Scenario.address($0)) }
        let control = Record.Control(
            action: action, campaign: campaign, settlement: settlement, address: name.map(Scenario.address),
            droppedAt: moment.true)
        observer.controls(control, job: id)
        try drop(id, JobText.control(id, action, campaign: campaign, extra: extra))
    }

    private func campaign(_ id: String, _ people: [String]) -> String {
        var extra: [String: JSONValue] = ["relays": .array(scenario.relays.map { .string($0.name) })]
        extra["report"] = scenario.reports[id].map { ["to": .string(Scenario.address($0))] }
        if let hours = scenario.hours[id] { extra["window"] = .array(hours.map(\.json)) }
        return JobText.campaign(
            id, to: people.map { .address(Scenario.address($0)) }, subject: "News (\(id))", extra: extra)
    }

    private func newID(_ word: String) -> String {
        count += 1
        return "\(word)-\(count)"
    }

    private func drop(_ name: String, _ text: String, isJob: Bool = true) throws {
        if isJob { observer.expects(name) }
        try TestSupport.SpoolDirectory(path: spool).dropFile(name, json: text)
        latestDrop = try DropOrder.settle("\(spool)/incoming/\(name).json", after: latestDrop)
        if case .running(let machine) = phase { machine.wake() }
    }

    /// Everybody is known before the first campaign.
    private func registerPeople() throws {
        var list = "email,\(BorrowerList.consentColumn)\n"
        for (name, consent) in scenario.people {
            let mark = ["accepted": "J", "refused": "N"][consent] ?? ""
            list += "\(Scenario.address(name)),\(mark)\n"
        }
        observer.expects("people")
        try TestSupport.SpoolDirectory(path: spool).dropBundle(
            "people", json: JobText.contacts("people"), files: ["list.csv": Array(list.utf8)])
        latestDrop = try DropOrder.settle("\(spool)/incoming/people.job", after: latestDrop)
    }

    // MARK: Files

    private var spool: String { directory + "/spool" }

    private func writeConfiguration() throws {
        observer.configures(tables, at: moment.true)
        let isBlind = fate.mutant == .domainLimitIsNotKnown
        let relays = tables.filter(\.isConfigured).map { relay in
            var lines = relay.knowsKeys ? ["idempotency_header = \"X-Key\""] : []
            for domain in isBlind ? [] : relay.limits.keys.sorted() {
                let limit = relay.limit(domain) ?? relay.rate
                lines += ["[relays.\(relay.name).domains.\"\(domain)\"]", "messages_per_hour = \(limit)"]
            }
            if let window = relay.window { lines += ["[relays.\(relay.name).window]"] + window.lines }
            return TestConfiguration.Relay(
                name: relay.name, url: "smtp://\(relay.name).example:25", messagesPerHour: relay.rate, lines: lines)
        }
        let sending = scenario.settings.isEmpty ? [] : ["[sending]"] + scenario.settings
        let text = TestConfiguration(relays: relays, lines: sending).toml(spool: "spool", ledger: "ledger.sqlite")
        try Data(text.utf8).write(to: URL(fileURLWithPath: directory + "/campaignd.toml"))
    }

    /// In memory where that is possible: a simulated disk need not turn.
    private static func makeRoot() throws -> String {
        let place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory()
        let path = "\(place)/campaignd-simulation-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}

/// A moment on all clocks of a simulated machine, and on the true one, which no reboot sets back.
struct Moment: Sendable {
    /// Nanoseconds.
    var `true`: Int64
    /// Nanoseconds of CLOCK_BOOTTIME.
    var boot: Int64
    var bootID: BootID
    var wall: Timestamp

    static let start = Moment(
        true: 1_000_000_000_000, boot: 1_000_000_000_000, bootID: BootID("boot 0"),
        wall: Timestamp(rfc3339: "2025-06-02T09:00:00Z") ?? Timestamp(milliseconds: 0))

    func passed(_ nanoseconds: Int64) -> Moment {
        Moment(
            true: self.true + nanoseconds, boot: boot + nanoseconds, bootID: bootID,
            wall: Timestamp(milliseconds: wall.milliseconds + nanoseconds / 1_000_000))
    }

    func rebooted(_ number: Int) -> Moment {
        Moment(true: self.true, boot: 5_000_000_000, bootID: BootID("boot \(number)"), wall: wall)
    }
}

import Foundation
import TestSupport

/// A daemon that is started from what a loss of power left, and what it makes of it.
struct PowerLossWorld {
    private let state: PowerLossState
    private let scenario: Scenario
    private var verdict = SweepWorld.Verdict()

    private init(_ state: PowerLossState) throws {
        self.state = state
        scenario = try Scenario(relays: SweepWorld.people.count)
        let directory = scenario.daemon.directory
        try FileManager.default.removeItem(atPath: directory.path("spool"))
        for path in state.tree.keys.sorted() {
            guard case .some(let content) = state.tree[path] else { continue }
            if let content { try directory.write(content, to: path) } else { try directory.makeDirectory(path) }
        }
    }

    /// - Parameter whileDown: what is done to the ledger before the start.
    static func live(
        _ state: PowerLossState, whileDown: (String) async throws -> Void = { _ in }
    ) async throws -> SweepWorld.Verdict {
        var world = try PowerLossWorld(state)
        do {
            if state.tree["ledger.sqlite"] != nil { try await whileDown(world.scenario.daemon.ledgerPath) }
            try await world.live()
        } catch {
            world.verdict.unexplained.append("\(error)")
        }
        try world.judge()
        world.verdict.words = world.scenario.daemon.standardError
        return world.verdict
    }

    private func live() async throws {
        try await scenario.daemon.startAndWait()
        // The directories in which a producer drops are part of the installation.
        _ = try SpoolDirectory(path: scenario.spool.path)
        if !state.dropped.contains("people") {
            try scenario.spool.dropBundle("people", json: SweepWorld.importJob, files: ["list.csv": SweepWorld.list])
        }
        try await end("people")
        if !state.dropped.contains("news") { try scenario.spool.dropFile("news", json: SweepWorld.mailingJob) }
        try await end("news")
    }

    private func end(_ job: String) async throws {
        let hasEnded = try await eventually(timeout: .seconds(60), every: .milliseconds(10)) {
            try SweepWorld.hasEnded(job, scenario) || !scenario.daemon.isRunning
        }
        guard hasEnded, scenario.daemon.isRunning else { throw TestSupportError("\(job) stands still") }
    }

    private mutating func judge() throws {
        let seen = scenario.server.snapshot
        verdict.unexplained += seen.violations
        let rows = try scenario.spool.recipients("news") ?? []
        let before = try recordedBefore()
        for person in SweepWorld.people {
            let earlier = state.dots.count { $0 == person }
            let copies = earlier + seen.messages.count { $0.recipients.contains(person) }
            if copies > 1 { verdict.doubles.append("\(copies) dots to \(person), \(earlier) of them before") }
            let word = rows.first { $0["address"] == person }?["state"] ?? "not named"
            switch word {
            case "sent" where copies > 0: break
            case "uncertain":
                verdict.uncertain += 1
                if !state.offered.contains(person) {
                    verdict.unexplained.append("\(person) is uncertain and had not been offered")
                }
            default: verdict.losses.append("\(person) is \(word), \(copies) dots")
            }
            if before[person] == "sent", word != "sent" {
                verdict.losses.append("\(person) was sent by a receipt that survived, and is \(word)")
            }
        }
        for job in ["people", "news"] where try scenario.spool.receipt(job)?.state != "finished" {
            verdict.losses.append("\(job) is \(try scenario.spool.receipt(job)?.state ?? "not answered")")
        }
    }

    /// What the list of recipients said that survived, if one did.
    private func recordedBefore() throws -> [String: String] {
        guard case .some(.some(let bytes)) = state.tree["spool/receipts/news/recipients.csv"] else { return [:] }
        let rows = CSVText.rows(String(decoding: bytes, as: UTF8.self))
        return Dictionary(rows.map { ($0["address"] ?? "", $0["state"] ?? "") }) { first, _ in first }
    }
}

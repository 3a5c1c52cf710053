import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// What cannot be recorded is not sent; the status, the journal and the receipt say why; it goes on by itself.
    @Suite struct FailClosedTests {
        private static let relays = 10
        private static let recipients = 60
        private static let trial = "fail closed"

        /// A campaign in mid-run.
        private func underWay(room: LedgerRoom? = nil, _ scenario: Scenario) async throws -> [String] {
            if let room {
                let toml = scenario.configuration.toml(spool: scenario.spool.path, ledger: room.ledgerPath)
                try scenario.daemon.directory.write(toml, to: "campaignd.toml")
                try scenario.daemon.start(wrapper: room.wrapper)
                try await scenario.daemon.waitUntilReady()
            } else {
                try await scenario.daemon.startAndWait()
            }
            let everybody = Scenario.readers(Self.recipients)
            try await scenario.importAccepted(everybody)
            try scenario.dropOverAllRelays("news", to: everybody, relays: Self.relays)
            let hasSent = await scenario.server.waitUntil(dots: 15, timeout: .seconds(30))
            #expect(hasSent, "\(scenario.lastWords)")
            return everybody
        }

        /// Waits until the trouble shows, then checks that it is told everywhere and that no dot leaves.
        ///
        /// - Parameters:
        ///   - word: what the reason must say.
        ///   - first: what the journal must say, and the receipt may; nil for the same. A new reason comes later.
        ///   - ledger: where the record can be read meanwhile; nil if it cannot.
        private func expectNothingLeaves(
            _ scenario: Scenario, saying word: String, first: String? = nil, ledger: LedgerFile?,
            for duration: Duration = .seconds(2)
        ) async throws {
            let isTold = await eventually(timeout: .seconds(40), every: .milliseconds(50)) {
                scenario.status.contains("nothing is sent") && scenario.status.contains(word)
            }
            #expect(isTold, "the status says why: \(scenario.status)\n\(scenario.lastWords)")
            let receipt = try await scenario.spool.waitForReceipt("news", timeout: .seconds(15)) { receipt in
                receipt.warnings.contains {
                    $0.hasPrefix("nothing is sent at present: ") && ($0.contains(word) || $0.contains(first ?? word))
                }
            }
            #expect(receipt.state == "running")
            #expect(
                scenario.daemon.standardError.contains(first ?? word), "the journal says why:\n\(scenario.lastWords)")
            // A dot whose intent was recorded just before may still be on its way.
            try await Task.sleep(for: .milliseconds(200))
            let before = scenario.server.messages
            if let ledger {
                let intents = try await ledger.intents()
                let unrecorded = before.compactMap(\.messageID).filter { !intents.messageIDs.contains($0) }
                #expect(unrecorded.isEmpty, "no dot left without a durable intent")
                #expect(before.count <= intents.count, "\(before.count) dots, \(intents.count) intents")
                Proof.count(Self.trial, .unexplained, unrecorded.count)
            }
            try await Task.sleep(for: duration)
            let after = scenario.server.messages.count
            #expect(after == before.count, "\(after - before.count) dots left while nothing could be recorded")
            Proof.count(Self.trial, .steps, 1)
            Proof.count(Self.trial, .unexplained, after - before.count)
            Figures.say("fail closed: \(before.count) dots, then none for \(duration): \(scenario.status.dropFirst(7))")
        }

        /// The cause is gone: it goes on by itself, and nothing is told of it any more.
        private func expectGoesOn(_ scenario: Scenario, _ everybody: [String]) async throws {
            let receipt = try await scenario.spool.waitForState("news", "finished", timeout: .seconds(60))
            #expect(receipt.count("sent") == Self.recipients, "\(receipt.json.text)")
            #expect(receipt.warnings.isEmpty, "\(receipt.warnings)")
            #expect(scenario.daemon.standardError.contains("the ledger can be used again; sending goes on"))
            let isQuiet = await eventually(timeout: .seconds(5)) { !scenario.status.contains("nothing is sent") }
            #expect(isQuiet, "\(scenario.status)")
            try scenario.expectEverybodyOnce("news", everybody, trial: Self.trial)
        }

        @Test(.enabled(if: LedgerRoom.isPossible, "mounting needs root"), .timeLimit(.minutes(3)))
        func `a file system that is full in mid-campaign stops every dot until there is room again`() async throws {
            let scenario = try Scenario(relays: Self.relays)
            let room = LedgerRoom(directory: try scenario.daemon.directory.makeDirectory("room"))
            let everybody = try await underWay(room: room, scenario)
            let pid = try #require(scenario.daemon.pid)
            _ = try room.fill(scenario.daemon)
            try await expectNothingLeaves(
                scenario, saying: "full",
                ledger: LedgerFile(path: room.ledgerPath, namespace: pid))
            try room.free(scenario.daemon)
            try await expectGoesOn(scenario, everybody)
        }

        @Test(.timeLimit(.minutes(3)), arguments: ["EROFS", "EIO"])
        func `a ledger that cannot be written stops every dot until it can be written again`(
            error: String
        ) async throws {
            let scenario = try Scenario(relays: Self.relays)
            let everybody = try await underWay(scenario)
            let path = scenario.daemon.ledgerPath
            let pid = try #require(scenario.daemon.pid)
            let struck = try await FailingCalls(
                pid, "pwrite64,fsync,fdatasync,ftruncate", error: error, paths: [path, path + "-wal"])
            try await expectNothingLeaves(scenario, saying: "disk I/O error", ledger: scenario.ledger)
            #expect(try await struck.end() > 0, "calls were struck")
            try await expectGoesOn(scenario, everybody)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a ledger that somebody else keeps locked stops every dot until it is free`() async throws {
            let scenario = try Scenario(relays: Self.relays)
            let everybody = try await underWay(scenario)
            let hold = """
                import sqlite3, sys
                database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
                database.execute("BEGIN IMMEDIATE")
                print("locked", flush=True)
                sys.stdin.read()
                """
            let pipe = scenario.daemon.directory.path("pipe")
            #expect(mkfifo(pipe, 0o600) == 0)
            // Both ends are held here: the reader has its end of file when this one is closed.
            let end = open(pipe, O_RDWR | O_CLOEXEC)
            let said = scenario.daemon.directory.path("locker")
            let locker = try ChildProcess(
                ["python3", "-c", hold, scenario.daemon.ledgerPath], environment: ProcessInfo.processInfo.environment,
                input: pipe, output: said, error: said)
            try await expectNothingLeaves(scenario, saying: "locked", ledger: scenario.ledger)
            close(end)
            try await locker.waitUntilExit(timeout: .seconds(10))
            try await expectGoesOn(scenario, everybody)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a ledger that is damaged in mid-campaign stops every dot until it is sound again`() async throws {
            let scenario = try Scenario(relays: Self.relays)
            let everybody = try await underWay(scenario)
            let damage = LedgerDamage(scenario.daemon.ledgerPath)
            try await damage.spoil()
            try await expectNothingLeaves(scenario, saying: "malformed", ledger: nil)
            try await damage.mend()
            try await expectGoesOn(scenario, everybody)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a ledger that is moved away, and one that is replaced, stops every dot until it is back`() async throws {
            let scenario = try Scenario(relays: Self.relays)
            let everybody = try await underWay(scenario)
            let path = scenario.daemon.ledgerPath
            #expect(rename(path, path + ".away") == 0)
            try await expectNothingLeaves(scenario, saying: "No such file", ledger: nil)
            try await LedgerFile(path: path + ".other").change("CREATE TABLE other (x)")
            #expect(rename(path + ".other", path) == 0)
            try await expectNothingLeaves(
                scenario, saying: "another file was put in its place", first: "No such file", ledger: nil)
            #expect(rename(path + ".away", path) == 0)
            try await expectGoesOn(scenario, everybody)
        }
    }
}

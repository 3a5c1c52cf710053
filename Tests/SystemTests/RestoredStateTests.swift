import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// A ledger that is not the newest one, or not the only one, or that nobody looked after for long: nothing goes on
    /// by itself.
    @Suite struct RestoredStateTests {
        private static let relays = 10
        private static let recipients = 60
        private static let trial = "restored state"

        /// How the older copy of the ledger was made.
        enum Copy: String, CaseIterable {
            /// By a backup program, while the daemon ran.
            case backup
            /// By copying the files after an orderly stop.
            case files
            /// The same, and the counter of intents is put back too.
            case filesWithCounter
        }

        private func underWay(_ scenario: Scenario, dots: Int = 12, wrapper: [String] = []) async throws -> [String] {
            try scenario.daemon.start(wrapper: wrapper)
            try await scenario.daemon.waitUntilReady()
            let everybody = Scenario.readers(Self.recipients)
            try await scenario.importAccepted(everybody)
            try scenario.dropOverAllRelays("news", to: everybody, relays: Self.relays)
            #expect(await scenario.server.waitUntil(dots: dots, timeout: .seconds(30)), "\(scenario.lastWords)")
            return everybody
        }

        private func stop(_ scenario: Scenario) async throws {
            scenario.daemon.terminate()
            #expect(try await scenario.daemon.waitUntilExit() == 0, "\(scenario.lastWords)")
        }

        /// Makes the copy and lets the campaign go on for a while; returns with the daemon stopped.
        private func makeCopy(_ copy: Copy, _ scenario: Scenario) async throws -> (path: String, sent: Set<String>) {
            let path = scenario.daemon.ledgerPath
            let place = scenario.daemon.directory.path("copy")
            if copy == .backup {
                try await scenario.ledger.backUp(to: place)
            } else {
                try await stop(scenario)
                for suffix in ["", ".intents"] {
                    try FileManager.default.copyItem(atPath: path + suffix, toPath: place + suffix)
                }
                try await scenario.daemon.startAndWait()
            }
            let known = try await LedgerFile(path: place).ask("SELECT address FROM deliveries WHERE state <> 'queued'")
            let dots = scenario.server.messages.count + 15
            #expect(await scenario.server.waitUntil(dots: dots, timeout: .seconds(30)), "\(scenario.lastWords)")
            try await stop(scenario)
            return (place, Set(known.compactMap { $0.first?.string }))
        }

        /// Nothing is sent, and receipts and journal say why.
        private func expectHeld(
            _ scenario: Scenario, because word: String, isNewHeld: Bool
        ) async throws {
            let before = scenario.server.messages.count
            let receipt = try await scenario.spool.waitForState("news", "paused")
            #expect(receipt.pausedBecause?.contains(word) == true, "\(receipt.pausedBecause ?? "no reason")")
            let journal = scenario.daemon.standardError
            #expect(journal.contains("campaigns are paused: ") && journal.contains(word), "\(scenario.lastWords)")
            if isNewHeld {
                let reader = Scenario.readers(1)
                try scenario.dropOverAllRelays("fresh", to: reader, relays: Self.relays)
                let fresh = try await scenario.spool.waitForState("fresh", "held")
                #expect(fresh.pausedBecause?.contains("restored") == true, "\(fresh.pausedBecause ?? "no reason")")
            }
            try await Task.sleep(for: .seconds(2))
            let after = scenario.server.messages.count
            #expect(after == before, "\(after - before) dots left although no person said so")
            Proof.count(Self.trial, .steps, 1)
            Proof.count(Self.trial, .unexplained, after - before)
            Figures.say("restored state: \(before) dots, then none: \(receipt.pausedBecause ?? "")")
        }

        private func resume(_ scenario: Scenario, _ number: Int = 1) async throws {
            let id = "resume-\(number)"
            try scenario.spool.dropFile(id, json: JobText.control(id, "resume", campaign: "news"))
            try await scenario.spool.waitForState(id, "finished")
        }

        @Test(.timeLimit(.minutes(5)), arguments: [Copy.backup, .files])
        func `an older ledger sends nothing until a person resumes the campaign`(_ copy: Copy) async throws {
            let scenario = try Scenario(relays: Self.relays)
            let everybody = try await underWay(scenario)
            let (place, known) = try await makeCopy(copy, scenario)
            let sent = Set(scenario.server.accepted.flatMap(\.recipients))
            for suffix in ["", "-wal", "-shm"] { unlink(scenario.daemon.ledgerPath + suffix) }
            try FileManager.default.copyItem(atPath: place, toPath: scenario.daemon.ledgerPath)
            try await scenario.daemon.startAndWait()
            try await expectHeld(scenario, because: "restored from an older copy", isNewHeld: true)
            try await stop(scenario)
            try await scenario.daemon.startAndWait()
            try await expectHeld(scenario, because: "restored from an older copy", isNewHeld: false)
            let doubles = scenario.server.snapshot.acceptedPerRecipient.filter { $0.value > 1 }.count
            #expect(doubles == 0)
            Proof.count(Self.trial, .doubles, doubles)

            try await resume(scenario)
            let receipt = try await scenario.spool.waitForState("news", "finished", timeout: .seconds(40))
            let copies = scenario.server.snapshot.acceptedPerRecipient
            let repeated = Set(copies.filter { $0.value > 1 }.keys)
            // Whom a person lets get it again: exactly those of whom the copy knew nothing.
            #expect(repeated == sent.subtracting(known), "whoever resumes repeats what the copy does not know")
            #expect(copies.count >= everybody.count - receipt.count("uncertain"), "nobody is left out")
            Figures.say("restored state: \(copy.rawValue): \(repeated.count) repeated on a person's word")
        }

        /// The limit of what can be known: without the system's journal nothing outside of the two files tells.
        @Test(.timeLimit(.minutes(5)))
        func `an older ledger with the counter of its time is not noticed where no journal tells of it`() async throws {
            let scenario = try Scenario(relays: Self.relays)
            _ = try await underWay(scenario)
            let (place, _) = try await makeCopy(.filesWithCounter, scenario)
            for suffix in ["", ".intents"] {
                unlink(scenario.daemon.ledgerPath + suffix)
                try FileManager.default.copyItem(atPath: place + suffix, toPath: scenario.daemon.ledgerPath + suffix)
            }
            let dots = scenario.server.messages.count
            try await scenario.daemon.startAndWait()
            #expect(await scenario.server.waitUntil(dots: dots + 5, timeout: .seconds(20)), "\(scenario.lastWords)")
            #expect(try scenario.spool.receipt("news")?.state == "running")
            try await scenario.daemon.kill()
        }

        @Test(.timeLimit(.minutes(5)))
        func `a write-ahead log that lost its end holds everything until a person resumes`() async throws {
            let scenario = try Scenario(relays: Self.relays)
            _ = try await underWay(scenario, dots: 25)
            try await scenario.daemon.kill()
            let path = scenario.daemon.ledgerPath + "-wal"
            var log = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            // SQLite takes a frame whose checksum is wrong for the end of the log, without a word.
            for index in (log.count - 400_000)..<(log.count - 399_000) { log[index] ^= 0xFF }
            try Data(log).write(to: URL(fileURLWithPath: path))
            try await scenario.daemon.startAndWait()
            try await expectHeld(scenario, because: "restored from an older copy", isNewHeld: false)
            let twice = scenario.server.snapshot.handedOverTwice.count
            #expect(twice == 0)
            Proof.count(Self.trial, .doubles, twice)
        }

        @Test(
            .enabled(
                if: LedgerRoom.isPossible && FileManager.default.fileExists(atPath: "/etc/machine-id"),
                "binding another machine id needs root"), .timeLimit(.minutes(5)))
        func `a ledger that comes from another machine sends nothing until a person resumes the campaign`()
            async throws
        {
            let scenario = try Scenario(relays: Self.relays)
            let directory = scenario.daemon.directory
            let here = try directory.write(String(repeating: "0a", count: 16) + "\n", to: "machine-here")
            let there = try directory.write(String(repeating: "0b", count: 16) + "\n", to: "machine-there")
            let everybody = try await underWay(scenario, wrapper: LedgerRoom.machine(here))
            try await stop(scenario)
            try scenario.daemon.start(wrapper: LedgerRoom.machine(there))
            try await scenario.daemon.waitUntilReady()
            try await expectHeld(scenario, because: "comes from another machine", isNewHeld: false)
            try await stop(scenario)
            try scenario.daemon.start(wrapper: LedgerRoom.machine(there))
            try await scenario.daemon.waitUntilReady()
            try await expectHeld(scenario, because: "comes from another machine", isNewHeld: false)
            try await resume(scenario)
            try await scenario.spool.waitForState("news", "finished", timeout: .seconds(40))
            try scenario.expectEverybodyOnce("news", everybody, trial: Self.trial)
        }

        @Test(.timeLimit(.minutes(5)))
        func `after a long downtime campaigns wait for a person, after a short one they go on`() async throws {
            let scenario = try Scenario(relays: Self.relays)
            let everybody = try await underWay(scenario)
            // Short: no matter how slow this machine is.
            try await restart(scenario, hold: 3600)
            let dots = scenario.server.messages.count
            #expect(await scenario.server.waitUntil(dots: dots + 8, timeout: .seconds(20)), "\(scenario.lastWords)")

            try await restart(scenario, hold: 2, down: .seconds(5))
            try await expectHeld(scenario, because: "longer than hold_after_downtime", isNewHeld: false)
            try await resume(scenario)
            let more = scenario.server.messages.count
            #expect(await scenario.server.waitUntil(dots: more + 8, timeout: .seconds(20)), "\(scenario.lastWords)")

            // The default, a day, after 25 hours; and never, after a year.
            try await restart(scenario, hold: nil, pretending: 25 * 3600)
            try await expectHeld(scenario, because: "was down for 25 h", isNewHeld: false)
            try await resume(scenario, 2)
            try await restart(scenario, hold: 0, pretending: 365 * 86_400)
            try await scenario.spool.waitForState("news", "finished", timeout: .seconds(40))
            try scenario.expectEverybodyOnce("news", everybody, trial: Self.trial)
        }

        /// - Parameters:
        ///   - hold: `hold_after_downtime`; nil for its default.
        ///   - pretending: so many seconds ago somebody looked after the campaigns last.
        private func restart(
            _ scenario: Scenario, hold: Int?, down: Duration = .zero, pretending: Int? = nil
        ) async throws {
            try await stop(scenario)
            var configuration = scenario.configuration
            if let hold { configuration.lines = ["[sending]", "hold_after_downtime = \(hold)"] }
            try scenario.daemon.write(configuration)
            if let pretending {
                try await scenario.ledger.change(
                    "UPDATE facts SET value = value - \(pretending)000 WHERE name = 'alive'")
            }
            if down > .zero { try await Task.sleep(for: down) }
            try await scenario.daemon.startAndWait()
        }
    }
}

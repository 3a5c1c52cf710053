import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// A ledger that is damaged or gone is left as it is: no start, and never an empty one in its place.
    @Suite struct LedgerDamageTests {
        private static let relays = 10
        private static let recipients = 50
        private static let trial = "fail closed"

        /// Overwrites all pages but the first that the write-ahead log does not hold.
        private static let spoil = """
            import os, struct, sys
            path = sys.argv[1]
            data = bytearray(open(path, "rb").read())
            size = struct.unpack(">H", data[16:18])[0]
            log = open(path + "-wal", "rb").read() if os.path.exists(path + "-wal") else b""
            held = {struct.unpack(">I", log[at:at + 4])[0] for at in range(32, len(log), 24 + size)}
            spoilt = [page for page in range(2, len(data) // size + 1) if page not in held]
            for page in spoilt:
                data[(page - 1) * size:page * size] = b"\\xa5" * size
            open(path, "r+b").write(data)
            print(len(spoilt))
            """

        /// Starts the daemon, which must refuse with this status and these words, and leave the files as they are.
        private func expectRefusal(
            _ scenario: Scenario, status: Int32 = 78, saying words: String, wrapper: [String] = []
        ) async throws {
            let path = scenario.daemon.ledgerPath
            let before = try LedgerFile.bytes(path)
            let dots = scenario.server.messages.count
            let written = scenario.daemon.standardError.count
            try scenario.daemon.start(wrapper: wrapper)
            #expect(try await scenario.daemon.waitUntilExit(timeout: .seconds(20)) == status)
            let said = String(scenario.daemon.standardError.dropFirst(written))
            #expect(said.contains(words), "\(said)")
            let isTold = await eventually(timeout: .seconds(5)) {
                scenario.status.hasPrefix("STATUS=It has ended, and sends nothing: ") && scenario.status.contains(words)
            }
            #expect(isTold, "the status says why: \(scenario.status)")
            let after = try LedgerFile.bytes(path)
            for (suffix, bytes) in before {
                // Whoever reads leaves an empty log behind.
                let isSame = (after[suffix] ?? nil) ?? [] == bytes ?? [] && (suffix == "-wal" || after[suffix] == bytes)
                #expect(isSame, "ledger.sqlite\(suffix) is left as it was (\(words))")
            }
            #expect(scenario.server.messages.count == dots, "nothing is sent")
            Proof.count(Self.trial, .steps, 1)
            Proof.count(Self.trial, .unexplained, scenario.server.messages.count - dots)
        }

        /// Puts the good files back.
        private func putBack(_ good: [String: [UInt8]?], _ scenario: Scenario) throws {
            for (suffix, bytes) in good {
                let path = scenario.daemon.ledgerPath + suffix
                unlink(path)
                if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
            }
            unlink(scenario.daemon.ledgerPath + "-shm")
        }

        private func spoil(_ scenario: Scenario) async throws {
            let result = try await runPython(Self.spoil, [scenario.daemon.ledgerPath])
            #expect(Int(result.outputText.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 5, "pages are spoilt")
        }

        @Test(.timeLimit(.minutes(5)))
        func `a ledger that is damaged, gone or empty prevents the start and is left as it is`() async throws {
            let scenario = try await Scenario.running(relays: Self.relays)
            let everybody = Scenario.readers(Self.recipients)
            try await scenario.importAccepted(everybody)
            try scenario.dropOverAllRelays("news", to: everybody, relays: Self.relays)
            #expect(await scenario.server.waitUntil(dots: 15, timeout: .seconds(20)), "\(scenario.lastWords)")
            scenario.daemon.terminate()
            try await scenario.daemon.waitUntilExit()
            let path = scenario.daemon.ledgerPath
            let good = try LedgerFile.bytes(path)

            try await spoil(scenario)
            try await expectRefusal(scenario, saying: "is damaged")
            try putBack(good, scenario)
            try Data("something else\n".utf8).write(to: URL(fileURLWithPath: path))
            try await expectRefusal(scenario, saying: "is damaged")
            try Data().write(to: URL(fileURLWithPath: path))
            try await expectRefusal(scenario, saying: "is gone or empty")
            unlink(path)
            try await expectRefusal(scenario, saying: "is gone or empty")
            try putBack(good, scenario)
            if LedgerRoom.isPossible {
                let room = LedgerRoom(directory: scenario.daemon.directory.path)
                try await expectRefusal(
                    scenario, status: 75, saying: "Read-only file system", wrapper: room.readOnlyWrapper)
            }

            // The good copy is the newest one: it goes on where it stopped.
            try await scenario.daemon.startAndWait()
            try await scenario.spool.waitForState("news", "finished", timeout: .seconds(40))
            try scenario.expectEverybodyOnce("news", everybody, trial: Self.trial)
        }

        @Test(.timeLimit(.minutes(5)))
        func `a ledger that is damaged after a crash is left as it is, with its write-ahead log`() async throws {
            let scenario = try await Scenario.running(relays: Self.relays)
            let everybody = Scenario.readers(Self.recipients)
            try await scenario.importAccepted(everybody)
            scenario.daemon.terminate()
            try await scenario.daemon.waitUntilExit()
            try await scenario.daemon.startAndWait()
            try scenario.dropOverAllRelays("news", to: everybody, relays: Self.relays)
            #expect(await scenario.server.waitUntil(dots: 15, timeout: .seconds(20)), "\(scenario.lastWords)")
            try await scenario.daemon.kill()
            let good = try LedgerFile.bytes(scenario.daemon.ledgerPath)
            try await spoil(scenario)
            try await expectRefusal(scenario, saying: "is damaged")

            try putBack(good, scenario)
            unlink(scenario.daemon.ledgerPath)
            try await expectRefusal(scenario, saying: "is gone or empty")
        }

        @Test(.timeLimit(.minutes(5)))
        func `a young ledger whose write-ahead log is lost is not taken for a new one`() async throws {
            let scenario = try await Scenario.running(relays: Self.relays)
            let everybody = Scenario.readers(Self.recipients)
            try await scenario.importAccepted(everybody)
            try scenario.dropOverAllRelays("news", to: everybody, relays: Self.relays)
            #expect(await scenario.server.waitUntil(dots: 5, timeout: .seconds(20)), "\(scenario.lastWords)")
            try await scenario.daemon.kill()
            for suffix in ["-wal", "-shm"] { unlink(scenario.daemon.ledgerPath + suffix) }
            try await expectRefusal(scenario, saying: "is gone or empty")
        }
    }
}

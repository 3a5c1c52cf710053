import Foundation
import Glibc
import TestSupport
import Testing

/// The ledger of a daemon as Python's own SQLite sees it, whether or not the daemon runs.
struct LedgerFile {
    let path: String
    /// A process in whose mount namespace the path is; nil for the tests' own.
    var namespace: Int32?

    /// What of the hand-overs is durable.
    struct Intents {
        /// As the ledger counts them.
        let count: Int
        /// Of every delivery whose dot may leave, or may have left.
        let messageIDs: Set<String>
    }

    private static let question = """
        import json, sqlite3, sys, urllib.parse
        path = "file:" + urllib.parse.quote(sys.argv[1]) + "?mode=ro"
        print(json.dumps(sqlite3.connect(path, uri=True, timeout=30).execute(sys.argv[2]).fetchall()))
        """
    private static let change = """
        import sqlite3, sys
        database = sqlite3.connect(sys.argv[1], timeout=30)
        database.executescript(sys.argv[2])
        database.close()
        """
    private static let backup = """
        import sqlite3, sys
        source, copy = sqlite3.connect(sys.argv[1], timeout=30), sqlite3.connect(sys.argv[2])
        source.backup(copy)
        copy.close()
        """

    /// Rows of a question; nothing is changed.
    func ask(_ sql: String) async throws -> [[JSONValue]] {
        let result = try await run(Self.question, [path, sql])
        return try JSONValue(parsing: Data(result.output)).array?.compactMap(\.array) ?? []
    }

    /// Does what no daemon would do.
    func change(_ sql: String) async throws {
        _ = try await run(Self.change, [path, sql])
    }

    /// A copy as a backup program makes it, while the daemon goes on.
    func backUp(to copy: String) async throws {
        _ = try await run(Self.backup, [path, copy])
    }

    private func run(_ script: String, _ arguments: [String]) async throws -> ProcessResult {
        let enter = namespace.map { ["nsenter", "--target", "\($0)", "--mount"] } ?? []
        let result = try await runProcess(enter + ["python3", "-c", script] + arguments)
        guard result.status == 0 else { throw TestSupportError("SQLite says: \(result.errorText)") }
        return result
    }

    func intents() async throws -> Intents {
        let count = try await ask("SELECT value FROM facts WHERE name = 'intents'")
        let states = "('inFlight', 'sent', 'uncertain', 'bounced')"
        let rows = try await ask("SELECT message_id FROM deliveries WHERE state IN \(states)")
        return Intents(
            count: count.first?.first?.integer ?? 0,
            messageIDs: Set(rows.compactMap { $0.first?.string }.map { "<\($0)>" }))
    }

    /// The ledger and what lies beside it, byte for byte; nil for what is not there.
    static func bytes(_ path: String) throws -> [String: [UInt8]?] {
        var all: [String: [UInt8]?] = [:]
        for suffix in ["", "-wal", ".key", ".intents"] {
            let place = URL(fileURLWithPath: path + suffix)
            all[suffix] = .some(
                FileManager.default.fileExists(atPath: place.path) ? Array(try Data(contentsOf: place)) : nil)
        }
        return all
    }

    /// Moves the ledger with its write-ahead log; the files that are there are replaced.
    static func move(_ from: String, to: String) throws {
        for suffix in ["", "-wal", "-shm"] {
            if rename(from + suffix, to + suffix) != 0, errno != ENOENT {
                throw TestSupportError("\(from)\(suffix) cannot be moved to \(to)\(suffix): errno \(errno)")
            }
        }
    }
}

extension Scenario {
    var ledger: LedgerFile { LedgerFile(path: daemon.ledgerPath) }

    /// The latest STATUS that the service manager was told.
    var status: String { daemon.notifications.last { $0.hasPrefix("STATUS=") } ?? "" }

    /// Drops a campaign to everybody over all relays of the scenario.
    func dropOverAllRelays(_ id: String, to everybody: [String], relays: Int, name: String? = nil) throws {
        let names = Scenario.relayNames(relays).map { JSONValue.string($0) }
        let job = JobText.campaign(
            id, to: everybody.map { .address($0) }, subject: "News of the library (\(id))",
            extra: ["relays": .array(names)])
        try spool.dropFile(name ?? id, json: job)
    }

    /// Compares what the relay got with what everybody is said to be. Returns who was lost: said to be sent without
    /// having got it, or not named at all.
    func losses(_ campaign: String, of everybody: [String]) throws -> [String] {
        let rows = try recipients(campaign)
        let accepted = server.snapshot.acceptedPerRecipient
        return everybody.filter { address in
            switch rows[address]?["state"] {
            case "sent": accepted[address] != 1
            case "uncertain": false
            default: true
            }
        }
    }

    /// Everybody was sent it once, by the record and by the relay; counts it for the table of proofs.
    func expectEverybodyOnce(
        _ campaign: String, _ everybody: [String], trial: String, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let lost = try losses(campaign, of: everybody)
        let twice = server.snapshot.acceptedPerRecipient.filter { $0.value > 1 }
        let uncertain = try recipients(campaign).values.filter { $0["state"] == "uncertain" }
        #expect(lost.isEmpty, "everybody who is said to be sent has it", sourceLocation: location)
        #expect(twice.isEmpty, "nobody gets it twice", sourceLocation: location)
        #expect(uncertain.isEmpty, "no doubt is left", sourceLocation: location)
        expectHonestDialogue(location)
        Proof.count(trial, .doubles, twice.count + server.snapshot.handedOverTwice.count)
        Proof.count(trial, .losses, lost.count)
        Proof.count(trial, .unexplained, uncertain.count)
    }
}

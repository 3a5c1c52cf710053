import ArgumentParser
import Foundation
import Mailing
import TestSupport
import Testing

@testable import Commands

/// What README.md promises to programs, held against what the commands print.
@Suite(.timeLimit(.minutes(3)))
struct JSONShapeTests {
    private struct Shape {
        var always: Set<String>
        var sometimes: Set<String>
    }

    /// Of each document, and of the elements in it, by the names that README.md gives them.
    private let shapes: [String: Shape]

    init() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let text = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let section = try #require(text.components(separatedBy: "### What `--json` prints\n").dropFirst().first)
        var shapes: [String: Shape] = [:]
        for line in section.components(separatedBy: "\n### ")[0].split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().map(Self.words)
            let shape = Shape(always: Set(cells[1]), sometimes: Set(cells[2]))
            for name in cells[0] { shapes[name] = shape }
        }
        let campaigns = try #require(shapes["list: campaigns[]"])
        shapes["status CAMPAIGN"]?.always.remove("list: campaigns[]")
        shapes["status CAMPAIGN"]?.always.formUnion(campaigns.always)
        self.shapes = shapes
    }

    private static func words(_ cell: Substring) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
    }

    /// Compares a document, and every element below it of which README.md speaks. Returns the names that were compared.
    private func compare(_ name: String, _ document: TestSupport.JSONValue) throws -> Set<String> {
        let shape = try #require(shapes[name], "README.md does not tell of \(name)")
        let found = keys(document)
        #expect(found.isSuperset(of: shape.always), "\(name) lacks \(shape.always.subtracting(found))")
        let told = shape.always.union(shape.sometimes)
        #expect(found.isSubset(of: told), "README.md tells nothing of \(found.subtracting(told)) in \(name)")
        var compared: Set<String> = [name]
        for key in found {
            if let elements = document[key]?.array, shapes["\(name): \(key)[]"] != nil {
                for element in elements { compared.formUnion(try compare("\(name): \(key)[]", element)) }
            }
            if let member = document[key], shapes["\(name): \(key)"] != nil {
                compared.formUnion(try compare("\(name): \(key)", member))
            }
        }
        return compared
    }

    /// The document that a command prints, parsed; `watch` ends by itself.
    private func document(_ binary: String, _ configuration: String, _ words: [String]) async throws
        -> TestSupport.JSONValue
    {
        let result = try await runProcess([binary] + words + ["--json", "--config", configuration])
        do {
            return try TestSupport.JSONValue(parsing: Data(result.output))
        } catch {
            throw TestSupportError("\(words) printed no JSON: \(result.outputText)\(result.errorText)")
        }
    }

    private func look(_ binary: String) async throws -> Set<String> {
        let fixture = try ReadingFixture()
        try await fixture.register(["a@example.org", "b@example.org", "c@example.org"])
        try await fixture.campaign("first", to: ["a@example.org", "b@example.org", "c@example.org"])
        try await fixture.handOver()
        try await fixture.handOver(.uncertain)
        var compared: Set<String> = []
        for (name, words) in [
            ("list", ["list"]), ("status", ["status"]), ("status CAMPAIGN", ["status", "first"]),
            ("uncertain", ["uncertain"]), ("consent show", ["consent", "show", "a@example.org"]),
            ("consent history", ["consent", "history", "a@example.org"]), ("relay list", ["relay", "list"]),
            ("ledger check", ["ledger", "check"]),
            ("ledger backup", ["ledger", "backup", fixture.directory.path("copy")]),
            ("doctor", ["doctor"]),
        ] {
            compared.formUnion(
                try compare(name, try await document(binary, fixture.configurationPath, words)))
        }
        return compared
    }

    private func change(_ line: CommandRunner) async throws -> Set<String> {
        let path = line.daemon.configurationPath
        var compared: Set<String> = []
        func run(_ name: String, _ words: [String]) async throws {
            compared.formUnion(try compare(name, try await document(line.binary, path, words)))
        }
        let later: [String: TestSupport.JSONValue] = [
            "relays": ["old"], "sendAfter": "2126-01-01T00:00:00Z", "expires": "2126-02-01T00:00:00Z",
        ]
        let good = try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"], extra: later))
        try await run("check", ["check", good])
        try await run("preview", ["preview", good, "--recipient", "a@people.example"])
        try await run("submit", ["submit", good])
        try await line.spool.waitForState("news", "scheduled")
        try await run("pause", ["pause", "news", "--reason", "a mistake"])
        try await run("resume", ["resume", "news"])
        try await run("approve", ["approve", "news"])
        try await run("settle", ["settle", "news", "--all", "--as", "sent", "--reason", "the log"])
        try await run("reroute", ["reroute", "news", "--from", "old", "--to", "default"])
        try await run(
            "consent withdraw",
            ["consent", "withdraw", "a@people.example", "--purpose", JobText.purpose, "--source", "telephone"])
        try await run("cancel", ["cancel", "news"])
        try await line.spool.waitForState("news", "cancelled")
        try await run("watch", ["watch", "news"])
        let bad = try line.file("bad.json", CommandRunner.service("bad", to: ["jan"]))
        try await run("check", ["check", bad])
        try await run("submit", ["submit", bad])
        return compared
    }

    @Test func `every command's JSON is what README.md says, key for key`() async throws {
        let line = try await CommandRunner.serving(relays: ["old"])
        let compared = try await look(line.binary).union(try await change(line))
        #expect(compared == Set(shapes.keys), "compared, or told, but not both")
    }

    @Test func `README.md tells of every command`() {
        func names(_ command: any ParsableCommand.Type, _ above: [String]) -> [String] {
            let own = above + [command.configuration.commandName ?? ""]
            let below = command.configuration.subcommands
            return below.isEmpty ? [own.joined(separator: " ")] : below.flatMap { names($0, own) }
        }
        let all = Campaignctl.configuration.subcommands.flatMap { names($0, []) }
        #expect(all.count > 15)
        #expect(all.filter { shapes[$0] == nil } == [])
    }
}

import Foundation
import Glibc
import Mailing
import Synchronization
import TestSupport
import Testing

@testable import Commands

/// Words from elsewhere that want to steer the terminal: ESC, BEL, C1 (CSI and OSC in one character), DEL, ends of
/// lines of all kinds, and what turns the direction of writing.
private let hostile =
    "a\u{1B}[2J\u{1B}]0;owned\u{7}b\u{9B}31m\u{9D}c\u{90}\u{85}\u{7F}\r\nOK  all is well\u{2028}\u{2029}\u{202E}d"
    + "\u{2066}e\u{2069}\u{8}f"

/// What of it may not be written, but for the ends of lines.
private func steering(_ bytes: [UInt8]) -> [Unicode.Scalar] {
    String(decoding: bytes, as: UTF8.self).unicodeScalars.filter { $0 != "\n" && ReportText.steers($0) }
}

@Suite(.timeLimit(.minutes(5)))
struct TerminalTests {
    @Test func `nothing in a line steers the terminal or begins a line of its own`() {
        let text = Terminal.text(["first: \(hostile)\u{0}", "second"])
        #expect(steering(Array(text.utf8)) == [])
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count == 3)
        #expect(text.hasPrefix("first: a\u{FFFD}[2J\u{FFFD}]0;owned\u{FFFD}b\u{FFFD}31m"))
        #expect(Terminal.text(["Müller “ja” 日本 😀"]) == "Müller “ja” 日本 😀\n", "what is to be read stays")
    }

    @Test func `a document of JSON stays the same document, and steers nothing either`() throws {
        let value = TestSupport.JSONValue.object(["text": .string(hostile), "plain": "Müller 日本"])
        let document = try JSONOutput.text(value)
        let written = Terminal.escaped(document)
        #expect(steering(Array(written.utf8)) == [])
        #expect(try TestSupport.JSONValue(parsing: Data(written.utf8)) == value)
        #expect(written.contains("\\u009b") && written.contains("\\u202e"))
        #expect(written.contains("Müller 日本"))
        #expect(!steering(Array(document.utf8)).isEmpty, "JSON alone does not escape them all")
    }

    @Test func `how a job goes on is shown without what its texts would do`() {
        var receipt = Receipt(job: "news", kind: "campaign", state: .paused)
        receipt.pausedBecause = hostile
        for isTerminal in [true, false] {
            let text = Mutex("")
            var display = ProgressDisplay(isShown: true, isTerminal: isTerminal) { part in
                text.withLock { $0 += part }
            }
            display.line("dropped as \(hostile)")
            display.show(receipt, at: BootInstant(nanoseconds: 0))
            display.end()
            let own = text.withLock { $0.replacing("\r\u{1B}[K", with: "") }
            #expect(steering(Array(own.utf8)) == [])
            #expect(own.split(separator: "\n").count == 2)
        }
    }

    @Test func `a message is shown on a terminal without what it would do there`() {
        let shown = PreviewCommand.visible(hostile + "\tend")
        #expect(shown.unicodeScalars.filter { $0 != "\n" && $0 != "\t" && ReportText.steers($0) }.isEmpty)
        #expect(shown.hasSuffix("\tend"))
    }

    /// Waits for the drop that a command makes, and answers it as a daemon would that somebody has taken over.
    private func answer(_ line: CommandRunner, _ document: [String: TestSupport.JSONValue]) async throws {
        #expect(await eventually(timeout: .seconds(20)) { !line.names("incoming").isEmpty })
        let drop = try #require(line.names("incoming").first)
        let name = try #require(drop.split(separator: ".").first.map(String.init))
        _ = try line.daemon.directory.makeDirectory("spool/receipts/\(name)")
        var receipt = document
        if receipt["job"] == nil { receipt["job"] = .string(name) }
        try line.daemon.directory.write(
            TestSupport.JSONValue.object(receipt).text, to: "spool/receipts/\(name)/receipt.json")
        try FileManager.default.removeItem(atPath: "\(line.spool.path)/incoming/\(drop)")
    }

    private static let rejected: [String: TestSupport.JSONValue] = [
        "kind": "campaign", "state": "rejected", "repeats": 0, "warnings": [],
        "errors": [["pointer": "/id", "file": .string("x\(hostile)"), "message": .string(hostile)]],
    ]

    private func expectClean(_ line: CommandRunner, containing words: String) throws {
        let (output, error) = (try line.daemon.directory.read("output"), try line.daemon.directory.read("error"))
        #expect(steering(output + error) == [])
        let text = String(decoding: output + error, as: UTF8.self)
        #expect(text.contains(words), "\(text)")
        #expect(!text.split(separator: "\n").contains { $0.hasPrefix("OK  all is well") }, "\(text)")
    }

    private func line() throws -> CommandRunner {
        let line = try CommandRunner()
        _ = try line.daemon.directory.makeDirectory("spool/receipts")
        return line
    }

    @Test func `submit shows a hostile rejection and steers nothing`() async throws {
        let line = try line()
        let path = try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"]))
        let child = try line.start("submit", path, "--wait")
        try await answer(line, Self.rejected.merging(["job": "news"]) { $1 })
        #expect(try await child.waitUntilExit(timeout: .seconds(20)) == 1)
        try expectClean(line, containing: "news.json was rejected:\n")
    }

    @Test func `a command that has a small job done shows a hostile rejection and steers nothing`() async throws {
        let line = try line()
        let child = try line.start("pause", "news")
        try await answer(line, Self.rejected)
        #expect(try await child.waitUntilExit(timeout: .seconds(20)) == 1)
        try expectClean(line, containing: "campaignctl: a\u{FFFD}[2J")
    }

    @Test func `warnings of a small job steer nothing`() async throws {
        let line = try line()
        let child = try line.start("settle", "news", "--all", "--as", "sent", "--reason", "x")
        try await answer(
            line,
            [
                "kind": "control", "state": "finished", "repeats": 0, "errors": [], "registered": ["settled": 1],
                "warnings": [.string(hostile)],
            ])
        #expect(try await child.waitUntilExit(timeout: .seconds(20)) == 0)
        try expectClean(line, containing: "warning: a\u{FFFD}[2J")
    }

    @Test func `with JSON a program gets every character of a hostile rejection, escaped`() async throws {
        let line = try line()
        let path = try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"]))
        let child = try line.start("submit", path, "--wait", "--json")
        try await answer(line, Self.rejected.merging(["job": "news"]) { $1 })
        #expect(try await child.waitUntilExit(timeout: .seconds(20)) == 1)
        let output = try line.daemon.directory.read("output")
        #expect(steering(output) == [])
        let document = try TestSupport.JSONValue(parsing: Data(output))
        #expect(document["receipt"]?["errors"]?.array?.first?["message"] == .string(hostile))
    }

    @Test func `check shows a hostile job's own words and steers nothing`() async throws {
        let line = try line()
        let name = "list\u{202E}\u{2066}.csv"
        let job = JobText.campaign("news", to: [.list(name)], basis: "service")
        let result = try await line.run("check", try line.bundle("news.job", job, files: [:]))
        #expect(result.status == 1)
        #expect(steering(result.output + result.error) == [])
        #expect(result.outputText.contains("list\u{FFFD}\u{FFFD}.csv"), "\(result.outputText)")
    }
}

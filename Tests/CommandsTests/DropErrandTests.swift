import Foundation
import Glibc
import TestSupport
import Testing

@testable import Commands

/// What is said when nobody knows whether a drop will last.
@Suite(.timeLimit(.minutes(5)))
struct DropErrandTests {
    /// Runs campaignctl; its n-th fsync fails. One file of a job is the first, incoming/ the one behind it.
    private func run(_ line: CommandRunner, failing number: Int, _ arguments: String...) async throws -> ProcessResult {
        try await runProcess(
            [
                "strace", "-f", "-o", line.daemon.directory.path("trace"), "-e", "trace=fsync", "-e",
                "inject=fsync:error=EIO:when=\(number)", line.binary,
            ] + arguments + ["--config", line.daemon.configurationPath])
    }

    private func job(_ line: CommandRunner) throws -> String {
        try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"]))
    }

    @Test func `what was dropped and may not last is not called failed, and the words say how to find out`()
        async throws
    {
        let line = try CommandRunner()
        let result = try await run(line, failing: 2, "submit", try job(line))
        #expect(result.status == 75, "\(result.errorText)")
        #expect(line.names("incoming") == ["news.json"], "it is dropped")
        #expect(line.names("tmp").isEmpty)
        #expect(result.outputText.hasPrefix("dropped as news.json"))
        for words in [
            "news.json is dropped, and campaignd may have taken it already", "Input/output error",
            "campaignctl status news", "the receipt news", "the same job again under the same id",
        ] { #expect(result.errorText.contains(words), "\(words): \(result.errorText)") }
        for words in ["another name", "--name", "nothing was dropped", "another id"] {
            #expect(!result.errorText.contains(words), "\(result.errorText)")
        }
        let second = try CommandRunner()
        let document = try second.json(try await run(second, failing: 2, "submit", try job(second), "--json"))
        #expect(document["dropped"] == true)
        #expect(document["warnings"]?.array?.first?.string?.contains("campaignd may have taken it") == true)
    }

    @Test func `the daemon's answer ends that doubt`() async throws {
        let line = try await CommandRunner.serving()
        let result = try await run(line, failing: 2, "submit", try job(line), "--wait")
        #expect(result.status == 0, "\(result.errorText)")
        #expect(result.errorText.contains("may have taken it already"))
        #expect(result.outputText.contains("finished: 1 of 1 sent"))
    }

    @Test func `a command that made the job itself says to look before it is given again`() async throws {
        let line = try CommandRunner()
        let result = try await run(line, failing: 2, "pause", "news", "--no-wait")
        #expect(result.status == 75, "\(result.errorText)")
        #expect(line.names("incoming").count == 1)
        #expect(result.errorText.contains("may have taken it already"))
        #expect(result.errorText.contains("before you give the command again"))
        #expect(!result.errorText.contains("same job again"), "its id cannot be given again")
    }

    @Test func `what fails before the rename was not dropped`() async throws {
        let line = try CommandRunner()
        let result = try await run(line, failing: 1, "submit", try job(line))
        #expect(result.status == 75, "\(result.errorText)")
        #expect(!result.errorText.contains("may have taken"))
        #expect(line.names("incoming").isEmpty)
        #expect(line.names("tmp").isEmpty)
    }

    @Test func `an answer that cannot be read says nothing of the job`() async throws {
        let line = try CommandRunner()
        let receipts = try line.daemon.directory.makeDirectory("spool/receipts")
        let child = try line.start("submit", try job(line), "--wait")
        #expect(await eventually(timeout: .seconds(20)) { !line.names("incoming").isEmpty })
        _ = try line.daemon.directory.makeDirectory("spool/receipts/news")
        try line.daemon.directory.write("no receipt", to: "spool/receipts/news/receipt.json")
        try FileManager.default.removeItem(atPath: "\(line.spool.path)/incoming/news.json")
        #expect(try await child.waitUntilExit(timeout: .seconds(20)) == 75)
        let said = String(decoding: try line.daemon.directory.read("error"), as: UTF8.self)
        #expect(said.contains("news.json was dropped, but its answer cannot be read: \(receipts)/news"), "\(said)")
        #expect(said.contains("under the same id"))
    }
}

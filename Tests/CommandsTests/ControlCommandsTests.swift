import Foundation
import Mailing
import TestSupport
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(5)))
struct ControlCommandsTests {
    /// Later than any test.
    private static let later: [String: TestSupport.JSONValue] = [
        "sendAfter": "2126-01-01T00:00:00Z", "expires": "2126-02-01T00:00:00Z",
    ]

    private func scheduled() async throws -> CommandRunner {
        let line = try await CommandRunner.serving()
        let job = CommandRunner.service("news", to: ["a@people.example"], extra: Self.later)
        try line.spool.dropFile("news", json: job)
        try await line.spool.waitForState("news", "scheduled")
        return line
    }

    @Test func `a campaign is paused, resumed and cancelled, and the words say what it is then`() async throws {
        let line = try await scheduled()
        let paused = try await line.run("pause", "news", "--reason", "a spelling mistake")
        #expect(paused.status == 0, "\(paused.errorText)")
        #expect(paused.outputText == "news is paused: a spelling mistake\n")
        #expect(try line.spool.receipt("news")?.pausedBecause == "a spelling mistake")
        #expect(try await line.run("resume", "news").outputText == "news is scheduled\n")
        let cancelled = try await line.run("cancel", "news", "--json")
        #expect(cancelled.status == 0)
        let document = try line.json(cancelled)
        #expect(document["receipt"]?["state"]?.string == "finished")
        #expect(document["drop"]?.string?.hasPrefix("campaignctl-cancel-2") == true)
        try await line.spool.waitForState("news", "cancelled")
    }

    @Test func `what cannot be done is refused with the daemon's reason`() async throws {
        let line = try await scheduled()
        let result = try await line.run("approve", "news")
        #expect(result.status == 1)
        #expect(result.errorText.hasPrefix("campaignctl: "))
        let unknown = try await line.run("pause", "newz", "--json")
        #expect(unknown.status == 1)
        #expect(unknown.errorText.contains("there is no campaign “newz”"))
        #expect(try line.json(unknown)["receipt"]?["state"]?.string == "rejected")
    }

    @Test func `without a daemon the job waits, and the words say how to take it back`() async throws {
        let line = try CommandRunner()
        let result = try await line.run("pause", "news", "--no-wait", "--json")
        #expect(result.status == 0, "\(result.errorText)")
        let drop = try #require(try line.json(result)["drop"]?.string)
        #expect(line.names("incoming") == [drop])
        try line.daemon.directory.makeDirectory("spool/receipts")
        let waited = try await line.run("resume", "news")
        #expect(waited.status == 75)
        #expect(waited.errorText.contains("remove that if it is not to be"))
        #expect(line.names("incoming").count == 2)
    }

    @Test func `a withdrawal is recorded and counts at once`() async throws {
        let line = try await CommandRunner.serving()
        let list = "email,\(BorrowerList.consentColumn)\na@people.example,J\n"
        try line.spool.dropBundle("readers", json: JobText.contacts("readers"), files: ["list.csv": Array(list.utf8)])
        try await line.spool.waitForState("readers", "finished")
        let result = try await line.run(
            "consent", "withdraw", "a@people.example", "--purpose", JobText.purpose, "--source", "telephone")
        #expect(result.status == 0, "\(result.errorText)")
        #expect(result.outputText == "recorded: a@people.example gets no more mail for “newsletter”\n")
        try line.spool.dropFile("news", json: JobText.campaign("news", to: [.address("a@people.example")]))
        #expect(try await line.spool.waitForState("news", "finished").withheld == ["refused": 1])

        let believed = try await line.run(
            "consent", "withdraw", "b@people.example", "--purpose", JobText.purpose, "--source", "letter", "--by",
            "recipient")
        #expect(believed.outputText.contains("warning: event 1 is recorded as “operator”"))
    }

    @Test(arguments: [
        ["pause", "-"], ["pause", "no id"], ["settle", "news", "--as", "sent", "--reason", "x"],
        ["settle", "news", "--all", "--address", "a@people.example", "--as", "sent", "--reason", "x"],
        ["settle", "news", "--all", "--as", "lost", "--reason", "x"],
        ["settle", "news", "--all", "--as", "sent", "--reason", ""],
        ["consent", "withdraw", "jan", "--purpose", "newsletter", "--source", "letter"],
        ["consent", "withdraw", "a@people.example", "--purpose", "newsletter"],
        ["pause", "news", "--reason", "two\nlines"],
        ["reroute", "news", "--from", "old"], ["reroute", "news", "--from", "old", "--to", "old"],
        ["reroute", "news", "--from", "no name", "--to", "default"],
        ["reroute", "-", "--from", "old", "--to", "default"],
    ])
    func `wrong arguments end with status 64 and drop nothing`(arguments: [String]) async throws {
        let line = try CommandRunner()
        let result = try await runProcess(
            [line.binary] + arguments + ["--config", line.daemon.configurationPath])
        #expect(result.status == 64, "\(result.errorText)")
        #expect(!result.errorText.isEmpty)
        #expect(line.names("incoming").isEmpty)
        #expect(line.names("tmp").isEmpty)
    }

    @Test func `ids are never the same and can be ids`() {
        let now = Timestamp(milliseconds: 1_700_000_000_123)
        let ids = Set((0..<1000).map { _ in SmallErrand.freshID("pause", now: now) })
        #expect(ids.count == 1000)
        #expect(ids.allSatisfy { JobID.isValid($0) && $0.hasPrefix("campaignctl-pause-20231114T221320Z-") })
    }

    @Test func `the shell is offered the campaigns that begin like what was typed`() async throws {
        let line = try await scheduled()
        try line.spool.dropFile("never", json: JobText.control("never", "pause", campaign: "other"))
        try await line.spool.waitForState("never", "rejected")
        let path = line.daemon.configurationPath
        #expect(CampaignCompletion.ids(beginning: "ne", configuration: path) == ["news"])
        #expect(CampaignCompletion.ids(beginning: "x", configuration: path).isEmpty)
        #expect(CampaignCompletion.ids(beginning: "", configuration: "/nowhere.toml").isEmpty)
        for shell in ["bash", "zsh", "fish"] {
            #expect(try await runProcess([line.binary, "--generate-completion-script", shell]).status == 0)
        }
    }
}

import ArgumentParser
import TestSupport
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(5)))
struct RerouteCommandTests {
    /// A campaign to two people that waits for the relay “old”.
    private func waiting() async throws -> CommandRunner {
        let line = try await CommandRunner.serving(relays: ["old"])
        let job = CommandRunner.service(
            "news", to: ["a@people.example", "b@people.example"],
            extra: [
                "relays": ["old"], "sendAfter": "2126-01-01T00:00:00Z", "expires": "2126-02-01T00:00:00Z",
            ])
        try line.spool.dropFile("news", json: job)
        try await line.spool.waitForState("news", "scheduled")
        return line
    }

    @Test func `what waits for one relay goes by another one, and the words say how much`() async throws {
        let line = try await waiting()
        let moved = try await line.run("reroute", "news", "--from", "old", "--to", "default", "--reason", "it is dead")
        #expect(moved.status == 0, "\(moved.errorText)")
        #expect(moved.outputText == "2 messages of news go by default now instead of old\n")
        let relays = try line.json(try await line.run("relay", "list", "--json"))["relays"]?.array
        #expect(relays?.first { $0["relay"] == "default" }?["queued"] == 2)
        #expect(relays?.first { $0["relay"] == "old" }?["queued"] == 0)

        let back = try await line.run("reroute", "news", "--from", "default", "--to", "old", "--json")
        #expect(back.status == 0, "\(back.errorText)")
        #expect(try line.json(back)["receipt"]?["registered"]?.integers == ["rerouted": 2])
        #expect(try line.json(back)["drop"]?.string?.hasPrefix("campaignctl-reroute-2") == true)
    }

    @Test func `what cannot be rerouted is refused with the daemon's reason`() async throws {
        let line = try await waiting()
        let unknown = try await line.run("reroute", "news", "--from", "old", "--to", "new")
        #expect(unknown.status == 1)
        #expect(unknown.errorText == "campaignctl: there is no relay “new” in the configuration\n")
        let nothing = try await line.run("reroute", "news", "--from", "default", "--to", "old")
        #expect(nothing.status == 1)
        #expect(nothing.errorText.contains("nothing of this campaign waits for the relay “default”"))
    }

    @Test func `what was handed over is said to stay`() throws {
        let words = ["reroute", "news", "--from", "old", "--to", "default"]
        let command = try #require(try Campaignctl.parseAsRoot(words) as? RerouteCommand)
        #expect(command.words(["rerouted": 1]) == "1 message of news goes by default now instead of old")
        #expect(
            command.words(["rerouted": 2, "uncertain": 1, "inFlight": 1])
                == "2 messages of news go by default now instead of old; 1 message in doubt stays with old: see "
                + "campaignctl uncertain news; 1 message was being handed over to old")
    }

    @Test func `the shell is offered the relays that begin like what was typed`() throws {
        let line = try CommandRunner(relays: ["old", "other"])
        let path = line.daemon.configurationPath
        #expect(RelayCompletion.names(beginning: "o", configuration: path) == ["old", "other"])
        #expect(RelayCompletion.names(beginning: "", configuration: path) == ["default", "old", "other"])
        #expect(RelayCompletion.names(beginning: "", configuration: "/nowhere.toml") == [])
    }
}

import TestSupport
import Testing

extension WholeDaemon {
    /// What people do to campaigns.
    @Suite struct ControlTests {
        @Test func `a campaign is paused and resumed and cancelled by control jobs`() async throws {
            let scenario = try await Scenario.running()
            try await scenario.mail("news", to: Scenario.readers(20))
            #expect(await scenario.server.waitUntil(count: 1, timeout: .seconds(5)), "sending has begun")
            try await scenario.control("pause", "news")
            let paused = try await scenario.spool.waitForState("news", "paused")
            #expect(paused.pausedBecause?.isEmpty == false, "the receipt says why")
            let before = scenario.server.messages.count
            try await Task.sleep(for: .seconds(3))
            #expect(scenario.server.messages.count <= before + 1, "nothing leaves but what was under way")

            let atResume = scenario.server.messages.count
            try await scenario.control("resume", "news")
            #expect(await scenario.server.waitUntil(dots: atResume + 2, timeout: .seconds(6)), "it goes on")
            try await scenario.control("cancel", "news")
            let receipt = try await scenario.spool.waitForState("news", "cancelled")
            #expect(receipt.count("sent") == scenario.server.accepted.count, "who was sent to has it")
            #expect(receipt.count("sent") + receipt.count("cancelled") == 20, "everybody else is cancelled")
            #expect(try scenario.recipients("news").count == 20)
            scenario.expectHonestDialogue()
        }

        @Test func `test mail goes first and the mailing waits for approval`() async throws {
            let scenario = try await Scenario.running()
            let test: JSONValue = ["to": ["editor@library.example"], "approval": true]
            try await scenario.mail("news", to: Scenario.readers(2), extra: ["test": test])
            try await scenario.spool.waitForState("news", "held")
            #expect(await scenario.server.waitUntil(count: 1, timeout: .seconds(5)), "the test mail leaves")
            try await Task.sleep(for: .seconds(2))
            #expect(scenario.server.accepted.map(\.recipients) == [["editor@library.example"]], "and nothing else")
            #expect(try scenario.spool.receipt("news")?.state == "held")

            try await scenario.control("approve", "news")
            try await scenario.spool.waitForState("news", "finished")
            let everybody = Scenario.readers(2) + ["editor@library.example"]
            #expect(Set(scenario.server.accepted.flatMap(\.recipients)) == Set(everybody))
            #expect(scenario.server.accepted.count == 3)
            scenario.expectHonestDialogue()
        }

        @Test func `a campaign equal to an earlier one in all but its id is held until it is approved`() async throws {
            let scenario = try await Scenario.running()
            try await scenario.importAccepted(["reader@readers.example"])
            for id in ["first", "second"] {
                let job = JobText.campaign(id, to: [.address("reader@readers.example")])
                try scenario.spool.dropFile(id, json: job)
                try await scenario.spool.waitForState(id, "finished", "held")
            }
            let held = try #require(try scenario.spool.receipt("second"))
            #expect(held.state == "held", "somebody pressed the button twice")
            #expect(held.pausedBecause?.contains("first") == true, "the receipt names the other campaign")
            try await Task.sleep(for: .seconds(2))
            #expect(scenario.server.accepted.count == 1, "nothing is sent unapproved")
            try await scenario.control("approve", "second")
            try await scenario.spool.waitForState("second", "finished")
            #expect(scenario.server.accepted.count == 2)
            scenario.expectHonestDialogue()
        }
    }
}

import TestSupport
import Testing

extension WholeDaemon {
    /// What the relay refuses, for now or for good.
    @Suite struct RefusalTests {
        @Test(arguments: [SMTPScript.Phase.rcpt, .data, .dot])
        func `a message that is deferred is tried again and sent once`(phase: SMTPScript.Phase) async throws {
            let script = SMTPScript().on(phase, times: 1, .reply("451 4.3.0 come back later"))
            let scenario = try await Scenario.running(
                script, lines: ["[sending]", "retry_after = [1]", "greylisting_retry_after = 1"])
            try await scenario.mail("news", to: ["reader@readers.example"])
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 1, "\(receipt.json.text)")
            #expect(scenario.server.accepted.count == 1)
            #expect(
                Set(scenario.server.messages.compactMap(\.messageID)).count == 1, "every attempt is the same message")
            scenario.expectHonestDialogue()
        }

        @Test func `an address that does not exist bounces and is suppressed from then on`() async throws {
            let gone = "gone@readers.example"
            let script = SMTPScript().on(.rcpt, recipient: gone, .reply("550 5.1.1 no such user"))
            let scenario = try await Scenario.running(script)
            try await scenario.mail("news", to: [gone, "reader@readers.example"])
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("bounced") == 1)
            #expect(receipt.count("sent") == 1, "the others get theirs")
            let row = try scenario.recipients("news")[gone]
            #expect(row?["state"] == "bounced")
            #expect(row?["reply"]?.contains("5.1.1") == true, "the reply is kept")

            scenario.server.use(.success)
            try scenario.drop("more", to: [gone, "reader@readers.example"])
            let second = try await scenario.spool.waitForState("more", "finished")
            #expect(second.withheld == ["suppressed": 1])
            #expect(second.count("sent") == 1)
            scenario.expectHonestDialogue()
        }

        @Test func `five refusals by policy in a row pause the campaign and cost nobody anything`() async throws {
            let scenario = try await Scenario.running(
                SMTPScript().on(.rcpt, .reply("550 5.7.1 not from here")),
                lines: ["[sending]", "retry_after = [3]"])
            let readers = Scenario.readers(6)
            try await scenario.mail("news", to: readers)
            let paused = try await scenario.spool.waitForState("news", "paused")
            let attempts = scenario.server.snapshot.commands.filter { $0.contains(" RCPT ") }.count
            #expect(attempts == 5, "it pauses after the fifth")
            #expect(paused.pausedBecause?.contains("5.7.1") == true, "\(paused.json.text)")
            #expect(paused.count("queued") == 6, "all of them wait")

            scenario.server.use(.success)
            try await scenario.control("resume", "news")
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 6, "nobody is bounced or suppressed")
            scenario.expectHonestDialogue()
        }

        @Test func `a refused sender pauses the campaign at once`() async throws {
            let scenario = try await Scenario.running(SMTPScript().on(.mail, .reply("550 5.1.8 sender refused")))
            try await scenario.mail("news", to: Scenario.readers(2))
            let paused = try await scenario.spool.waitForState("news", "paused")
            #expect(paused.pausedBecause?.contains("sender refused") == true, "\(paused.json.text)")
            #expect(paused.count("queued") == 2)
            try await Task.sleep(for: .seconds(2))
            let attempts = scenario.server.snapshot.commands.filter { $0.contains(" MAIL ") }.count
            #expect(attempts == 1, "there is no second attempt")

            scenario.server.use(.success)
            try await scenario.control("resume", "news")
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 2)
            scenario.expectHonestDialogue()
        }
    }
}

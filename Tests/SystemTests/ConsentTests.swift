import TestSupport
import Testing

extension WholeDaemon {
    /// Consent decides at the last moment, and a refusal stays one.
    @Suite struct ConsentTests {
        private func withdraw(_ address: String, _ scenario: Scenario) throws {
            try scenario.spool.dropFile(
                "withdrawal", json: JobText.consent("withdrawal", [JobText.ConsentEvent(address, "withdrawn")]))
        }

        @Test func `a withdrawal while the campaign waits stops the message and an old list does not undo it`()
            async throws
        {
            let scenario = try await Scenario.running()
            let readers = Scenario.readers(5)
            try await scenario.mail("news", to: readers)
            #expect(await scenario.server.waitUntil(count: 1, timeout: .seconds(5)), "sending has begun")
            try withdraw(readers[4], scenario)
            try await scenario.spool.waitForState("withdrawal", "finished")
            let sentBefore = scenario.server.accepted.count
            #expect(sentBefore < 4, "the withdrawal is recorded before its turn comes")

            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 4)
            #expect(receipt.withheld == ["refused": 1])
            let row = try scenario.recipients("news")[readers[4]]
            #expect(row?["state"] == "withheld")
            #expect(row?["reason"] == "refused")

            // The list of before the withdrawal, on which this reader says J.
            try await scenario.importAccepted(readers, as: "old-list")
            try scenario.drop("more-news", to: [readers[0], readers[4]])
            let second = try await scenario.spool.waitForState("more-news", "finished")
            #expect(second.count("sent") == 1)
            #expect(second.withheld == ["refused": 1], "an import cannot turn a refusal into consent")
            #expect(scenario.server.snapshot.acceptedPerRecipient[readers[4]] == nil, "who withdrew gets nothing")
            scenario.expectHonestDialogue()
        }

        @Test func `a withdrawal while the message is being handed over drops it before the dot`() async throws {
            let readers = Scenario.readers(2)
            let script = SMTPScript().on(
                .data, recipient: readers[0], .delay(.seconds(2), then: .proceed))
            let scenario = try await Scenario.running(script)
            try await scenario.mail("news", to: readers)
            let isUnderWay = await scenario.server.waitUntil(timeout: .seconds(5)) { seen in
                seen.commands.contains { $0.hasSuffix(" DATA") }
            }
            #expect(isUnderWay, "the message waits for 354")
            try withdraw(readers[0], scenario)
            try await scenario.spool.waitForState("withdrawal", "finished", timeout: .seconds(2))

            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 1)
            #expect(receipt.withheld == ["refused": 1], "consent is asked again in the moment before the dot")
            #expect(scenario.server.messages.map(\.recipients) == [[readers[1]]], "the dot of the other never came")
            scenario.expectHonestDialogue()
        }

        @Test func `only who has accepted gets the mailing and everybody else is named with the reason`() async throws {
            let scenario = try await Scenario.running()
            let list = BorrowerList(seed: 7, count: 6, acceptedShare: 0.5, badRows: 2, duplicates: 1)
            let contacts = JobText.contacts("readers", preset: nil)
            try scenario.spool.dropBundle("readers", json: contacts, files: ["list.csv": list.csv(.plain)])
            try await scenario.spool.waitForState("readers", "finished")
            let silent = "email\nsilent@readers.example\n"
            try scenario.spool.dropBundle(
                "silent", json: JobText.contacts("silent", consentColumn: nil), files: ["list.csv": Array(silent.utf8)])
            try await scenario.spool.waitForState("silent", "finished")

            let job = JobText.campaign(
                "news", to: [.list("list.csv"), .address("silent@readers.example"), .address("stranger@x.example")])
            try scenario.spool.dropBundle("news", json: job, files: ["list.csv": list.csv(.plain)])
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(Set(scenario.server.accepted.flatMap(\.recipients)) == Set(list.accepted))
            #expect(receipt.count("sent") == list.accepted.count)
            #expect(receipt.withheld["refused"] == list.refused.count)
            #expect(receipt.withheld["notAsked"] == 1)
            #expect(receipt.withheld["external"] == 1)
            #expect(receipt.withheld["duplicate"] == 1)
            #expect(receipt.withheld["invalidAddress"] == 2)
            scenario.expectHonestDialogue()
        }
    }
}

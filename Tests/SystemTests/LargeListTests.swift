import TestSupport
import Testing

extension WholeDaemon {
    /// A mailing to a whole region.
    @Suite struct LargeListTests {
        private static let readers = 100_000

        @Test(.timeLimit(.minutes(4)))
        func `a hundred thousand recipients run within five seconds in little memory and repeats do nothing`()
            async throws
        {
            // As slow as can be: nothing but the first message leaves while the test looks.
            let scenario = try await Scenario.running(messagesPerHour: 100)
            let list = BorrowerList(seed: 1, count: Self.readers, acceptedShare: 0.9)
            let csv = list.csv(.plain)

            let importBegan = MonotonicClock.now()
            try scenario.spool.dropBundle("contacts", json: JobText.contacts("contacts"), files: ["list.csv": csv])
            try await scenario.spool.waitForState("contacts", "finished", timeout: .seconds(120))
            let importSeconds = Figures.seconds(since: importBegan)

            let job = JobText.campaign("news", to: [.list("list.csv")])
            let renamed = try scenario.spool.dropBundle("news", json: job, files: ["list.csv": csv])
            let receipt = try await scenario.spool.waitForState("news", "running", timeout: .seconds(60))
            let seconds = Figures.seconds(since: renamed)
            let memory = try #require(scenario.daemon.peakResidentKiB)
            Figures.say(
                "large list: \(Self.readers) contacts imported in \(Figures.shown(importSeconds, digits: 1)) s, "
                    + "campaign running after \(Figures.shown(seconds, digits: 2)) s, peak memory \(memory) KiB")
            #expect(seconds < 5, "a campaign to \(Self.readers) recipients runs within five seconds")
            #expect(memory < 64 << 10, "the daemon's peak resident memory stays below 64 MiB")
            #expect(receipt.count("recipients") == Self.readers, "everybody is counted")
            #expect(receipt.withheld["refused"] == list.refused.count, "who said no is withheld")
            #expect(receipt.count("queued") + receipt.count("sent") + receipt.count("inFlight") == list.accepted.count)
            try await repeatDrop(job, csv, scenario)
        }

        private func repeatDrop(_ job: String, _ csv: [UInt8], _ scenario: Scenario) async throws {
            #expect(await scenario.server.waitUntil(dots: 1, timeout: .seconds(5)), "the first message leaves")
            try scenario.spool.dropBundle("again", json: job, files: ["list.csv": csv])
            let again = try await scenario.spool.waitForReceipt("again")
            #expect(again.job == "news", "a repeated drop is answered with the first job's receipt")
            #expect(again.state == "running")
            #expect(again.json["firstReceipt"]?.string == "news", "the receipt says where the first one is")
            #expect(try scenario.spool.receipt("news")?.repeats == 1, "the repetition is counted in the first receipt")

            try scenario.spool.dropBundle("news", json: job, files: ["list.csv": csv])
            let receipt = try await scenario.spool.waitForReceipt("news") { $0.repeats == 2 }
            #expect(receipt.count("recipients") == Self.readers, "nobody is added by a repetition")
            #expect(
                !scenario.spool.names(in: "receipts").contains("news.2"), "the same under the same name has one receipt"
            )
            #expect(scenario.spool.names(in: "rejected").isEmpty, "a repetition is no fault")
            #expect(scenario.server.messages.count == 1, "a repetition sends nothing")
            scenario.expectHonestDialogue()
        }
    }
}

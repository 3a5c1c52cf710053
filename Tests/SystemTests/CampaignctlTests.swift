import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// What people type, with the programs as they are installed.
    @Suite struct CampaignctlTests {
        private func run(_ scenario: Scenario, _ arguments: String...) async throws -> ProcessResult {
            let folder = URL(fileURLWithPath: scenario.daemon.binary).deletingLastPathComponent().path
            return try await runProcess(
                [folder + "/campaignctl"] + arguments + ["--config", scenario.daemon.configurationPath])
        }

        private func write(_ job: String, _ files: [String: [UInt8]], _ scenario: Scenario) throws -> String {
            let path = try scenario.daemon.directory.makeDirectory("jobs/news.job")
            try scenario.daemon.directory.write(job, to: "jobs/news.job/job.json")
            for (file, bytes) in files { try scenario.daemon.directory.write(bytes, to: "jobs/news.job/\(file)") }
            return path
        }

        @Test(.timeLimit(.minutes(5)))
        func `a campaign is submitted, paused, resumed and waited for, and a withdrawal stops its message`()
            async throws
        {
            let scenario = try await Scenario.running()
            let readers = Scenario.readers(4)
            try await scenario.importAccepted(readers)
            let job = JobText.campaign("news", to: [.list("list.csv")])
            let path = try write(job, ["list.csv": Scenario.list(readers)], scenario)
            let checked = try await run(scenario, "check", path)
            #expect(checked.status == 0, "\(checked.errorText)\(checked.outputText)")
            #expect(checked.outputText.contains("recipients: 4, of which 4 would be sent to now"))

            #expect(try await run(scenario, "submit", path).status == 0)
            #expect(await scenario.server.waitUntil(count: 1, timeout: .seconds(10)), "sending has begun")
            let paused = try await run(scenario, "pause", "news", "--reason", "a mistake")
            #expect(paused.outputText == "news is paused: a mistake\n", "\(paused.errorText)")
            let withdrawn = try await run(
                scenario, "consent", "withdraw", readers[3], "--purpose", JobText.purpose, "--source", "telephone")
            #expect(withdrawn.status == 0, "\(withdrawn.errorText)")
            #expect(try await run(scenario, "resume", "news").outputText == "news is running\n")
            let followed = try await run(scenario, "submit", path, "--wait")
            #expect(followed.status == 0, "\(followed.errorText)")
            #expect(followed.outputText.contains("the same job was dropped before; nothing is done twice"))
            #expect(followed.outputText.contains("finished: 3 of 4 sent, 1 withheld"))
            #expect(!scenario.server.accepted.flatMap(\.recipients).contains(readers[3]), "who withdrew gets nothing")
            scenario.expectHonestDialogue()
        }

        @Test(.timeLimit(.minutes(5)))
        func `a doubt is settled by address, and the campaign tells it anew`() async throws {
            let scenario = try await Scenario.running(
                SMTPScript { $0.phase == .dot ? .taking(.closeConnection) : nil })
            try await scenario.mail("news", to: Scenario.readers(2))
            try await scenario.spool.waitForReceipt("news") { $0.state == "finished" && $0.count("uncertain") == 2 }
            let one = try await run(
                scenario, "settle", "news", "--address", "reader1@readers.example", "--as", "sent", "--reason",
                "The relay's log has it.")
            #expect(one.outputText == "1 message is settled as sent\n", "\(one.errorText)")
            try await scenario.spool.waitForReceipt("news") { $0.count("sent") == 1 && $0.count("uncertain") == 1 }
            let all = try await run(
                scenario, "settle", "news", "--all", "--as", "sent", "--reason", "The relay's log has the rest.")
            #expect(all.outputText == "1 message is settled as sent\n", "\(all.errorText)")
            let none = try await run(
                scenario, "settle", "news", "--all", "--as", "sent", "--reason", "Again.")
            #expect(none.status == 1, "nobody is in doubt any more")
        }

        @Test(.timeLimit(.minutes(5)))
        func `a rejected job shows its faults with their places and a waiting one is not replaced`() async throws {
            let scenario = try await Scenario.running()
            let job = JobText.campaign("news", to: [.list("list.csv"), .group("nobody")], basis: "service")
            let path = try write(job, ["list.csv": Array("email\na@people.example\n".utf8)], scenario)
            let rejected = try await run(scenario, "submit", path, "--wait")
            #expect(rejected.status == 1)
            #expect(rejected.errorText.contains("job.json: /recipients/1/group: there is no group “nobody”"))
            let wrong = try write(job.replacing("\"subject\"", with: "\"subjects\""), [:], scenario)
            let refused = try await run(scenario, "submit", wrong)
            #expect(refused.status == 1)
            #expect(refused.errorText.contains("job.json:1:"))

            scenario.daemon.terminate()
            #expect(try await scenario.daemon.waitUntilExit() == 0)
            let good = JobText.campaign("good", to: [.list("list.csv")], basis: "service")
            let first = try write(good, [:], scenario)
            #expect(try await run(scenario, "submit", first).status == 0)
            let second = try await run(scenario, "submit", first)
            #expect(second.status == 1)
            #expect(second.errorText.contains("news.job waits for campaignd already"))
            try await scenario.daemon.startAndWait()
            try await scenario.spool.waitForReceipt("news.2") { $0.state == "finished" }
            scenario.expectHonestDialogue()
        }
    }
}

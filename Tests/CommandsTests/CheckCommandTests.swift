import Foundation
import Glibc
import TestSupport
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(5)))
struct CheckCommandTests {
    @Test func `a job is judged as the daemon judges it, place for place`() async throws {
        let line = try await CommandRunner.serving()
        let campaign = JobText.campaign(
            "news", to: [.list("list.csv"), .address("jan")], extra: ["relays": ["fast"], "textFile": "body.txt"],
            without: ["text"])
        let path = try line.bundle(
            "news.job", campaign, files: ["list.csv": "email\na@people.example\n", "body.txt": "Dear {{name\n"])
        let checked = try await line.run("check", path, "--json")
        #expect(checked.status == 1)
        try line.spool.dropBundle(
            "news", json: campaign,
            files: ["list.csv": Array("email\na@people.example\n".utf8), "body.txt": Array("Dear {{name\n".utf8)])
        let receipt = try await line.spool.waitForState("news", "rejected")
        #expect(try line.json(checked)["errors"] == receipt.json["errors"])
        #expect(receipt.errors.count == 1)
    }

    @Test func `what the configuration forbids is found as well`() async throws {
        let line = try CommandRunner()
        let job = CommandRunner.service("news", to: ["a@people.example"], extra: ["relays": ["fast"]])
        let result = try await line.run("check", try line.file("news.json", job))
        #expect(result.status == 1)
        #expect(result.outputText.contains("news.json: /relays/0: there is no relay “fast” in the configuration"))
        #expect(result.outputText.contains("1 error"))
    }

    @Test func `the plan is what the daemon would make of it`() async throws {
        let line = try await CommandRunner.serving()
        let list = "email,\(BorrowerList.consentColumn)\na@people.example,J\nb@people.example,N\nc@people.example,\n"
        try line.spool.dropBundle(
            "readers", json: JobText.contacts("readers", group: "all"),
            files: [
                "list.csv": Array(list.utf8)
            ])
        try await line.spool.waitForState("readers", "finished")
        let recipients: [JobText.Recipients] = [.group("all"), .list("list.csv"), .address("x@people.example")]
        let job = JobText.campaign("news", to: recipients)
        let path = try line.bundle("news.job", job, files: ["list.csv": "email\na@people.example\nnobody\n"])
        let result = try await line.run("check", path, "--json")
        #expect(result.status == 0, "\(result.errorText)\(result.outputText)")
        let plan = try #require(try line.json(result)["plan"])
        #expect(plan["state"]?.string == "running")
        #expect(plan["relays"]?.integers == ["default": 1])
        #expect(plan["estimatedFinish"]?.string?.isEmpty == false)
        #expect(line.names("incoming").isEmpty)
        #expect(line.names("receipts") == ["readers"], "nothing was dropped")

        let people = try await line.run("check", path)
        #expect(people.outputText.contains("recipients: 6, of which 1 would be sent to now"))
        let submitted = try await line.run("submit", path, "--wait", "--json")
        let receipt = try #require(try line.json(submitted)["receipt"])
        #expect(plan["withheld"] == receipt["withheld"])
        #expect(plan["consent"] == receipt["consent"])
        #expect(plan["counts"]?["recipients"] == receipt["counts"]?["recipients"])
        #expect(plan["counts"]?["queued"]?.integer == receipt["counts"]?["sent"]?.integer)

        let known = try await line.run("check", path)
        #expect(known.outputText.contains("the same job was dropped before (receipt news)"))
        let other = try line.file("again.json", CommandRunner.service("news", to: ["a@people.example"]))
        let used = try await line.run("check", other)
        #expect(used.status == 1)
        #expect(used.outputText.contains("again.json: /id: the id “news” was used before for other content"))
    }

    @Test func `a check changes nothing of the ledger`() async throws {
        let line = try await CommandRunner.serving()
        let path = try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"]))
        line.daemon.terminate()
        #expect(try await line.daemon.waitUntilExit() == 0)
        let before = try line.daemon.directory.read("ledger.sqlite")
        let result = try await line.run("check", path)
        #expect(result.status == 0, "\(result.errorText)\(result.outputText)")
        #expect(try line.daemon.directory.read("ledger.sqlite") == before)
        try await line.daemon.startAndWait()
    }

    @Test func `without a ledger the files are judged, and it says what is not known`() async throws {
        let line = try CommandRunner()
        let path = try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"]))
        let result = try await line.run("check", path)
        #expect(result.status == 0)
        #expect(result.outputText.contains("a good job, campaign “news”"))
        #expect(result.outputText.contains("note: the ledger may not be read or is not there yet"))
    }

    @Test(arguments: ["none.json", "missing/none.job"])
    func `what is not there is said to be missing`(path: String) async throws {
        let line = try CommandRunner()
        let result = try await line.run("check", line.daemon.directory.path(path))
        #expect(result.status == 1)
        #expect(result.errorText.contains("there is no such file"))
    }
}

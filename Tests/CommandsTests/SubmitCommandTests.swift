import Foundation
import Glibc
import TestSupport
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(5)))
struct SubmitCommandTests {
    private static let addresses = ["a@people.example", "b@people.example"]

    @Test func `a bundle is dropped and waited for until its end`() async throws {
        let line = try await CommandRunner.serving()
        let job = JobText.campaign("news", to: [.list("list.csv")], basis: "service")
        let path = try line.bundle("news.job", job, files: ["list.csv": "email\na@people.example\n"])
        let result = try await line.run("submit", path, "--wait")
        #expect(result.status == 0, "\(result.errorText)")
        #expect(result.outputText.contains("dropped as news.job\n"))
        #expect(result.outputText.contains("finished: 1 of 1 sent"))
        #expect(result.outputText.contains("receipt: \(line.spool.path)/receipts/news\n"))
        #expect(FileManager.default.fileExists(atPath: path + "/list.csv"), "what was submitted stays")
        #expect(line.names("tmp").isEmpty)
    }

    @Test func `the same job again is said to have been there, in JSON too`() async throws {
        let line = try await CommandRunner.serving()
        let path = try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"]))
        #expect(try await line.run("submit", path, "--wait").status == 0)
        let again = try await line.run("submit", path, "--wait")
        #expect(again.status == 0)
        #expect(again.outputText.contains("the same job was dropped before; nothing is done twice"))
        let third = try await line.run("submit", path, "--wait", "--json", "--name", "other")
        let document = try line.json(third)
        #expect(document["drop"]?.string == "other.json")
        #expect(document["dropped"] == true)
        #expect(document["receiptName"]?.string == "news")
        #expect(document["receipt"]?["repeats"]?.integer == 2)
        #expect(document["receipt"]?["counts"]?["sent"]?.integer == 1)
        #expect(try line.spool.receipt("other")?.json["firstReceipt"]?.string == "news")
    }

    @Test func `a job with faults is not dropped, and its faults have their places`() async throws {
        let line = try CommandRunner()
        let job = CommandRunner.service("news", to: ["jan"], extra: ["colour": "red"])
        let path = try line.file("news.json", job)
        let result = try await line.run("submit", path)
        #expect(result.status == 1)
        #expect(result.errorText.contains("news.json:"))
        #expect(result.errorText.contains(": /recipients/0/address: "))
        #expect(result.errorText.contains("colour"))
        #expect(line.names("incoming").isEmpty)
        #expect(line.names("tmp").isEmpty, "nothing is left of the draft")
        let json = try line.json(try await line.run("submit", path, "--json"))
        #expect(json["dropped"] == false)
        #expect(json["errors"]?.array?.count == 2)
    }

    @Test func `a campaign that is cancelled while it is waited for ends with status 1`() async throws {
        let line = try await CommandRunner.serving()
        let later: [String: TestSupport.JSONValue] = [
            "sendAfter": "2126-01-01T00:00:00Z", "expires": "2126-02-01T00:00:00Z",
        ]
        let path = try line.file("news.json", CommandRunner.service("news", to: Self.addresses, extra: later))
        let waiting = try line.start("submit", path, "--wait")
        try await line.spool.waitForState("news", "scheduled")
        try line.spool.dropFile("stop", json: JobText.control("stop", "cancel", campaign: "news"))
        #expect(try await waiting.waitUntilExit(timeout: .seconds(30)) == 1)
        let said = String(decoding: try line.daemon.directory.read("output"), as: UTF8.self)
        #expect(said.contains("cancelled: 0 of 2 sent, 2 cancelled"), "\(said)")
    }

    @Test func `what only the daemon can find is told with its place`() async throws {
        let line = try await CommandRunner.serving()
        let path = try line.file(
            "news.json", JobText.campaign("news", to: [.group("nobody")], basis: "service"))
        let result = try await line.run("submit", path, "--wait")
        #expect(result.status == 1)
        #expect(result.errorText.contains("news.json was rejected:"))
        #expect(result.errorText.contains("news.json: /recipients/0/group: there is no group “nobody”"))
        let again = try await line.run("submit", path, "--wait")
        #expect(again.status == 1, "the answer to the second one is found too")
        #expect(line.names("receipts") == ["news", "news.2"])
    }

    @Test func `nothing that waits is ever replaced`() async throws {
        let line = try CommandRunner()
        let first = try line.file("news.json", CommandRunner.service("first", to: ["a@people.example"]))
        #expect(try await line.run("submit", first).status == 0)
        let second = try line.file("other.json", CommandRunner.service("second", to: ["a@people.example"]))
        let result = try await line.run("submit", second, "--name", "news")
        #expect(result.status == 1)
        #expect(result.errorText.contains("news.json waits for campaignd already, and is never replaced"))
        #expect(line.names("tmp").isEmpty)
        let waiting = try String(contentsOfFile: line.spool.path + "/incoming/news.json", encoding: .utf8)
        #expect(waiting.contains("\"first\""))
    }

    @Test func `many at once under one name: one of them arrives`() async throws {
        let line = try CommandRunner()
        let paths = try (0..<8).map {
            try line.file("\($0).json", CommandRunner.service("job-\($0)", to: ["a@people.example"]))
        }
        let results = try await withThrowingTaskGroup(of: Int32.self) { group in
            for path in paths { group.addTask { try await line.run("submit", path, "--name", "news").status } }
            return try await group.reduce(into: [Int32]()) { $0.append($1) }
        }
        #expect(results.filter { $0 == 0 }.count == 1)
        #expect(results.filter { $0 == 1 }.count == 7)
        #expect(line.names("incoming") == ["news.json"])
        #expect(line.names("tmp").isEmpty)
    }

    @Test(arguments: ["nieuws brief.json", "-x.json", "news.txt", "news", ".news.json"])
    func `a name that no drop may have is refused with the way out`(name: String) async throws {
        let line = try CommandRunner()
        let path = try line.file(name, CommandRunner.service("news", to: ["a@people.example"]))
        let refused = try await line.run("submit", path)
        #expect(refused.status == 1)
        #expect(refused.errorText.contains("NAME.json or NAME.job"))
        #expect(line.names("incoming").isEmpty)
        #expect(try await line.run("submit", path, "--name", "news").status == 0)
        #expect(line.names("incoming") == ["news.json"])
    }

    @Test func `symbolic links are refused, as the daemon does`() async throws {
        let line = try CommandRunner()
        let path = try line.bundle(
            "news.job", JobText.campaign("news", to: [.list("list.csv")]), files: [:])
        #expect(symlink("/etc/hostname", path + "/list.csv") == 0)
        let result = try await line.run("submit", path)
        #expect(result.status == 1)
        #expect(result.errorText.contains("list.csv: must be a regular file, and is a symbolic link"))
        #expect(line.names("incoming").isEmpty)
    }

    @Test func `without a daemon the job waits, and the words say so`() async throws {
        let line = try CommandRunner()
        _ = try line.daemon.directory.makeDirectory("spool/receipts")
        let path = try line.file("news.json", CommandRunner.service("news", to: Self.addresses))
        let child = try ChildProcess(
            [line.binary, "submit", path, "--wait", "--config", line.daemon.configurationPath],
            environment: ProcessInfo.processInfo.environment, output: line.daemon.directory.path("said"),
            error: line.daemon.directory.path("complained"))
        func complained() throws -> String {
            String(decoding: try line.daemon.directory.read("complained"), as: UTF8.self)
        }
        #expect(
            try await eventually(timeout: .seconds(20)) { try complained().contains("has not taken news.json yet") })
        #expect(try complained().contains(line.spool.path + "/incoming/news.json"))
        child.signal(SIGINT)
        #expect(try await child.waitUntilExit(timeout: .seconds(20)) == 130)
        #expect(try complained().contains("stopped waiting; the job goes on"))
        #expect(line.names("incoming") == ["news.json"], "Ctrl-C ends the waiting only")
        try await line.daemon.startAndWait()
        try await line.spool.waitForState("news", "finished")
    }

    @Test func `who may not drop is told who may`() async throws {
        try #require(geteuid() == 0, "this test becomes another user")
        let line = try CommandRunner()
        let path = try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"]))
        for name in ["tmp", "incoming"] {
            #expect(chown("\(line.spool.path)/\(name)", 0, 4) == 0)
            #expect(chmod("\(line.spool.path)/\(name)", 0o1770) == 0)
        }
        for open in ["", "/spool", "/jobs", "/jobs/news.json", "/campaignd.toml"] {
            #expect(chmod(line.daemon.directory.path + open, 0o755) == 0)
        }
        let result = try await runProcess(
            [
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", line.binary, "submit", path, "--config",
                line.daemon.configurationPath,
            ])
        #expect(result.status == 77, "\(result.errorText)")
        #expect(result.errorText.contains("members of the group adm"))
        #expect(result.errorText.contains("As root: adduser nobody adm; then log in again."))
    }

    @Test func `a full disk leaves nothing behind`() async throws {
        try #require(geteuid() == 0, "this test mounts a file system")
        let line = try CommandRunner()
        let job = JobText.campaign("news", to: [.list("list.csv")], basis: "service")
        let rows = "email\n" + String(repeating: "reader@people.example\n", count: 20_000)
        let path = try line.bundle("news.job", job, files: ["list.csv": rows])
        let script = """
            mount -t tmpfs -o size=128k none \(line.spool.path) && mkdir \(line.spool.path)/tmp \
              \(line.spool.path)/incoming && "$@"; status=$?; ls -A \(line.spool.path)/tmp; exit $status
            """
        let result = try await runProcess(
            [
                "unshare", "-m", "sh", "-c", script, "sh", line.binary, "submit", path, "--config",
                line.daemon.configurationPath,
            ])
        #expect(result.status == 75, "\(result.errorText)")
        #expect(result.errorText.contains("make room on its file system"))
        #expect(result.outputText.isEmpty, "the draft is removed")
    }

    @Test func `a submit that is killed leaves nothing in incoming`() async throws {
        let line = try CommandRunner()
        let job = JobText.campaign("news", to: [.list("list.csv")], basis: "service")
        let rows = "email\n" + String(repeating: "reader@people.example\n", count: 1_000_000)
        let path = try line.bundle("news.job", job, files: ["list.csv": rows])
        for milliseconds in [5, 15, 30, 60] {
            let child = try ChildProcess(
                [line.binary, "submit", path, "--config", line.daemon.configurationPath],
                environment: ProcessInfo.processInfo.environment, output: "/dev/null", error: "/dev/null")
            try await Task.sleep(for: .milliseconds(milliseconds))
            child.signal(SIGKILL)
            _ = try await child.waitUntilExit(timeout: .seconds(20))
            for name in line.names("incoming") {
                let list = try line.daemon.directory.read("spool/incoming/\(name)/list.csv")
                #expect(list.count == rows.utf8.count, "what is there is whole")
                try FileManager.default.removeItem(atPath: "\(line.spool.path)/incoming/\(name)")
            }
        }
    }
}

import Foundation
import TestSupport
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(5)))
struct PreviewCommandTests {
    private let line: CommandRunner
    private let path: String

    init() throws {
        line = try CommandRunner()
        let job = JobText.campaign(
            "news", to: [.list("list.csv"), .address("x@people.example"), .group("all")], basis: "service",
            subject: "Für {{name}}", text: "Good morning {{name}}, card {{card}}.\n",
            extra: [
                "html": "<p>Hello {{name}}</p>", "attachments": ["plan.txt"],
                "test": ["to": ["editor@library.example"]], "defaults": ["card": "none"],
            ])
        let list = "email,name,card\njan@people.example,Jan,17\nEva@people.example,Eva & Co,\n"
        path = try line.bundle("news.job", job, files: ["list.csv": list, "plan.txt": "1st floor\n"])
    }

    private func preview(_ recipient: String, _ more: String...) async throws -> ProcessResult {
        try await runProcess(
            [line.binary, "preview", path, "--recipient", recipient, "--config", line.daemon.configurationPath] + more)
    }

    @Test func `the message is shown as its reader will read it`() async throws {
        let result = try await preview("jan@people.example")
        #expect(result.status == 0, "\(result.errorText)")
        let lines = result.outputText.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(
            lines.prefix(4) == [
                "From: The Library <news@library.example>", "To: Jan <jan@people.example>", "Subject: Für Jan",
                "Attachment: plan.txt",
            ])
        #expect(result.outputText.contains("\n\nGood morning Jan, card 17.\n"))
        #expect(result.outputText.contains("You get this newsletter because"), "with its foot")
        #expect(result.errorText.contains("note: the ledger may not be read"))
    }

    @Test func `an address is found however it is written, and a default fills what is empty`() async throws {
        let text = try await preview("EVA@people.example", "--part", "text")
        #expect(text.outputText.hasPrefix("Good morning Eva & Co, card none.\n"))
        let html = try await preview("eva@people.example", "--part", "html")
        #expect(html.outputText.contains("<p>Hello Eva &amp; Co</p>"))
    }

    @Test func `the source is the message that a relay would get`() async throws {
        let file = line.daemon.directory.path("message.eml")
        #expect(try await preview("jan@people.example", "--source", "--output", file).status == 0)
        let source = String(decoding: try line.daemon.directory.read("message.eml"), as: UTF8.self)
        #expect(source.contains("Subject: =?utf-8?"))
        #expect(source.contains("\r\nMessage-ID: <"))
        #expect(source.contains("Content-Type: multipart/mixed;"))
        let again = try await preview("jan@people.example", "--source", "--output", file)
        #expect(again.status == 1, "no file is replaced")
        #expect(again.errorText.contains("message.eml cannot be written"))
    }

    @Test func `JSON has all of it`() async throws {
        let document = try line.json(try await preview("jan@people.example", "--json"))
        #expect(document["subject"]?.string == "Für Jan")
        #expect(document["attachments"] == ["plan.txt"])
        #expect(document["html"]?.string?.contains("<p>Hello Jan</p>") == true)
        #expect(document["source"]?.string?.hasPrefix("Date: ") == true)
    }

    @Test func `a test recipient sees what is missing by its name`() async throws {
        let result = try await preview("editor@library.example", "--part", "text")
        #expect(result.outputText.hasPrefix("Good morning [name], card none.\n"), "\(result.errorText)")
    }

    @Test func `who would be withheld gets the reason, and a stranger is no recipient`() async throws {
        let withheld = try await preview("x@people.example")
        #expect(withheld.status == 1)
        #expect(withheld.errorText.contains("x@people.example would be withheld"))
        #expect(withheld.errorText.contains("name (missing)"))
        let stranger = try await preview("y@people.example")
        #expect(stranger.status == 1)
        #expect(stranger.errorText.contains("is not among the recipients of the job, and no member of all"))
        let nobody = try await preview("y")
        #expect(nobody.errorText.contains("“y” is no mail address"))
    }
}

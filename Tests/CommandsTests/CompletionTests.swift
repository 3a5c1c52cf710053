import Foundation
import TestSupport
import Testing

/// What the shell offers, asked of the shell.
@Suite(.timeLimit(.minutes(5)))
struct CompletionTests {
    private let line: CommandRunner
    private let script: String

    /// What Readline does when somebody presses Tab behind these words.
    private static let tab = """
        source "$1" && cd "$2" || exit 9
        shift 2
        [[ $(complete -p campaignctl) == *' -F _campaignctl campaignctl' ]] || exit 8
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        COMP_LINE="${COMP_WORDS[*]}"
        COMP_POINT=${#COMP_LINE}
        COMPREPLY=()
        _campaignctl campaignctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        [[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
        """

    init() async throws {
        line = try await CommandRunner.serving(relays: ["old"])
        let generated = try await runProcess([line.binary, "--generate-completion-script", "bash"])
        script = try line.daemon.directory.write(generated.output, to: "completion.bash")
        _ = try line.file("news.json", CommandRunner.service("news", to: ["a@people.example"]))
        _ = try line.file("list.csv", "email\n")
        _ = try line.bundle("next.job", "{}", files: [:])
    }

    /// What is offered for the last of these words.
    private func offered(_ words: String...) async throws -> [String] {
        let result = try await runProcess(
            ["bash", "-c", Self.tab, "bash", script, line.daemon.directory.path("jobs"), line.binary] + words)
        try #require(result.status == 0, "\(result.status): \(result.errorText)")
        #expect(result.errorText.isEmpty, "\(result.errorText)")
        return result.outputText.split(separator: "\n").map(String.init)
    }

    @Test func `bash offers commands, options and the values of options`() async throws {
        let commands = try await offered("")
        #expect(Set(commands).isSuperset(of: ["submit", "check", "pause", "reroute", "consent", "watch", "doctor"]))
        #expect(try await offered("re") == ["resume", "reroute", "relay"])
        #expect(try await Set(offered("consent", "")).isSuperset(of: ["show", "history", "withdraw", "--help"]))
        #expect(try await offered("submit", "--w") == ["--wait"])
        #expect(try await Set(offered("settle", "news", "--a")) == ["--all", "--address", "--as"])
        #expect(try await offered("settle", "news", "--as", "") == ["sent", "resend"])
        #expect(try await offered("submit", "--wait", "--w") == [], "not twice")
    }

    @Test func `bash offers the files of jobs`() async throws {
        #expect(try await Set(offered("submit", "ne")) == ["news.json", "next.job"])
        #expect(try await offered("check", "news") == ["news.json"])
        let configuration = line.daemon.directory.path("campaignd")
        #expect(try await offered("list", "--config", configuration) == [line.daemon.configurationPath])
    }

    @Test func `bash offers the campaigns that there are, and the relays that are configured`() async throws {
        let later: [String: JSONValue] = [
            "sendAfter": "2126-01-01T00:00:00Z", "expires": "2126-02-01T00:00:00Z",
        ]
        for id in ["news-1", "news-2", "other"] {
            try line.spool.dropFile(id, json: CommandRunner.service(id, to: ["a@people.example"], extra: later))
            try await line.spool.waitForReceipt(id) { ["scheduled", "held"].contains($0.state) }
        }
        let own = ["--config", line.daemon.configurationPath]
        for command in ["pause", "resume", "cancel", "approve", "settle", "reroute", "status", "watch", "uncertain"] {
            let ids = try await offered(command, own[0], own[1], "news")
            #expect(ids == ["news-1", "news-2"], "\(command)")
        }
        for option in ["--from", "--to"] {
            let relays = try await offered("reroute", "news-1", own[0], own[1], option, "")
            #expect(relays == ["default", "old"])
        }
        #expect(try await offered("pause", "--config", "/nowhere.toml", "news") == [], "no trouble is shown")
    }

    @Test(arguments: [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
    func `completions for each shell are well formed`(shell: String, check: String) async throws {
        let generated = try await runProcess([line.binary, "--generate-completion-script", shell])
        #expect(generated.status == 0)
        for word in ["reroute", "campaignctl"] { #expect(generated.outputText.contains(word)) }
        let path = try line.daemon.directory.write(generated.output, to: "completion.\(shell)")
        let checked = try await runProcess([shell, check, path])
        #expect(checked.status == 0, "\(checked.errorText)")
    }
}

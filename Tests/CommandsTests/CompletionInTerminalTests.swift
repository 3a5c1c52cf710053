import Foundation
import TestSupport
import Testing

/// What shells do when somebody presses Tab, that tell it only to who sits at a terminal.
@Suite(.timeLimit(.minutes(5)))
struct CompletionInTerminalTests {
    private static let later: [String: JSONValue] = [
        "sendAfter": "2126-01-01T00:00:00Z", "expires": "2126-02-01T00:00:00Z",
    ]

    /// How the shell is begun with its completions, as somebody has it who has installed the package.
    private func program(_ shell: String, _ line: CommandRunner) async throws -> String {
        let generated = try await runProcess([line.binary, "--generate-completion-script", shell])
        try #require(generated.status == 0)
        let directory = try line.daemon.directory.makeDirectory("shell")
        let path = "PATH=\(URL(fileURLWithPath: line.binary).deletingLastPathComponent().path):$PATH HOME=\(directory)"
        if shell == "fish" {
            let script = try line.daemon.directory.write(generated.output, to: "shell/campaignctl.fish")
            let prompt = "function fish_prompt; echo -n 'ready> '; end"
            return "env \(path) fish --no-config -C \"source \(script); \(prompt)\""
        }
        try line.daemon.directory.write(generated.output, to: "shell/_campaignctl")
        try line.daemon.directory.write(
            "fpath=(\(directory) $fpath)\nautoload -Uz compinit\ncompinit -u -D\nPS1='ready> '\n", to: "shell/.zshrc")
        return "env \(path) ZDOTDIR=\(directory) zsh -i"
    }

    @Test(arguments: ["zsh", "fish"])
    func `a shell completes commands, campaigns and relays`(shell: String) async throws {
        let line = try await CommandRunner.serving(relays: ["old"])
        for id in ["news", "other"] {
            try line.spool.dropFile(
                id, json: CommandRunner.service(id, to: ["a@people.example"], extra: Self.later))
            try await line.spool.waitForReceipt(id) { ["scheduled", "held"].contains($0.state) }
        }
        let terminal = try await Tmux(columns: 250, rows: 30, program: try await program(shell, line))
        try await terminal.waitFor("a prompt") { $0.contains { $0.hasPrefix("ready>") } }
        let own = "--config \(line.daemon.configurationPath)"
        for (typed, completed) in [
            ("rero", "reroute"), ("pause \(own) oth", "pause \(own) other"),
            ("reroute \(own) news --from ol", "reroute \(own) news --from old"),
        ] {
            _ = try await terminal.ask("send-keys", "C-u", "campaignctl \(typed)", "Tab")
            try await terminal.waitFor("\(shell) completes “\(typed)”") { lines in
                lines.contains { $0.hasPrefix("ready> campaignctl \(completed)") }
            }
        }
    }
}

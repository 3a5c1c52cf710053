import Foundation
import TestSupport
import Testing

/// A terminal that tmux(1) keeps, with a program in it; gone with the last reference.
final class Tmux: Sendable {
    private let directory: TemporaryDirectory
    private let server: [String]

    /// - Parameter program: what runs in it, as a line for sh(1).
    init(columns: Int, rows: Int, program: String = "env PS1='ready> ' sh") async throws {
        directory = try TemporaryDirectory()
        server = ["env", "-u", "TMUX", "tmux", "-S", directory.path("socket"), "-f", "/dev/null"]
        _ = try await ask("new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", program)
        _ = try await ask("set-option", "-g", "window-size", "manual")
    }

    deinit {
        // Only the server of this socket.
        _ = try? runHere(server + ["kill-server"])
    }

    /// A command of tmux, and what it answers.
    func ask(_ words: String...) async throws -> String {
        let result = try await runProcess(server + words)
        guard result.status == 0 else { throw TestSupportError("tmux \(words): \(result.errorText)") }
        return result.outputText
    }

    func resize(columns: Int, rows: Int) async throws {
        _ = try await ask("resize-window", "-x", "\(columns)", "-y", "\(rows)")
    }

    /// The lines on the screen.
    func screen() async throws -> [String] {
        try await ask("capture-pane", "-p").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// Whether programs have a screen of their own, and whether the cursor is to be seen.
    func state() async throws -> String {
        try await ask("display-message", "-p", "alternate #{alternate_on} cursor #{cursor_flag}")
            .trimmingCharacters(in: .newlines)
    }

    /// Waits until the screen is as it has to be.
    func waitFor(_ what: String, _ condition: ([String]) -> Bool) async throws {
        for _ in 0..<600 {
            if condition(try await screen()) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("\(what): \(try await screen().joined(separator: "\n"))")
    }
}

import Foundation
import TestSupport
import Testing

/// `campaignctl watch` as an operator sees it.
@Suite(.timeLimit(.minutes(3)))
struct WatchInTerminalTests {
    /// Runs a command in the terminal, between two looks at how the terminal is set.
    private func begin(_ arguments: [String], _ line: CommandRunner, in terminal: Tmux) async throws {
        let directory = line.daemon.directory
        let script = """
            echo here before
            stty -a > \(directory.path("before"))
            \(line.binary) \(arguments.joined(separator: " ")) --config \(line.daemon.configurationPath)
            echo "status $?"
            stty -a > \(directory.path("after"))
            echo over
            """
        let path = try directory.write(script, to: "session.sh")
        _ = try await terminal.ask("send-keys", ". \(path)", "Enter")
    }

    /// All is as it was before the picture.
    private func expectRestored(_ terminal: Tmux, _ line: CommandRunner) async throws {
        try await terminal.waitFor("the shell has its screen again") { $0.contains("over") }
        let screen = try await terminal.screen()
        #expect(screen.contains("here before"), "\(screen)")
        #expect(screen.contains("status 0"), "\(screen)")
        #expect(
            !screen.contains { $0.hasPrefix("[#") || $0.hasPrefix("[-") }, "nothing of the picture is left: \(screen)")
        #expect(try await terminal.state() == "alternate 0 cursor 1")
        #expect(try line.daemon.directory.read("before") == line.daemon.directory.read("after"))
    }

    private func hasBar(_ lines: [String], width: Int) -> Bool {
        lines.contains { line in
            guard line.hasPrefix("["), let end = line.firstIndex(of: "]"), line.hasSuffix(" %") else { return false }
            let bar = line[line.index(after: line.startIndex)..<end]
            return bar.count == width && bar.allSatisfy { $0 == "#" || $0 == "-" }
        }
    }

    @Test func `bars and figures fill a terminal of any width, and Ctrl-C gives it back`() async throws {
        let line = try await CommandRunner.serving()
        let people = (1...400).map { "reader\($0)@people.example" }
        try line.spool.dropFile("news", json: CommandRunner.service("news", to: people))
        try await line.spool.waitForReceipt("news") { $0.count("sent") > 1 }
        let terminal = try await Tmux(columns: 120, rows: 30)
        // So long that only the new size can bring a new picture.
        try await begin(["watch", "--interval", "3600"], line, in: terminal)
        try await terminal.waitFor("a picture") { hasBar($0, width: 60) }
        let screen = try await terminal.screen()
        #expect(screen[0].contains("campaignd is running"), "\(screen)")
        #expect(screen[1].hasPrefix("relay default: ") && screen[1].hasSuffix(" of 3000"), "\(screen)")
        #expect(screen.contains("news  running"), "\(screen)")
        #expect(screen.contains { $0.contains(" sent, ") && $0.contains(" to go, done about ") }, "\(screen)")
        #expect(try await terminal.state() == "alternate 1 cursor 0")

        try await terminal.resize(columns: 40, rows: 20)
        try await terminal.waitFor("a picture of 40 columns") { hasBar($0, width: 31) }
        let narrow = try await terminal.screen()
        #expect(narrow.allSatisfy { $0.count <= 40 }, "\(narrow)")
        #expect(narrow.count { !$0.isEmpty } == 5, "no line is broken in two: \(narrow)")

        try await terminal.resize(columns: 200, rows: 30)
        try await terminal.waitFor("a picture of 200 columns") { lines in
            hasBar(lines, width: 60) && lines.contains { $0.contains("done about") }
        }
        try await terminal.resize(columns: 80, rows: 4)
        try await terminal.waitFor("a picture of 4 rows") { $0.contains("…") }

        try await terminal.resize(columns: 120, rows: 30)
        try await terminal.waitFor("a picture as at first") { hasBar($0, width: 60) }
        _ = try await terminal.ask("send-keys", "C-c")
        try await expectRestored(terminal, line)
    }

    @Test func `the figures go on, and the end of the campaign that is watched gives the terminal back`() async throws {
        let line = try await CommandRunner.serving()
        let people = (1...400).map { "reader\($0)@people.example" }
        try line.spool.dropFile("news", json: CommandRunner.service("news", to: people))
        try await line.spool.waitForReceipt("news") { $0.state == "running" }
        let terminal = try await Tmux(columns: 100, rows: 24)
        try await begin(["watch", "news", "--interval", "1"], line, in: terminal)
        var seen: Set<String> = []
        try await terminal.waitFor("other figures") { lines in
            if let figures = lines.first(where: { $0.contains(" sent, ") }) { seen.insert(figures) }
            return seen.count > 1
        }
        #expect(try await line.run("cancel", "news").status == 0)
        try await expectRestored(terminal, line)
    }
}

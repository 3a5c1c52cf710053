import Foundation
import Glibc
import TestSupport
import Testing

/// What keeps a machine from running a private systemd; nil if nothing does.
///
/// In continuous integration nothing may be skipped: there the test runs, and fails where it cannot.
private enum PrivateSystemd {
    static var obstacle: String? {
        if ProcessInfo.processInfo.environment["CI"] == "true" { return nil }
        if geteuid() != 0 { return "a private systemd needs root" }
        if access("/lib/systemd/systemd", X_OK) != 0 { return "the package systemd is not installed" }
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        return mounts.contains(" cgroup2 ") ? nil : "no cgroup2 hierarchy is mounted"
    }
}

extension WholeDaemon {
    /// As a service of a real systemd, with drops by an unprivileged member of the submit group.
    @Suite(.enabled(if: PrivateSystemd.obstacle == nil, "\(PrivateSystemd.obstacle ?? "")"))
    struct SystemdTests {
        @Test(.timeLimit(.minutes(5)))
        func `systemd starts and stops and reloads and restarts the daemon and the journal has its fields`()
            async throws
        {
            let lines = try await underSystemd(["/bin/bash", "under-systemd.sh"])
            Figures.say("systemd: \(lines.count { $0.hasPrefix("ok") }) checks hold")
            #expect(lines.contains { $0.hasPrefix("ok") }, "the checks were made")
        }

        @Test(.timeLimit(.minutes(5)))
        func `whatever is done to the unit, systemctl and the journal tell what became of it, and its sandbox holds`()
            async throws
        {
            let lines = try await underSystemd([
                "/usr/bin/env", "PYTHONDONTWRITEBYTECODE=1", "python3", "systemd/lifecycle",
            ])
            Figures.say("the unit:\n  " + lines.joined(separator: "\n  "))
            #expect(lines.count { $0.hasPrefix("ok") } > 20, "the checks were made")
        }

        /// Runs a program of this folder inside a private systemd, with the daemon and the repository as arguments.
        private func underSystemd(_ command: [String]) async throws -> [Substring] {
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            let root = folder.deletingLastPathComponent().deletingLastPathComponent().path
            let binary = URL(fileURLWithPath: try DaemonProcess.findBinary()).standardizedFileURL.path
            let script = folder.path + "/" + (command.last ?? "")
            let result = try await runProcess(
                ["/bin/bash", folder.path + "/with-systemd", "--timeout", "240"] + command.dropLast()
                    + [script, binary, root], timeout: .seconds(280))
            #expect(result.status == 0, "\(result.outputText)\n\(result.errorText)")
            return result.outputText.split(separator: "\n")
        }
    }
}

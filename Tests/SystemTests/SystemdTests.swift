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
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            let root = folder.deletingLastPathComponent().deletingLastPathComponent().path
            let binary = URL(fileURLWithPath: try DaemonProcess.findBinary()).standardizedFileURL.path
            let result = try await runProcess(
                [
                    "/bin/bash", folder.path + "/with-systemd", "--timeout", "240", "/bin/bash",
                    folder.path + "/under-systemd.sh", binary, root,
                ], timeout: .seconds(280))
            let lines = result.outputText.split(separator: "\n")
            Figures.say("systemd: \(lines.count { $0.hasPrefix("ok") }) checks hold")
            #expect(result.status == 0, "\(result.outputText)\n\(result.errorText)")
            #expect(lines.contains { $0.hasPrefix("ok") }, "the checks were made")
        }
    }
}

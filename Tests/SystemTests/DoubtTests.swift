import Foundation
import Glibc
import TestSupport
import Testing

/// What a machine lacks for a Postfix under a private systemd; nil if nothing.
private enum PostfixUnderSystemd {
    static var obstacle: String? {
        // In continuous integration nothing may be skipped: there the test runs, and fails where it cannot.
        if ProcessInfo.processInfo.environment["CI"] == "true" { return nil }
        if geteuid() != 0 { return "a private systemd needs root" }
        let missing = ["/lib/systemd/systemd", "/usr/sbin/postfix"].filter {
            !FileManager.default.isExecutableFile(atPath: $0)
        }
        if !missing.isEmpty { return "\(missing.joined(separator: ", ")) missing: install systemd and postfix" }
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        return mounts.contains(" cgroup2 ") ? nil : "no cgroup2 hierarchy is mounted"
    }
}

extension WholeDaemon {
    /// Doubt that the journal of a real Postfix settles, under a real systemd with a real journald.
    @Suite(.enabled(if: PostfixUnderSystemd.obstacle == nil, "\(PostfixUnderSystemd.obstacle ?? "")"))
    struct DoubtTests {
        private static let trial = "Postfix and journal"
        private static let messages = Proof.isWhole ? 1200 : 260
        private static let kills = Proof.isWhole ? 60 : 12

        /// What `doubts-under-systemd.py` counted.
        private struct Counted: Decodable {
            var messages: Int
            var kills: Int
            var state: String
            var sent: Int
            var uncertain: Int
            var doubts: Int
            var settledAsSent: Int
            var settledAsResend: Int
            var twice: Int
            var lost: Int
            var strangers: Int
            var killingSeconds: Double
            var settlingSeconds: Double
        }

        @Test(.timeLimit(.minutes(10)))
        func `after kills at random moments the journal of Postfix settles every doubt, and everybody has it once`()
            async throws
        {
            let seed = UInt64.random(in: 1...1_000_000)
            let counted = try await run(seed: seed)
            Figures.say(
                "doubt: seed \(seed): \(counted.messages) messages, \(counted.kills) kills in "
                    + "\(counted.killingSeconds) s: \(counted.doubts) in doubt, \(counted.settledAsSent) settled as "
                    + "sent and \(counted.settledAsResend) as not, \(counted.settlingSeconds) s after the last kill; "
                    + "\(counted.twice) twice, \(counted.lost) lost, \(counted.uncertain) left uncertain")
            Proof.count(Self.trial, .crashes, counted.kills)
            Proof.count(Self.trial, .doubles, counted.twice)
            Proof.count(Self.trial, .losses, counted.lost)
            Proof.count(Self.trial, .unexplained, counted.uncertain + counted.strangers)
            #expect(counted.kills > Self.kills / 2, "seed \(seed)")
            #expect(counted.doubts > 0, "seed \(seed): no kill fell between an intent and its outcome")
            #expect(counted.settledAsSent > 0 && counted.settledAsResend > 0, "seed \(seed): both are tried")
            #expect(counted.settledAsSent + counted.settledAsResend == counted.doubts, "seed \(seed)")
            #expect(counted.state == "finished" && counted.sent == counted.messages, "seed \(seed)")
            #expect(counted.uncertain == 0 && counted.twice == 0, "seed \(seed)")
            #expect(counted.lost == 0 && counted.strangers == 0, "seed \(seed)")
        }

        private func run(seed: UInt64) async throws -> Counted {
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            let root = folder.deletingLastPathComponent().deletingLastPathComponent().path
            let binary = URL(fileURLWithPath: try DaemonProcess.findBinary()).standardizedFileURL.path
            let directory = try TemporaryDirectory()
            let compiler = try await runProcess(["sh", "-c", "command -v cc || command -v clang"]).outputText
            let built = try await runProcess([
                compiler.trimmingCharacters(in: .whitespacesAndNewlines), "-std=gnu11", "-O1", "-Wall", "-Wextra",
                "-fPIC", "-shared", "-o", directory.path("slow-dot.so"), folder.path + "/doubts/slow-dot.c", "-ldl",
            ])
            try #require(built.status == 0, "\(built.errorText)")
            let result = try await runProcess(
                [
                    "/bin/bash", folder.path + "/with-systemd", "--timeout", "500", "python3",
                    folder.path + "/doubts/doubts-under-systemd.py", binary, root, directory.path("slow-dot.so"),
                    "\(Self.messages)", "\(Self.kills)", "\(seed)",
                ], timeout: .seconds(560))
            let found = result.outputText.split(separator: "\n").last { $0.hasPrefix("figures: ") }
            let line = try #require(found, "seed \(seed): \(result.outputText)\n\(result.errorText)")
            let counted = try JSONDecoder().decode(Counted.self, from: Data(line.dropFirst(9).utf8))
            if counted.twice + counted.lost + counted.uncertain > 0 { Figures.say(result.outputText) }
            return counted
        }
    }
}

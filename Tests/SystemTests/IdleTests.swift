import Foundation
import TestSupport
import Testing

extension WholeDaemon {
    /// What the daemon costs while it has nothing to do. `make idle` holds it to the real limits.
    @Suite struct IdleTests {
        /// Usual are five; where it may not keep its pages in memory (`RLIMIT_MEMLOCK`), one more for each wait for the
        /// disk. A visit a second, as libdispatch pays to shared threads, is 60.
        private static let wakeUps = 20

        @Test(.timeLimit(.minutes(5)))
        func `after a campaign is finished hardly anything wakes the daemon, and it is small`() async throws {
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
            let binary = try DaemonProcess.findBinary()
            // A debug build has its libraries apart, and is larger.
            let isRelease = ProcessInfo.processInfo.environment["CAMPAIGND_BINARY"]?.isEmpty == false
            let result = try await runProcess(
                [
                    "/usr/bin/env", "python3", "\(folder)/idle/idle", binary, "--campaign",
                    "--wake-ups", "\(IdleTests.wakeUps)", "--mebibytes", isRelease ? "20" : "200",
                ], timeout: .seconds(280))
            Figures.say("idle:\n\(result.outputText)")
            #expect(result.status == 0, "\(result.outputText)\n\(result.errorText)")
        }
    }
}

import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// What holds between the first instruction of the daemon and its READY=1.
    @Suite struct StartTests {
        /// Holds the start up for two seconds where the kernel is asked to tell of drops.
        private static let slowWatch = [
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=inotify_add_watch",
            "-e", "inject=inotify_add_watch:delay_enter=2000000",
        ]

        /// Returns when the daemon has told that it is at work on its ledger.
        private func start(_ scenario: Scenario) async throws {
            try scenario.daemon.start(wrapper: StartTests.slowWatch)
            let isOpening = await eventually(timeout: .seconds(20)) {
                scenario.daemon.notifications.contains { $0.contains("STATUS=Opening") }
            }
            try #require(isOpening, "\(scenario.lastWords)")
        }

        @Test func `the kernel tells of drops before anybody is told that the daemon is ready`() async throws {
            let scenario = try Scenario()
            try await start(scenario)
            try await scenario.daemon.waitUntilReady()
            let process = try #require(scenario.daemon.pid)
            let descriptors = "/proc/\(process)/fdinfo"
            let watching = try FileManager.default.contentsOfDirectory(atPath: descriptors).filter { name in
                // A descriptor may be closed meanwhile.
                let text = try? String(contentsOfFile: "\(descriptors)/\(name)", encoding: .utf8)
                return text?.contains("inotify wd:") == true
            }
            #expect(watching.count == 1)
        }

        @Test func `a request to reload that comes during the start does not end it`() async throws {
            let scenario = try Scenario()
            try await start(scenario)
            var count = 0
            while !scenario.daemon.notifications.contains("READY=1"), scenario.daemon.isRunning {
                scenario.daemon.signal(SIGHUP)
                count += 1
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(count > 10)
            #expect(scenario.daemon.isRunning, "\(scenario.daemon.exitStatus ?? 0)")
            try await scenario.mail("news", to: ["reader@readers.example"])
            try await scenario.spool.waitForState("news", "finished")
        }

        @Test func `a start asks for the time that the check of a large ledger takes before it begins`() async throws {
            let scenario = try await Scenario.running()
            let told = scenario.daemon.notifications
            let asked = try #require(told.firstIndex { $0.contains("EXTEND_TIMEOUT_USEC=900000000") })
            #expect(asked < (try #require(told.firstIndex(of: "READY=1"))))
        }
    }
}

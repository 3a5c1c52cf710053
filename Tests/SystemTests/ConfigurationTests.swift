import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// What an administrator does with the configuration.
    @Suite struct ConfigurationTests {
        private static let wrong: [(line: String, key: String)] = [
            ("messages_per_hour = 99", "messages_per_hour"), ("messages_per_hour = 3001", "messages_per_hour"),
            ("messages_per_hour = \"many\"", "messages_per_hour"), ("color = \"red\"", "color"),
        ]

        /// A relay table of which the last line, line 9, is `line`.
        private func write(_ line: String, _ scenario: Scenario) throws {
            let rate = line.hasPrefix("messages_per_hour") ? [] : ["messages_per_hour = 1000"]
            let lines =
                [
                    "[spool]", "directory = \(TestConfiguration.quoted(scenario.spool.path))", "[ledger]",
                    "path = \(TestConfiguration.quoted(scenario.daemon.ledgerPath))", "[relays.default]",
                    "url = \"smtp://127.0.0.1:\(scenario.server.port)\"",
                ] + rate
            let filling = Array(repeating: "# nothing", count: 8 - lines.count)
            try scenario.daemon.directory.write(
                (lines + filling + [line]).joined(separator: "\n") + "\n", to: "campaignd.toml")
        }

        @Test(arguments: [[], ["--check"]])
        func `a wrong configuration ends with status 78 and its file and line and key`(arguments: [String]) async throws
        {
            let scenario = try Scenario()
            for (line, key) in Self.wrong {
                try write(line, scenario)
                let path = scenario.daemon.configurationPath
                let result = try await runProcess([scenario.daemon.binary, "--config", path] + arguments)
                #expect(result.status == 78, "\(line): EX_CONFIG")
                #expect(result.errorText.contains("\(path):9:"), "\(line): \(result.errorText)")
                #expect(result.errorText.contains(key), "\(line): \(result.errorText)")
            }
        }

        @Test func `a reload takes a new rate and refuses a broken file with the reason`() async throws {
            let scenario = try await Scenario.running(messagesPerHour: 100)
            try await scenario.mail("news", to: Scenario.readers(3))
            #expect(await scenario.server.waitUntil(count: 1, timeout: .seconds(5)), "the first message leaves at once")

            try write("messages_per_hour = 7", scenario)
            scenario.daemon.signal(SIGHUP)
            let isRefused = await eventually(timeout: .seconds(5)) {
                scenario.daemon.standardError.contains("the old one stays in force")
            }
            #expect(isRefused, "the refusal is in the journal:\n\(scenario.lastWords)")
            #expect(scenario.lastWords.contains("campaignd.toml:9:"), "with its place:\n\(scenario.lastWords)")
            try await Task.sleep(for: .milliseconds(1500))
            #expect(scenario.server.messages.count == 1, "the old rate holds")
            #expect(scenario.daemon.isRunning)

            try write("messages_per_hour = 3000", scenario)
            scenario.daemon.signal(SIGHUP)
            try await scenario.spool.waitForState("news", "finished", timeout: .seconds(10))
            let pace = GapStatistics(times: scenario.server.snapshot.dotTimes)
            #expect((pace.minimum ?? 0) >= 1.175, "the new rate holds: \(pace)")
            let told = scenario.daemon.notifications
            #expect(told.contains("RELOADING=1"), "\(told)")
            #expect(told.filter { $0 == "READY=1" }.count == 3, "after the start and each reload: \(told)")
            scenario.expectHonestDialogue()
        }

        @Test func `a second daemon on the same spool or ledger does not start and says why`() async throws {
            let scenario = try await Scenario.running()
            let other = scenario.daemon.directory
            let places = [
                (scenario.spool.path, scenario.daemon.ledgerPath), (scenario.spool.path, other.path("other.sqlite")),
                (other.path("other-spool"), scenario.daemon.ledgerPath),
            ]
            for (spool, ledger) in places {
                let path = try other.write(
                    scenario.configuration.toml(spool: spool, ledger: ledger), to: "second.toml")
                let result = try await runProcess([scenario.daemon.binary, "--config", path])
                #expect(result.status == 75 || result.status == 78, "\(result.status): \(result.errorText)")
                let reason = result.errorText
                #expect(reason.contains("already served") || reason.contains("another"), "\(reason)")
            }
            try await scenario.mail("news", to: ["reader@readers.example"])
            try await scenario.spool.waitForState("news", "finished")
            scenario.expectHonestDialogue()
        }
    }
}

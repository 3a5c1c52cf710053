import Foundation
import Glibc
import TestSupport
import Testing

extension WholeDaemon {
    /// The file for Prometheus, read by Prometheus' own parser.
    @Suite struct MetricsTests {
        private static let lines = ["[metrics]", "file = \"metrics/campaignd.prom\""]
        /// The family that is written last.
        private static let last = "campaignd_free_bytes"

        private func prepared(_ script: SMTPScript = .success) throws -> Scenario {
            let scenario = try Scenario(script, lines: MetricsTests.lines)
            _ = try scenario.daemon.directory.makeDirectory("metrics")
            return scenario
        }

        private func names(_ scenario: Scenario) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: scenario.daemon.directory.path("metrics"))
        }

        /// All samples, as `name{label="value",…}` with the labels in the order of the alphabet.
        private func samples(_ scenario: Scenario) async throws -> [String: Double] {
            let script = """
                import sys
                from prometheus_client.parser import text_string_to_metric_families
                with open(sys.argv[1], encoding="utf-8", newline="") as file: text = file.read()
                assert text.endswith("\\n"), "half a line"
                families = list(text_string_to_metric_families(text))
                names = [family.name for family in families]
                assert len(set(names)) == len(names), "a family twice"
                for family in families:
                    assert family.documentation and family.type in ("counter", "gauge"), family
                    for sample in family.samples:
                        assert sample.timestamp is None, sample
                        labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                        print(sample.name + ("{" + labels + "}" if labels else ""), repr(sample.value), sep="\\t")
                """
            let result = try await runPython(script, [scenario.daemon.directory.path("metrics/campaignd.prom")])
            #expect(result.status == 0, "\(result.errorText)")
            var samples: [String: Double] = [:]
            for line in result.outputText.split(separator: "\n") {
                let parts = line.split(separator: "\t")
                try #require(parts.count == 2)
                #expect(samples.updateValue(Double(parts[1]) ?? .nan, forKey: String(parts[0])) == nil, "\(line)")
            }
            return samples
        }

        /// Waits until a sample has a value; the file is written at most every ten seconds.
        private func wait(_ scenario: Scenario, for name: String, _ value: Double) async throws -> [String: Double] {
            var seen: [String: Double] = [:]
            for _ in 0..<80 {
                seen = try await samples(scenario)
                if seen[name] == value { return seen }
                try await Task.sleep(for: .milliseconds(250))
            }
            Issue.record("\(name) is \(seen[name].map { "\($0)" } ?? "not there"), not \(value)")
            return seen
        }

        private func deliveries(_ outcome: String) -> String {
            "campaignd_deliveries_total{campaign=\"news\",outcome=\"\(outcome)\",relay=\"default\"}"
        }

        @Test func `the metrics are those of the receipt, outlast a restart, and go with an orderly stop`() async throws
        {
            let readers = Scenario.readers(4)
            let scenario = try prepared(
                SMTPScript().on(.rcpt, recipient: readers[1], .reply("550 5.1.1 no such user"))
                    .on(.dot, times: 1, .taking(.closeConnection)))
            try await scenario.daemon.startAndWait()
            try await scenario.importAccepted(readers)
            try scenario.drop("news", to: readers + ["stranger@readers.example"])
            try scenario.spool.dropFile("broken", json: "{")
            let receipt = try await scenario.spool.waitForState("news", "finished")
            let seen = try await wait(
                scenario, for: "campaignd_campaign_state{campaign=\"news\",state=\"finished\"}", 1)
            for outcome in ["sent", "bounced", "withheld", "uncertain", "expired", "cancelled"] {
                #expect(seen[deliveries(outcome)] == Double(receipt.count(outcome)), "\(outcome): \(receipt.json.text)")
            }
            #expect(receipt.count("bounced") == 1)
            #expect(receipt.count("uncertain") == 1)
            #expect(receipt.count("withheld") == 1)
            #expect(
                seen["campaignd_open_deliveries{campaign=\"news\",relay=\"default\",state=\"uncertain\"}"] == 1)
            #expect(seen["campaignd_jobs_accepted_total"] == 2)
            #expect(seen["campaignd_jobs_rejected_total"] == 1)
            let dots = Double(scenario.server.messages.count)
            #expect(seen["campaignd_relay_messages_last_hour{relay=\"default\"}"] == dots)
            #expect(seen["campaignd_intents_total"] == 3)
            #expect((seen["campaignd_ledger_bytes"] ?? 0) >= 4096)
            #expect(seen.keys.allSatisfy { !$0.contains("@") && !$0.contains("readers.example") }, "no address")

            scenario.daemon.terminate()
            #expect(try await scenario.daemon.waitUntilExit() == 0)
            #expect(try names(scenario).isEmpty, "what is old is not taken for new")

            try await scenario.daemon.startAndWait()
            let isThere = await eventually(timeout: .seconds(10)) { (try? names(scenario)) == ["campaignd.prom"] }
            #expect(isThere)
            let again = try await samples(scenario)
            let counters = seen.filter { $0.key.contains("deliveries_total") || $0.key == "campaignd_intents_total" }
            #expect(counters.count > 10)
            for (name, value) in counters { #expect((again[name] ?? -1) >= value, "\(name) went back") }
            #expect(
                again["campaignd_relay_messages_last_hour{relay=\"default\"}"]
                    == seen["campaignd_relay_messages_last_hour{relay=\"default\"}"], "the hour is not forgotten")
        }

        @Test func `a killed daemon leaves a whole file, and the next one nothing else`() async throws {
            let scenario = try prepared()
            for _ in 0..<6 {
                try scenario.daemon.start()
                let isThere = await eventually(timeout: .seconds(20)) { (try? names(scenario))?.isEmpty == false }
                #expect(isThere, "\(scenario.lastWords)")
                try await scenario.daemon.kill()
                if access(scenario.daemon.directory.path("metrics/campaignd.prom"), F_OK) == 0 {
                    #expect(try await samples(scenario).keys.contains { $0.hasPrefix(MetricsTests.last) })
                }
            }
            try await scenario.daemon.startAndWait()
            let isAlone = await eventually(timeout: .seconds(10)) { (try? names(scenario)) == ["campaignd.prom"] }
            #expect(isAlone)
            scenario.daemon.terminate()
            #expect(try await scenario.daemon.waitUntilExit() == 0)
            #expect(try names(scenario).isEmpty)
        }
    }
}

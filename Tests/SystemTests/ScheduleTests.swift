import Foundation
import TestSupport
import Testing

extension WholeDaemon {
    /// Campaigns and the wall clock.
    @Suite struct ScheduleTests {
        /// A moment to come, to the second as jobs write it.
        private func soon(_ seconds: Double) -> JSONValue {
            .string(Date(timeIntervalSinceNow: seconds).formatted(.iso8601))
        }

        @Test func `a campaign that is due later is scheduled and then runs by itself`() async throws {
            let scenario = try await Scenario.running()
            let began = MonotonicClock.now()
            try await scenario.mail("news", to: Scenario.readers(1), extra: ["sendAfter": soon(5)])
            try await scenario.spool.waitForState("news", "scheduled")
            try await Task.sleep(for: .seconds(2))
            #expect(try scenario.spool.receipt("news")?.state == "scheduled")
            #expect(scenario.server.messages.isEmpty, "nothing leaves before its time")
            let receipt = try await scenario.spool.waitForState("news", "finished")
            #expect(receipt.count("sent") == 1)
            let seconds = Double(try #require(scenario.server.messages.first).dotAt - began) / 1e9
            Figures.say("schedule: due after 4 to 5 s, dot after \(Figures.shown(seconds, digits: 2)) s")
            #expect(seconds > 3.9 && seconds < 7, "it runs when it is due")
            scenario.expectHonestDialogue()
        }

        @Test func `a campaign that expires stops and names who did not get it`() async throws {
            let scenario = try await Scenario.running(messagesPerHour: 100)
            try await scenario.mail("news", to: Scenario.readers(3), extra: ["expires": soon(5)])
            #expect(await scenario.server.waitUntil(count: 1, timeout: .seconds(4)), "the first message leaves in time")
            let receipt = try await scenario.spool.waitForState("news", "expired")
            #expect(receipt.count("sent") == 1)
            #expect(receipt.count("expired") == 2)
            #expect(!receipt.warnings.isEmpty, "that it could not end in time was known from the beginning")
            let states = try scenario.recipients("news").values.compactMap { $0["state"] }.sorted()
            #expect(states == ["expired", "expired", "sent"])
            scenario.expectHonestDialogue()
        }
    }
}

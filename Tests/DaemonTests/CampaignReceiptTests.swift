import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// When a campaign will be over, with figures done by hand. It is Monday, nine o'clock in UTC.
@Suite(.timeLimit(.minutes(5)))
struct CampaignReceiptTests {
    private static let slow = ["[relays.default.domains.\"slow.example\"]", "messages_per_hour = 6"]

    private struct Case: Sendable {
        var rates: [String: Int] = ["default": 3000]
        var limits: [String: Int] = [:]
        var overall: Int?
        /// Hours of the campaign, in UTC.
        var window: ClosedRange<Int>?
        var relayWindow: ClosedRange<Int>?
        var backlog: Backlog
        var end: String?
    }

    private static let cases = [
        // 100 / 3000 h are two minutes.
        Case(backlog: Backlog(relays: ["default": 100]), end: "2025-06-02T09:03:00Z"),
        Case(backlog: Backlog(relays: ["default": 3000]), end: "2025-06-02T10:01:00Z"),
        // Half an hour by one relay, one and a half by the other.
        Case(
            rates: ["default": 3000, "small": 1000], backlog: Backlog(relays: ["default": 1500, "small": 1500]),
            end: "2025-06-02T10:31:00Z"),
        // 3000 / 1500 h.
        Case(
            rates: ["default": 3000, "small": 1000], overall: 1500,
            backlog: Backlog(relays: ["default": 2500, "small": 500]), end: "2025-06-02T11:01:00Z"),
        // 600 / 100 h to the limited domain; the other 2400 are gone within the hour.
        Case(
            limits: ["slow.example": 100, "other.example": 200],
            backlog: Backlog(
                relays: ["default": 3000], domains: ["default": ["slow.example": 600, "other.example": 300]]),
            end: "2025-06-02T15:01:00Z"),
        // 50 / 100 h are less than 3000 / 3000 h.
        Case(
            limits: ["slow.example": 100],
            backlog: Backlog(relays: ["default": 3000], domains: ["default": ["slow.example": 50]]),
            end: "2025-06-02T10:01:00Z"),
        // One and a half hours at 100 an hour, an hour a day.
        Case(
            limits: ["slow.example": 100], window: 10...11,
            backlog: Backlog(relays: ["default": 3000], domains: ["default": ["slow.example": 150]]),
            end: "2025-06-03T10:31:00Z"),
        // The same where the relay's window leaves the second half of that hour only: three days.
        Case(
            limits: ["slow.example": 100], window: 10...12, relayWindow: 11...14,
            backlog: Backlog(relays: ["default": 3000], domains: ["default": ["slow.example": 250]]),
            end: "2025-06-04T11:31:00Z"),
        Case(window: 10...11, relayWindow: 12...13, backlog: Backlog(relays: ["default": 1]), end: nil),
        Case(backlog: Backlog(relays: ["default": 1, "gone": 1]), end: nil),
        Case(backlog: Backlog(), end: nil),
    ]

    private static func window(_ hours: ClosedRange<Int>?) -> SendingWindow? {
        hours.flatMap {
            SendingWindow(
                days: SendingWindow.Day.allCases, from: $0.lowerBound * 60, to: $0.upperBound * 60, timeZone: "UTC")
        }
    }

    @Test(arguments: cases.indices)
    func `what takes longest decides when a campaign ends, to the full minute`(index: Int) throws {
        let given = Self.cases[index]
        let fixture = try DaemonFixture(relays: given.rates)
        var configuration = fixture.configuration
        configuration.messagesPerHour = given.overall
        configuration.relays["default"]?.domains = given.limits
        configuration.relays["default"]?.window = Self.window(given.relayWindow)
        let end = configuration.estimatedFinish(
            of: given.backlog, windows: [Self.window(given.window)].compactMap(\.self), from: fixture.clock.wall)
        #expect(end?.rfc3339 == given.end, "case \(index): \(given)")
    }

    private func recipients(_ slow: Int, _ others: Int) -> [JobText.Recipients] {
        (0..<slow).map { .address("reader\($0)@slow.example") }
            + (0..<others).map { .address("reader\($0)@people.example") }
    }

    private func receipt(_ fixture: DaemonFixture) throws -> JobReceipt {
        try #require(try fixture.producer().receipt("c"))
    }

    @Test func `the receipt counts what waits for a limited domain`() async throws {
        let fixture = try DaemonFixture(relayLines: Self.slow)
        try await fixture.plan(JobText.campaign("c", to: recipients(10, 5), basis: "service"))
        await fixture.writeReceipts()
        // 10 / 6 h are an hour and forty minutes.
        #expect(try receipt(fixture).json["estimatedFinish"]?.string == "2025-06-02T10:41:00Z")
        await fixture.send(fixture.relay(), seconds: 1201)
        await fixture.writeReceipts()
        #expect(try receipt(fixture).count("queued") == 7, "of each 600 s one")
        #expect(try receipt(fixture).json["estimatedFinish"]?.string == "2025-06-02T10:31:00Z", "7 / 6 h from 9:20 on")
    }

    @Test func `a campaign that a limited domain makes end too late is told so`() async throws {
        let fixture = try DaemonFixture(relayLines: Self.slow)
        try await fixture.plan(
            JobText.campaign(
                "c", to: recipients(10, 5), basis: "service", extra: ["expires": "2025-06-02T10:30:00Z"]))
        await fixture.writeReceipts()
        #expect(
            try receipt(fixture).warnings == [
                "at this rate it would end at 2025-06-02T10:41:00Z, after it expires at 2025-06-02T10:30:00Z"
            ])
    }

    @Test func `a campaign is over when it was said to be`() async throws {
        let fixture = try DaemonFixture(
            relayLines: ["[relays.default.domains.\"slow.example\"]", "messages_per_hour = 100"])
        try await fixture.plan(JobText.campaign("c", to: recipients(20, 60), basis: "service"))
        await fixture.writeReceipts()
        let said = try #require(try receipt(fixture).json["estimatedFinish"]?.string)
        #expect(said == "2025-06-02T09:13:00Z", "20 / 100 h are twelve minutes")
        await fixture.send(fixture.relay(), seconds: 1200)
        await fixture.writeReceipts()
        let receipt = try receipt(fixture)
        #expect(receipt.state == "finished")
        let last = try #require(receipt.json["lastSentAt"]?.string)
        #expect(last > "2025-06-02T09:11:00Z" && last < said, "\(last)")
    }
}

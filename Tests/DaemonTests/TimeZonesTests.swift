import Mailing
import Testing

@testable import Daemon

/// Foundation's time zones as rules.
struct TimeZonesTests {
    private func offset(_ zone: String, _ moment: String) throws -> Int64 {
        let rule = try #require(TimeZones.rule(zone))
        let moment = try #require(Timestamp(rfc3339: moment))
        return rule.offset(at: moment).seconds
    }

    @Test func `the clocks of Amsterdam are set to the second`() throws {
        #expect(try offset("Europe/Amsterdam", "2026-03-29T00:59:59Z") == 3600)
        #expect(try offset("Europe/Amsterdam", "2026-03-29T01:00:00Z") == 7200)
        #expect(try offset("Europe/Amsterdam", "2026-10-25T00:59:59Z") == 7200)
        #expect(try offset("Europe/Amsterdam", "2026-10-25T01:00:00Z") == 3600)
        let rule = try #require(TimeZones.rule("Europe/Amsterdam"))
        let summer = try #require(Timestamp(rfc3339: "2026-06-01T00:00:00Z"))
        let until = rule.offset(at: summer).until
        #expect(until?.rfc3339 == "2026-10-25T01:00:00Z")
    }

    @Test func `zones west of Greenwich and with half hours are read, and UTC never changes`() throws {
        #expect(try offset("America/New_York", "2026-01-01T00:00:00Z") == -18_000)
        #expect(try offset("Asia/Kolkata", "2026-01-01T00:00:00Z") == 19_800)
        #expect(TimeZones.rule("UTC") == TimeZoneRule.utc)
    }

    @Test(arguments: ["Europe/Gieten", "", "../etc/passwd", "Amsterdam"])
    func `there is no rule for what is no time zone`(name: String) {
        #expect(TimeZones.rule(name) == nil)
    }
}

import Foundation
import Mailing
import Synchronization

/// Reads Foundation's time zones into rules that need no Foundation.
enum TimeZones {
    private static let known = Mutex<[String: TimeZoneRule]>([:])

    /// What is known of a time zone between 2010 and 2060; nil if there is none of that name.
    static func rule(_ identifier: String) -> TimeZoneRule? {
        if let rule = known.withLock({ $0[identifier] }) { return rule }
        guard let zone = TimeZone(identifier: identifier) else { return nil }
        let rule = read(zone)
        known.withLock { $0[identifier] = rule }
        return rule
    }

    /// Looks at every week; clocks are set at most once in one.
    private static func read(_ zone: TimeZone) -> TimeZoneRule {
        func offset(_ second: Int64) -> Int64 {
            Int64(zone.secondsFromGMT(for: .init(timeIntervalSince1970: Double(second))))
        }
        let (begin, end, week) = (Int64(1_262_304_000), Int64(2_840_140_800), Int64(604_800))
        let first = offset(begin)
        var (before, changes) = (first, [TimeZoneRule.Change]())
        for second in stride(from: begin + week, through: end, by: Int(week)) {
            let after = offset(second)
            guard after != before else { continue }
            var (low, high) = (second - week, second)
            while high - low > 1 {
                let middle = (low + high) / 2
                if offset(middle) == before { low = middle } else { high = middle }
            }
            changes.append(TimeZoneRule.Change(at: Timestamp(milliseconds: high * 1000), offset: after))
            before = after
        }
        return TimeZoneRule(first: first, changes: changes)
    }
}

extension SendingHours {
    /// By the machine's time zone database.
    init(_ windows: [SendingWindow]) { self.init(windows, rule: TimeZones.rule) }
}

import Foundation
import Mailing
import TestSupport

/// Hours of the week as the judge understands them: by Foundation's calendar, and by nothing of the product.
struct Hours: Hashable, Sendable {
    /// Words of `SendingWindow.Day`.
    var days: [String]
    /// Minutes since midnight by the clock of the place; `to` is on the next day if it is not later.
    var from: Int
    var to: Int
    var zone: String

    static let everyDay = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    init(days: [String] = Hours.everyDay, from: Int, to: Int, zone: String) {
        self.days = days
        self.from = from
        self.to = to
        self.zone = zone
    }

    /// Reads `DAYS FROM TO ZONE`, such as `mon,fri 09:00 18:00 Europe/Amsterdam`; `daily` stands for all days.
    init(words: some Collection<String>) throws {
        let words = Array(words)
        guard words.count == 4, let from = Hours.minutes(words[1]), let to = Hours.minutes(words[2]) else {
            throw TestSupportError("hours are DAYS FROM TO ZONE")
        }
        let days = words[0] == "daily" ? Hours.everyDay : words[0].split(separator: ",").map(String.init)
        self.init(days: days, from: from, to: to, zone: words[3])
    }

    private static func minutes(_ text: String) -> Int? {
        let parts = text.split(separator: ":").compactMap { Int($0) }
        return parts.count == 2 ? parts[0] * 60 + parts[1] : nil
    }

    private static func clock(_ minutes: Int) -> String {
        let (hour, minute) = minutes.quotientAndRemainder(dividingBy: 60)
        return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
    }

    /// The number of the day, 0 for Monday, and the minute of the day that the clocks of a place show.
    static func local(_ moment: Timestamp, in zone: String) -> (day: Int, minute: Int) {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(identifier: zone) ?? .gmt
        let date = Date(timeIntervalSince1970: Double(moment.milliseconds) / 1000)
        let shown = calendar.dateComponents([.weekday, .hour, .minute], from: date)
        return (((shown.weekday ?? 1) + 5) % 7, (shown.hour ?? 0) * 60 + (shown.minute ?? 0))
    }

    func contains(_ moment: Timestamp) -> Bool {
        let (day, minute) = Hours.local(moment, in: zone)
        let isToday = days.contains(Hours.everyDay[day])
        if from < to { return isToday && minute >= from && minute < to }
        return (isToday && minute >= from) || (days.contains(Hours.everyDay[(day + 6) % 7]) && minute < to)
    }

    /// As a campaign job has it.
    var json: JSONValue {
        [
            "days": .array(days.map { .string($0) }), "from": .string(Hours.clock(from)),
            "to": .string(Hours.clock(to)), "timeZone": .string(zone),
        ]
    }

    /// As the table of a relay has it.
    var lines: [String] {
        [
            "days = [\(days.map(TestConfiguration.quoted).joined(separator: ", "))]",
            "from = \(TestConfiguration.quoted(Hours.clock(from)))",
            "to = \(TestConfiguration.quoted(Hours.clock(to)))",
            "time_zone = \(TestConfiguration.quoted(zone))",
        ]
    }
}

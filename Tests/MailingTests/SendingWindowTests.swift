import Testing

@testable import Mailing

/// When something may be sent, by the clock of a place.
struct SendingWindowTests {
    /// Amsterdam in 2025: an hour ahead, and two from 30 March 01:00 to 26 October 01:00 UTC.
    private static let amsterdam = TimeZoneRule(
        first: 3600,
        changes: [
            TimeZoneRule.Change(at: moment("2025-03-30T01:00:00Z"), offset: 7200),
            TimeZoneRule.Change(at: moment("2025-10-26T01:00:00Z"), offset: 3600),
        ])

    private static func moment(_ text: String) -> Timestamp {
        Timestamp(rfc3339: text) ?? Timestamp(milliseconds: 0)
    }

    private func moment(_ text: String) -> Timestamp { Self.moment(text) }

    /// Such as `mon,tue 09:00-18:00`, in Amsterdam unless it ends in another zone.
    private func window(_ text: String) throws -> SendingWindow {
        let parts = text.split(separator: " ").map(String.init)
        let times = parts[1].split(separator: "-").map { SendingWindow.minutes(String($0)) }
        let days = parts[0].split(separator: ",").compactMap { SendingWindow.Day(rawValue: String($0)) }
        let (from, to) = (try #require(times[0]), try #require(times[1]))
        let zone = parts.count > 2 ? parts[2] : "A"
        return try #require(SendingWindow(days: days, from: from, to: to, timeZone: zone))
    }

    private func hours(_ texts: String...) throws -> SendingHours {
        SendingHours(try texts.map(window)) { $0 == "A" ? Self.amsterdam : $0 == "UTC" ? .utc : nil }
    }

    /// The openings and closings from a moment on, such as `+2025-06-02T07:00:00Z`.
    private func story(_ hours: SendingHours, from text: String, _ count: Int) -> [String] {
        var now = moment(text)
        var story: [String] = []
        while story.count < count {
            guard let opening = [hours].opening(from: now), let closing = [hours].closing(from: opening) else { break }
            story += ["+\(opening)", "-\(closing)"]
            now = closing
        }
        return Array(story.prefix(count))
    }

    private let weekdays = "mon,tue,wed,thu,fri 09:00-18:00"

    @Test func `a window is open on its days, from its first second to the last but one`() throws {
        let hours = try hours(weekdays)
        for (text, isOpen) in [
            // A Monday in summer: nine o'clock is 07:00 UTC.
            ("2025-06-02T06:59:59.999Z", false), ("2025-06-02T07:00:00Z", true), ("2025-06-02T12:00:00Z", true),
            ("2025-06-02T15:59:58.999Z", true), ("2025-06-02T15:59:59Z", false), ("2025-06-02T16:00:00Z", false),
            // In winter it is 08:00 UTC.
            ("2025-01-06T07:59:59.999Z", false), ("2025-01-06T08:00:00Z", true), ("2025-01-06T16:59:58Z", true),
            // Friday, Saturday, Sunday.
            ("2025-06-06T12:00:00Z", true), ("2025-06-07T12:00:00Z", false), ("2025-06-08T12:00:00Z", false),
            // Before 1970: a Monday.
            ("1969-12-29T10:00:00Z", true), ("1969-12-28T10:00:00Z", false),
        ] {
            #expect(hours.isOpen(at: moment(text)) == isOpen, "\(text)")
        }
    }

    @Test func `outside of it the next opening is known, over the weekend too`() throws {
        let hours = try hours(weekdays)
        for (text, opening) in [
            ("2025-06-02T05:00:00Z", "2025-06-02T07:00:00Z"), ("2025-06-02T10:00:00Z", "2025-06-02T10:00:00Z"),
            ("2025-06-02T15:59:59.500Z", "2025-06-03T07:00:00Z"), ("2025-06-06T20:00:00Z", "2025-06-09T07:00:00Z"),
        ] {
            #expect(hours.opening(from: moment(text)) == moment(opening), "\(text)")
        }
    }

    @Test func `when clocks go forward the window keeps to the clock on the wall`() throws {
        // Sunday 30 March: from 02:00 to 03:00 there is nothing.
        #expect(
            story(try hours("sat,sun,mon 09:00-10:00"), from: "2025-03-29T00:00:00Z", 6) == [
                "+2025-03-29T08:00:00Z", "-2025-03-29T09:00:00Z", "+2025-03-30T07:00:00Z", "-2025-03-30T08:00:00Z",
                "+2025-03-31T07:00:00Z", "-2025-03-31T08:00:00Z",
            ])
        #expect(
            story(try hours("sun 01:30-03:30"), from: "2025-03-30T00:00:00Z", 2) == [
                "+2025-03-30T00:30:00Z", "-2025-03-30T01:30:00Z",
            ])
        // Opens in the hour that is left out: with the first minute after it.
        #expect(story(try hours("sun 02:30-04:00"), from: "2025-03-30T00:00:00Z", 1) == ["+2025-03-30T01:00:00Z"])
        // Closes in it.
        #expect(
            story(try hours("sun 01:00-02:30"), from: "2025-03-30T00:00:00Z", 2) == [
                "+2025-03-30T00:00:00Z", "-2025-03-30T01:00:00Z",
            ])
        // Lies in it as a whole: a week later.
        #expect(story(try hours("sun 02:10-02:50"), from: "2025-03-30T00:00:00Z", 1) == ["+2025-04-06T00:10:00Z"])
    }

    @Test func `when clocks go back an hour that comes twice is in the window twice`() throws {
        // Sunday 26 October: 02:00 to 03:00 comes twice, from 00:00 and from 01:00 UTC.
        #expect(
            story(try hours("sun 01:30-03:30"), from: "2025-10-25T22:00:00Z", 2) == [
                "+2025-10-25T23:30:00Z", "-2025-10-26T02:30:00Z",
            ])
        #expect(
            story(try hours("sun 02:10-02:50"), from: "2025-10-25T22:00:00Z", 4) == [
                "+2025-10-26T00:10:00Z", "-2025-10-26T00:50:00Z", "+2025-10-26T01:10:00Z", "-2025-10-26T01:50:00Z",
            ])
    }

    @Test func `a window over midnight belongs to the day on which it opens`() throws {
        let hours = try hours("fri 22:00-06:00")
        #expect(
            story(hours, from: "2025-06-01T00:00:00Z", 4) == [
                "+2025-06-06T20:00:00Z", "-2025-06-07T04:00:00Z", "+2025-06-13T20:00:00Z", "-2025-06-14T04:00:00Z",
            ])
        #expect(!hours.isOpen(at: moment("2025-06-06T01:00:00Z")), "in the night to Friday")
        #expect(
            story(try self.hours("sun 22:00-02:30"), from: "2025-10-25T00:00:00Z", 2) == [
                "+2025-10-26T21:00:00Z", "-2025-10-27T01:30:00Z",
            ])
    }

    @Test func `a whole day ends at 24 00, and two of them are one`() throws {
        #expect(
            story(try hours("sat,sun 00:00-24:00 UTC"), from: "2025-06-02T00:00:00Z", 2) == [
                "+2025-06-07T00:00:00Z", "-2025-06-09T00:00:00Z",
            ])
        #expect(
            story(try hours("sat 12:00-00:00 UTC"), from: "2025-06-02T00:00:00Z", 2) == [
                "+2025-06-07T12:00:00Z", "-2025-06-08T00:00:00Z",
            ])
    }

    @Test func `of several windows one is enough`() throws {
        let hours = try hours("mon 09:00-12:00 UTC", "mon 12:00-13:00 UTC", "mon 15:00-16:00 UTC")
        #expect(
            story(hours, from: "2025-06-02T00:00:00Z", 4) == [
                "+2025-06-02T09:00:00Z", "-2025-06-02T13:00:00Z", "+2025-06-02T15:00:00Z", "-2025-06-02T16:00:00Z",
            ])
        #expect(hours.isOpen(at: moment("2025-06-02T11:59:59.500Z")), "the next one goes on")
    }

    @Test func `several have to be open together`() throws {
        let both = [try hours("mon,tue 09:00-18:00 UTC"), try hours("tue,wed 16:00-20:00 UTC")]
        let monday = moment("2025-06-02T10:00:00Z")
        #expect(!both.areOpen(at: monday))
        #expect(both.opening(from: monday) == moment("2025-06-03T16:00:00Z"))
        #expect(both.closing(from: moment("2025-06-03T16:00:00Z")) == moment("2025-06-03T18:00:00Z"))
        let never = [try hours("mon 09:00-18:00 UTC"), try hours("tue 09:00-18:00 UTC")]
        #expect(never.opening(from: monday) == nil)
        #expect(never.finish(of: 1, from: monday) == nil)
    }

    @Test func `work goes on from window to window`() throws {
        let both = [try hours("mon,tue 09:00-10:00 UTC"), .always]
        let monday = moment("2025-06-02T09:30:00Z")
        let hour: Int64 = 3_600_000
        #expect(both.finish(of: 0, from: monday) == monday)
        #expect(both.finish(of: hour / 2, from: monday) == moment("2025-06-02T10:00:00Z"))
        #expect(both.finish(of: hour / 2 + 1000, from: monday) == moment("2025-06-03T09:00:01Z"))
        #expect(both.finish(of: 2 * hour, from: monday) == moment("2025-06-09T09:30:00Z"))
        #expect([SendingHours.always].finish(of: hour, from: monday) == moment("2025-06-02T10:30:00Z"))
    }

    @Test func `without windows it is always open, and in an unknown zone never`() throws {
        #expect(SendingHours.always.isOpen(at: moment("2025-06-08T03:00:00Z")))
        #expect([SendingHours.always].closing(from: moment("2025-06-08T03:00:00Z")) == nil)
        let nowhere = try hours("mon,tue,wed,thu,fri,sat,sun 00:00-24:00 Nowhere")
        #expect(!nowhere.isOpen(at: moment("2025-06-08T03:00:00Z")))
        #expect(nowhere.opening(from: moment("2025-06-08T03:00:00Z")) == nil)
    }

    @Test func `a window is kept as a text`() throws {
        for text in [weekdays, "sun 22:00-06:00 UTC", "sat 00:00-24:00"] {
            let window = try window(text)
            #expect(SendingWindow(stored: window.stored) == window)
        }
        #expect(try window("sun,mon,mon 09:00-10:00").stored == "mon,sun 540 600 A")
        for bad in ["", "mon 540 600", "mon 540 540 A", "mon 1440 60 A", "day 0 60 A", " 0 60 A", "mon -1 60 A"] {
            #expect(SendingWindow(stored: bad) == nil, "\(bad)")
        }
    }

    @Test func `times of the day are read strictly`() {
        for (text, minutes) in [("00:00", 0), ("09:30", 570), ("23:59", 1439), ("24:00", 1440)] {
            #expect(SendingWindow.minutes(text) == minutes)
        }
        for bad in ["", "9:00", "24:01", "25:00", "12:60", "12-00", "12:0x", "-1:00", "012:00"] {
            #expect(SendingWindow.minutes(bad) == nil, "\(bad)")
        }
    }
}

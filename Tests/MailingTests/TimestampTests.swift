import Foundation
import Mailing
import TestSupport
import Testing

@Suite struct `A timestamp` {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.001Z", 1), ("1969-12-31T23:59:59.999Z", -1),
            ("2026-11-23T09:00:00+01:00", 1_795_420_800_000), ("2026-11-23T08:00:00Z", 1_795_420_800_000),
            ("2026-11-23T08:00:00-00:00", 1_795_420_800_000), ("2026-11-22T23:30:00-08:30", 1_795_420_800_000),
            ("2026-11-23t08:00:00z", 1_795_420_800_000), ("2026-11-23 08:00:00Z", 1_795_420_800_000),
            ("2026-11-23T08:00:00.5Z", 1_795_420_800_500), ("2026-11-23T08:00:00.123999Z", 1_795_420_800_123),
            ("2026-11-23T08:00:00.0000000000000000000000001Z", 1_795_420_800_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] as [(String, Int64)]) func `is read from RFC 3339 text, with any offset`(text: String, milliseconds: Int64)
    {
        #expect(Timestamp(rfc3339: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2026-11-23", "2026-11-23T08:00:00", "2026-11-23T08:00Z", "26-11-23T08:00:00Z", "2026-11-23T08:00:00.Z",
        "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-11-23T24:00:00Z", "2026-11-23T08:60:00Z", "2026-11-23T08:00:61Z", "2026-11-23T08:00:00+1:00",
        "2026-11-23T08:00:00+0100", "2026-11-23T08:00:00+24:00", "2026-11-23T08:00:00+01:60",
        "2026-11-23T08:00:00ZZ", " 2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z ", "2026-11-23T08:00:00Z\n",
        "+2026-11-23T08:00:00Z", "-2026-11-23T08:00:00Z", "2026-11-2３T08:00:00Z", "2026/11/23T08:00:00Z",
        "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z", "20261123T080000Z",
    ]) func `is not read from a date that does not exist, or that says no offset`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `is written in UTC, with a fraction only where there is one`() {
        #expect(Timestamp(milliseconds: 0).rfc3339 == "1970-01-01T00:00:00Z")
        #expect(Timestamp(milliseconds: 1_795_420_800_050).description == "2026-11-23T08:00:00.050Z")
        #expect(Timestamp(milliseconds: -1).rfc3339 == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp(milliseconds: -62_167_219_200_000).rfc3339 == "0000-01-01T00:00:00Z")
    }

    @Test func `is written as Foundation writes it, and read back as it was, at any moment`() {
        var random = SeededGenerator(seed: 1)
        let reference = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        // From 1583 on, when the calendars of both agree, to the year 9999.
        for _ in 0..<3000 {
            let moment = Timestamp(
                milliseconds: Int64.random(in: -12_212_553_600...253_402_300_799, using: &random) * 1000 + 125)
            let date = Date(timeIntervalSince1970: Double(moment.milliseconds) / 1000)
            #expect(moment.rfc3339 == date.formatted(reference))
            #expect(Timestamp(rfc3339: moment.rfc3339) == moment)
        }
    }

    @Test func `is written and read back on every day of four centuries, each one day after the day before`() {
        var year = 1970
        var (month, day) = (1, 1)
        for number in 0..<146_097 {
            let isLeap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            let moment = seconds(Int64(number) * 86_400)
            let text = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)T00:00:00Z"
            if moment.rfc3339 != text || Timestamp(rfc3339: text) != moment {
                Issue.record("\(text) is written as \(moment.rfc3339)")
            }
            day += 1
            if day > lengths[month - 1] { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }

    @Test func `is ordered by time and moves by whole seconds`() {
        #expect(seconds(1) < seconds(2))
        #expect(!(seconds(2) < seconds(2)))
        #expect(seconds(10).adding(seconds: -11) == Timestamp(milliseconds: -1000))
    }
}

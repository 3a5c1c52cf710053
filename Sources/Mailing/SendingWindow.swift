/// Hours of the week by the clock of a place, such as Monday to Friday from nine to six in Amsterdam.
///
/// The clock on the wall decides: a time that it shows twice, when it is set back, is in the window twice, and one that
/// it leaves out never.
package struct SendingWindow: Hashable, Sendable {
    package enum Day: String, Hashable, Sendable, CaseIterable {
        case mon, tue, wed, thu, fri, sat, sun
    }

    /// On which the window opens, in the order of the week; at least one.
    package let days: [Day]
    /// Minutes since midnight, 0 ... 1439, at which it opens.
    package let from: Int
    /// Minutes since midnight, 0 ... 1440, at which it closes: on the next day if that is earlier than it opens.
    package let to: Int
    /// An identifier of the time zone database.
    package let timeZone: String

    /// Nil if it could not be open, or would be open all the time of a day by a slip: no day, or closing as it opens.
    package init?(days: some Sequence<Day>, from: Int, to: Int, timeZone: String) {
        let chosen = Set(days)
        guard !chosen.isEmpty, (0..<1440).contains(from), (0...1440).contains(to), from != to else { return nil }
        self.days = Day.allCases.filter(chosen.contains)
        self.from = from
        self.to = to
        self.timeZone = timeZone
    }

    /// The minutes since midnight of a text such as 09:00; 00:00 ... 24:00.
    package static func minutes(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        let zero = UInt8(ascii: "0")
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
        let digits = [bytes[0], bytes[1], bytes[3], bytes[4]].map { Int($0) - Int(zero) }
        guard digits.allSatisfy((0...9).contains) else { return nil }
        let (hour, minute) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
        guard minute < 60, hour < 24 || (hour == 24 && minute == 0) else { return nil }
        return hour * 60 + minute
    }

    /// - Parameter local: Seconds since 1970 as the clock of the place counts them.
    fileprivate func contains(local: Int64) -> Bool {
        let (day, second) = (local - local.modulo(86_400), local.modulo(86_400))
        let (opens, closes) = (Int64(from) * 60, Int64(to) * 60)
        if opens < closes { return isDay(day) && second >= opens && second < closes }
        return (isDay(day) && second >= opens) || (isDay(day - 86_400) && second < closes)
    }

    private func isDay(_ midnight: Int64) -> Bool {
        // 1970 began on a Thursday.
        days.contains(Day.allCases[Int((midnight / 86_400 + 3).modulo(7))])
    }

    /// The next time after this one at which the window may open or close.
    fileprivate func boundary(afterLocal local: Int64) -> Int64 {
        let day = local - local.modulo(86_400)
        let times = [0, 86_400].flatMap { [day + $0 + Int64(from) * 60, day + $0 + Int64(to) * 60] }
        return times.filter { $0 > local }.min() ?? day + 172_800
    }
}

extension SendingWindow {
    /// As the ledger keeps it.
    package var stored: String { "\(days.map(\.rawValue).joined(separator: ",")) \(from) \(to) \(timeZone)" }

    package init?(stored: String) {
        let parts = stored.split(separator: " ")
        guard parts.count == 4, let from = Int(parts[1]), let to = Int(parts[2]) else { return nil }
        let days = parts[0].split(separator: ",").map { Day(rawValue: String($0)) }
        guard !days.contains(nil) else { return nil }
        self.init(days: days.compactMap { $0 }, from: from, to: to, timeZone: String(parts[3]))
    }
}

/// When something may be sent: in any of its windows, or at any time if it has none.
package struct SendingHours: Hashable, Sendable {
    private let windows: [SendingWindow]
    /// What is missing is not known: such a window is never open.
    private let rules: [String: TimeZoneRule]

    package init(_ windows: [SendingWindow], rule: (String) -> TimeZoneRule?) {
        self.windows = windows
        rules = Dictionary(
            windows.compactMap { window in rule(window.timeZone).map { (window.timeZone, $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    package static let always = SendingHours([], rule: { _ in nil })

    package var isAlways: Bool { windows.isEmpty }

    /// A window closes so many milliseconds early: what is decided now leaves a little later.
    private static let margin: Int64 = 1000
    /// Whatever has not opened for so long, in milliseconds, does not open: 15 days.
    fileprivate static let patience: Int64 = 15 * 86_400_000

    /// Whether a message may leave now.
    package func isOpen(at moment: Timestamp) -> Bool {
        contains(moment) && contains(Timestamp(milliseconds: moment.milliseconds + SendingHours.margin))
    }

    private func contains(_ moment: Timestamp) -> Bool {
        isAlways
            || windows.contains { window in
                guard let rule = rules[window.timeZone] else { return false }
                return window.contains(local: moment.seconds + rule.offset(at: moment).seconds)
            }
    }

    /// The first moment from this one on at which a message may leave; nil if there is none within 15 days.
    package func opening(from moment: Timestamp) -> Timestamp? {
        var next = moment
        while !isOpen(at: next) {
            guard let boundary = boundary(after: next),
                boundary.milliseconds - moment.milliseconds <= SendingHours.patience
            else { return nil }
            next = boundary
        }
        return next
    }

    /// The first moment from this one on at which no message may leave; nil if there is none within 15 days.
    fileprivate func closing(from moment: Timestamp) -> Timestamp? {
        guard !isAlways else { return nil }
        var next = moment
        while contains(next) {
            guard let boundary = boundary(after: next),
                boundary.milliseconds - moment.milliseconds <= SendingHours.patience
            else { return nil }
            next = boundary
        }
        return next
    }

    /// The next moment after this one at which a window may open or close.
    private func boundary(after moment: Timestamp) -> Timestamp? {
        windows.compactMap { window -> Timestamp? in
            guard let rule = rules[window.timeZone] else { return nil }
            let (offset, until) = rule.offset(at: moment)
            let next = window.boundary(afterLocal: moment.seconds + offset) - offset
            let boundary = Timestamp(milliseconds: next * 1000)
            return until.map { min($0, boundary) } ?? boundary
        }.min()
    }
}

extension [SendingHours] {
    /// Whether all of these allow a message to leave now.
    package func areOpen(at moment: Timestamp) -> Bool { allSatisfy { $0.isOpen(at: moment) } }

    /// The first moment from this one on that all of these allow; nil if there is none within 15 days.
    package func opening(from moment: Timestamp) -> Timestamp? {
        var next = moment
        while !areOpen(at: next) {
            var latest = next
            for hours in self {
                guard let opening = hours.opening(from: next) else { return nil }
                latest = Swift.max(latest, opening)
            }
            guard latest.milliseconds - moment.milliseconds <= SendingHours.patience else { return nil }
            next = latest
        }
        return next
    }

    /// The first moment from this one on that one of these forbids; nil if there is none within 15 days.
    package func closing(from moment: Timestamp) -> Timestamp? {
        compactMap { $0.closing(from: moment) }.min()
    }

    /// When so many milliseconds of sending are over; nil if that is not to be foreseen.
    package func finish(of work: Int64, from moment: Timestamp) -> Timestamp? {
        var (now, left) = (moment, work)
        // Ten windows a day for ten years.
        for _ in 0..<36_500 {
            guard let begin = opening(from: now) else { return nil }
            let end = Timestamp(milliseconds: begin.milliseconds + left)
            guard let close = closing(from: begin), close < end else { return end }
            left -= close.milliseconds - begin.milliseconds
            now = close
        }
        return nil
    }
}

extension Timestamp {
    /// Whole seconds since 1970, rounded down.
    fileprivate var seconds: Int64 { (milliseconds - milliseconds.modulo(1000)) / 1000 }
}

extension Int64 {
    /// The remainder that is never negative.
    fileprivate func modulo(_ divisor: Int64) -> Int64 {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}

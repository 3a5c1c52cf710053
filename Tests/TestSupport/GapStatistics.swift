/// How events are spread over time: the gaps between them and the fullest window.
package struct GapStatistics: Sendable, CustomStringConvertible {
    /// The moments, sorted, in nanoseconds.
    package let times: [UInt64]
    /// The gaps between neighbours in the order of time, in nanoseconds; one fewer than there are moments.
    package let gaps: [UInt64]

    /// - Parameter times: moments in nanoseconds of one clock, in any order.
    package init(times: [UInt64]) {
        self.times = times.sorted()
        gaps = zip(self.times, self.times.dropFirst()).map { $1 - $0 }
    }

    /// The smallest gap in seconds; nil with fewer than two moments.
    package var minimum: Double? { gaps.min().map(Self.seconds) }
    /// The largest gap in seconds; nil with fewer than two moments.
    package var maximum: Double? { gaps.max().map(Self.seconds) }
    /// The middle gap in seconds; nil with fewer than two moments.
    package var median: Double? { percentile(50) }

    /// The gap in seconds that `rank` per cent of all gaps do not exceed (nearest rank); nil without gaps.
    package func percentile(_ rank: Double) -> Double? {
        Percentiles(gaps.map(Self.seconds)).value(rank)
    }

    /// The most moments in any half-open window [t, t + seconds).
    ///
    /// Half-open, because n events at exactly even spacing over n intervals are the limit and not above it.
    package func maximumCount(inWindowOf seconds: Double) -> Int {
        let window = UInt64(seconds * 1e9)
        var start = 0
        var most = 0
        for end in times.indices {
            while times[end] - times[start] >= window { start += 1 }
            most = max(most, end - start + 1)
        }
        return most
    }

    /// A line for a report.
    package var description: String {
        guard let minimum, let median, let maximum else { return "\(times.count) events, no gaps" }
        return "\(times.count) events, gaps in seconds: least \(minimum), median \(median), most \(maximum)"
    }

    private static func seconds(_ nanoseconds: UInt64) -> Double {
        Double(nanoseconds) / 1e9
    }
}

/// Percentiles of a set of measurements, by nearest rank: every answer is one of the measurements.
package struct Percentiles: Sendable {
    private let sorted: [Double]

    /// The measurements in any order.
    package init(_ values: [Double]) {
        sorted = values.sorted()
    }

    /// - Parameter rank: 0 ... 100; 0 is the smallest value, 50 the (lower) median, 100 the largest.
    /// - Returns: nil if there are no measurements.
    package func value(_ rank: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let position = Int((rank / 100 * Double(sorted.count)).rounded(.up)) - 1
        return sorted[min(max(position, 0), sorted.count - 1)]
    }
}

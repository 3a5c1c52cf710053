/// How far the clocks of a place are ahead of UTC, and since when.
package struct TimeZoneRule: Hashable, Sendable {
    /// Clocks were set, for a change of season for example.
    package struct Change: Hashable, Sendable {
        package var at: Timestamp
        /// Seconds ahead of UTC from then on.
        package var offset: Int64

        package init(at: Timestamp, offset: Int64) {
            self.at = at
            self.offset = offset
        }
    }

    /// Seconds ahead of UTC before the first change.
    private let first: Int64
    private let changes: [Change]

    /// - Parameter changes: In the order of time.
    package init(first: Int64, changes: [Change] = []) {
        self.first = first
        self.changes = changes
    }

    package static let utc = TimeZoneRule(first: 0)

    /// The offset at a moment, in seconds, and when it changes next; nil if it does not.
    package func offset(at moment: Timestamp) -> (seconds: Int64, until: Timestamp?) {
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].at <= moment { low = middle + 1 } else { high = middle }
        }
        return (low == 0 ? first : changes[low - 1].offset, low < changes.count ? changes[low].at : nil)
    }
}

/// Spaces the dots of one relay evenly: GCRA with a burst of one.
///
/// The interval counts from the moment the previous dot was written, so lateness is never made up for, and no window
/// of 3600 s ever holds more than `messagesPerHour` dots.
package struct Pacer: Hashable, Sendable {
    /// The rates that may be configured.
    package static let rates = 100...3000
    /// Those that may be configured for one domain.
    package static let domainRates = 1...3000

    /// Nanoseconds from one dot to the next.
    package private(set) var interval: Int64
    /// No dot before.
    package private(set) var nextSlot: BootInstant

    /// The last slot that the ledger knows of.
    package struct StoredSlot: Hashable, Sendable {
        package var bootID: BootID
        package var at: BootInstant

        package init(bootID: BootID, at: BootInstant) {
            self.bootID = bootID
            self.at = at
        }
    }

    /// A pacer as it begins after a start of the daemon.
    ///
    /// - Parameters:
    ///   - stored: The slot of the last dot; nil if none was ever written.
    ///   - wasInFlight: Whether a delivery of this relay was found in flight: its dot may have left at any moment up
    ///     to now, so a full interval passes first. The same after a reboot, when the stored slot says nothing.
    package init(
        messagesPerHour: Int, stored: StoredSlot?, wasInFlight: Bool, bootID: BootID, now: BootInstant
    ) {
        precondition(Pacer.domainRates.contains(messagesPerHour), "a rate is 1 ... 3000 messages an hour")
        interval = Pacer.interval(messagesPerHour: messagesPerHour)
        let latest = now.adding(nanoseconds: interval)
        guard let stored else {
            nextSlot = wasInFlight ? latest : now
            return
        }
        guard stored.bootID == bootID, !wasInFlight else {
            nextSlot = latest
            return
        }
        nextSlot = min(latest, stored.at.adding(nanoseconds: interval))
    }

    /// The earliest moment for a dot from now on; never further away than one interval.
    package func slot(now: BootInstant) -> BootInstant {
        max(now, min(nextSlot, now.adding(nanoseconds: interval)))
    }

    /// A dot may have been written at this moment.
    package mutating func dotWritten(at instant: BootInstant) {
        nextSlot = max(nextSlot, instant.adding(nanoseconds: interval))
    }

    /// The record knows of a later dot than this pacer does.
    package mutating func hold(until instant: BootInstant) {
        nextSlot = max(nextSlot, instant)
    }

    /// A reload changed the rate: the gap since the last dot becomes the new interval.
    package mutating func change(messagesPerHour: Int) {
        precondition(Pacer.domainRates.contains(messagesPerHour), "a rate is 1 ... 3000 messages an hour")
        let changed = Pacer.interval(messagesPerHour: messagesPerHour)
        nextSlot = nextSlot.adding(nanoseconds: changed - interval)
        interval = changed
    }

    /// Rounded up, so that the limit is never exceeded.
    private static func interval(messagesPerHour: Int) -> Int64 {
        (3_600_000_000_000 + Int64(messagesPerHour) - 1) / Int64(messagesPerHour)
    }
}

/// Whose turn it is on a relay: `service` mail before all other, and campaigns of the same rank one after another.
package struct Turns: Hashable, Sendable {
    private var lastServed: [Int64: Int] = [:]
    private var count = 0

    package init() {}

    package struct Candidate: Hashable, Sendable {
        package var campaign: Int64
        package var basis: Campaign.Basis

        package init(campaign: Int64, basis: Campaign.Basis) {
            self.campaign = campaign
            self.basis = basis
        }
    }

    /// The candidates in the order in which they are to be asked for a due message.
    package func order(_ candidates: [Candidate]) -> [Candidate] {
        candidates.sorted { left, right in
            let ranks = (left.basis == .service ? 0 : 1, right.basis == .service ? 0 : 1)
            let turns = (lastServed[left.campaign] ?? 0, lastServed[right.campaign] ?? 0)
            return (ranks.0, turns.0, left.campaign) < (ranks.1, turns.1, right.campaign)
        }
    }

    /// Notes that a message of this campaign got the slot.
    package mutating func served(_ campaign: Int64) {
        count += 1
        lastServed[campaign] = count
    }

    /// Forgets a campaign that ended.
    package mutating func ended(_ campaign: Int64) { lastServed[campaign] = nil }
}

/// What an attempt proved, and so what becomes of the delivery, the relay and the campaign.
package enum Outcome: Hashable, Sendable {
    /// A 2yz answered the dot.
    case sent
    /// Refused for good; `suppress` tells whether the address itself is proven dead.
    case bounced(suppress: Bool)
    /// 4yz about this message: it is tried again later.
    case deferred(isGreylisting: Bool)
    /// 5.7.x: the relay's policy, not the recipient. Back to the queue; in a row they pause the campaign.
    case policyRefusal
    /// No connection, or one lost before the dot. Costs the recipient nothing; the relay backs off.
    case routeTrouble
    /// 5yz to MAIL or AUTH: the sender's trouble. Back to the queue; the campaign is paused.
    case senderTrouble
    /// After the dot nothing was heard.
    case uncertain

    /// The word for it in the journal and the receipt.
    package var word: String {
        switch self {
        case .sent: "sent"
        case .bounced: "bounced"
        case .deferred: "deferred"
        case .policyRefusal: "policyRefusal"
        case .routeTrouble: "routeTrouble"
        case .senderTrouble: "senderTrouble"
        case .uncertain: "uncertain"
        }
    }

    /// Judges a reply that refuses, or that answers the dot.
    package init(phase: SMTPPhase, reply: SMTPReply) {
        let enhanced = reply.enhanced
        switch (reply.severity, phase) {
        case (.positive, .dot):
            self = .sent
        case (.temporary, .connect), (.temporary, .greeting), (.temporary, .hello), (.temporary, .encryption),
            (.temporary, .authentication), (.temporary, .idle), (.temporary, .reset):
            self = .routeTrouble
        case (.temporary, _):
            self = reply.code == 421 ? .routeTrouble : .deferred(isGreylisting: Outcome.isGreylisting(reply))
        case (.permanent, .authentication), (.permanent, .mail):
            self = .senderTrouble
        case (.permanent, .recipient), (.permanent, .data), (.permanent, .dot):
            if let enhanced, enhanced.subject == 1, [7, 8].contains(enhanced.detail) {
                self = .senderTrouble
            } else if enhanced?.subject == 7 {
                self = .policyRefusal
            } else {
                self = .bounced(suppress: Outcome.provesDead(reply))
            }
        case (.intermediate, .dot):
            self = .uncertain
        default:
            self = .routeTrouble
        }
    }

    /// Greylisting is answered with 450, 451 or 4.7.1 and passes within minutes.
    private static func isGreylisting(_ reply: SMTPReply) -> Bool {
        guard let enhanced = reply.enhanced else { return reply.code == 450 || reply.code == 451 }
        return enhanced.subject == 7 && enhanced.detail == 1 || enhanced.subject == 2 && enhanced.detail == 0
    }

    /// Whether nothing sent to this address can ever arrive (RFC 3463 3.2 and 3.3, RFC 7505).
    ///
    /// Only an enhanced code proves that: a bare 550 may as well be a relay that does not know us, and what is
    /// suppressed by mistake stays so.
    private static func provesDead(_ reply: SMTPReply) -> Bool {
        guard let enhanced = reply.enhanced else { return false }
        switch (enhanced.subject, enhanced.detail) {
        case (1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1): return true
        default: return false
        }
    }
}

/// When a deferred message is tried again (RFC 5321 4.5.4.1: two attempts in the first hour, then every two or three).
package struct RetrySchedule: Hashable, Sendable {
    /// Seconds after the first, second, … attempt; the last one repeats.
    package let delays: [Int64]
    /// Seconds after a first attempt that met greylisting.
    package let greylistingDelay: Int64

    package init(delays: [Int64], greylistingDelay: Int64) {
        precondition(!delays.isEmpty, "a retry schedule has at least one delay")
        self.delays = delays
        self.greylistingDelay = greylistingDelay
    }

    package static let standard = RetrySchedule(delays: [1800, 3600, 7200, 10_800], greylistingDelay: 600)

    package func delay(afterAttempt attempt: Int, isGreylisting: Bool) -> Int64 {
        let regular = delays[min(max(attempt, 1), delays.count) - 1]
        return isGreylisting && attempt <= 1 ? min(greylistingDelay, regular) : regular
    }
}

/// How long a relay is left alone after route trouble: 1 s, doubled up to 5 min, until a session begins well.
package struct RelayBackoff: Hashable, Sendable {
    package private(set) var failures = 0

    package init() {}

    /// Notes a failure and returns the pause in nanoseconds.
    package mutating func failed() -> Int64 {
        failures += 1
        let seconds = failures > 9 ? 300 : min(300, Int64(1) << Int64(failures - 1))
        return seconds * 1_000_000_000
    }

    /// A new session got as far as a good EHLO and AUTH.
    package mutating func succeeded() { failures = 0 }
}

/// Counts what pauses a campaign when it comes in a row.
package struct Streaks: Hashable, Sendable {
    private var policyRefusals = 0
    private var uncertain = 0
    private let policyLimit: Int
    private let uncertainLimit: Int

    /// - Parameter uncertainLimit: 0 for never.
    package init(policyLimit: Int = 5, uncertainLimit: Int) {
        self.policyLimit = policyLimit
        self.uncertainLimit = uncertainLimit
    }

    /// Why the campaign is to be paused after this outcome, if it is.
    package mutating func note(_ outcome: Outcome, reply: String) -> String? {
        switch outcome {
        case .senderTrouble:
            return "the relay refuses the sender: \(reply)"
        case .policyRefusal:
            policyRefusals += 1
            guard policyRefusals >= policyLimit else { return nil }
            policyRefusals = 0
            return "\(policyLimit) messages in a row were refused by the relay's policy: \(reply)"
        case .uncertain:
            uncertain += 1
            guard uncertainLimit > 0, uncertain >= uncertainLimit else { return nil }
            uncertain = 0
            return "\(uncertainLimit) messages in a row got no answer to the final dot"
        case .sent, .bounced:
            policyRefusals = 0
            uncertain = 0
            return nil
        case .deferred, .routeTrouble:
            return nil
        }
    }
}

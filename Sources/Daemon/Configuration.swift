package import Mailing

/// All that the administrator decides. Read from TOML, checked, never partly in force.
package struct Configuration: Sendable, Equatable {
    /// A mail relay and what it may carry.
    package struct Relay: Sendable, Equatable {
        package var url: String
        package var messagesPerHour: Int
        package var username: String?
        package var passwordCredential: String?
        package var passwordFile: String?
        /// Patterns of From addresses; empty for any.
        package var senders: [AddressPattern]
        package var certificateAuthorityFile: String?
        /// Whether STARTTLS is required; nil for “except to loopback”.
        package var requiresTLS: Bool?
        package var helloName: String?
        package var connectSeconds: Int
        /// How long the reply to the final dot may take (RFC 5321 4.5.3.2.6: ten minutes).
        package var finalReplySeconds: Int
        /// An idle connection is kept this long.
        package var idleSeconds: Int
        /// The header in which the relay looks for an idempotency key; nil if it knows none.
        package var idempotencyHeader: String?
        /// For how long the relay knows a key.
        package var idempotencySeconds: Int64
        /// Doubt is settled by what the local Postfix wrote into the journal.
        package var settlesByJournal: Bool
        /// When it may carry anything; nil for at any time.
        package var window: SendingWindow?
        /// Messages an hour to single domains, in A-labels and lower case.
        package var domains: [String: Int]

        /// Whether its configuration lets it carry mail from this address.
        func carries(_ sender: EmailAddress) -> Bool { senders.isEmpty || senders.contains { $0.matches(sender) } }

        /// When it may carry anything.
        var hours: SendingHours { SendingHours([window].compactMap { $0 }) }

        /// To whom idempotency keys go, and in which header; nil if the relay knows none.
        package var keyScope: String? { idempotencyHeader.map { "\($0) \(url)" } }
    }

    package var spoolDirectory: String
    package var ledgerPath: String
    package var presetsDirectory: String
    package var relays: [String: Relay]
    /// A limit over all relays together, in messages an hour.
    package var messagesPerHour: Int?
    package var testRecipients: [AddressPattern]
    /// 0 for never.
    package var pauseAfterUncertain: Int
    package var retries: RetrySchedule
    /// Campaigns are paused after so many seconds without a daemon; nil for never.
    package var holdAfterDowntime: Int64?
    package var bounceAddress: EmailAddress?
    /// Page for one-click unsubscribing (RFC 8058), with `{token}` where the recipient's token goes.
    package var unsubscribeURL: String?
    package var language: String
    /// Somebody who was asked for consent may be asked again after so many days.
    package var renewalDays: Int
    /// Users whose “by the recipient” is believed, and who may drop such consent jobs whatever `submitters` says.
    package var recipientChannels: Set<UInt32>
    /// Who may drop what, by name; never empty.
    package var submitters: [Submitters]
    package var showsAddresses: Bool
    /// The user as whom the local Postfix writes into the journal.
    package var postfixUser: String
    /// Where the metrics are written; empty for nowhere, nil for the runtime directory if there is one.
    package var metricsFile: String?

    /// The relays on which doubt may end by itself.
    package var settlingRelays: Set<String> {
        Set(relays.filter { $0.value.settlesByJournal || $0.value.idempotencyHeader != nil }.keys)
    }
}

/// `*@domain`, `*` or a whole address.
package struct AddressPattern: Sendable, Hashable, CustomStringConvertible {
    private let domain: String?
    private let key: String?

    /// Nil if the text is no pattern.
    package init?(_ text: String) {
        if text == "*" {
            (domain, key) = (nil, nil)
        } else if text.hasPrefix("*@") {
            guard let probe = try? AddressText.read("a" + text.dropFirst()) else { return nil }
            (domain, key) = (probe.domain, nil)
        } else {
            guard let address = try? AddressText.read(text) else { return nil }
            (domain, key) = (nil, address.key)
        }
    }

    package init(domain: String) {
        (self.domain, key) = (domain, nil)
    }

    package var description: String { key ?? domain.map { "*@\($0)" } ?? "*" }

    package func matches(_ address: EmailAddress) -> Bool {
        if let key { return address.key == key }
        return domain.map { $0 == address.domain } ?? true
    }
}

/// The paces of the domains to which a relay sends less than it could.
///
/// They hold beside the relay's own pace. A domain that has to wait holds up no other one.
package struct DomainPaces: Hashable, Sendable {
    /// Messages an hour by domain, in A-labels and lower case.
    package private(set) var rates: [String: Int] = [:]
    private var pacers: [String: Pacer] = [:]

    package init() {}

    /// A domain is limited from now on.
    package mutating func limit(_ domain: String, messagesPerHour: Int, pacer: Pacer) {
        rates[domain] = messagesPerHour
        pacers[domain] = pacer
    }

    /// The limit of a domain became another one; one that is not limited stays so.
    package mutating func change(_ domain: String, messagesPerHour: Int) {
        guard rates[domain] != nil else { return }
        rates[domain] = messagesPerHour
        pacers[domain]?.change(messagesPerHour: messagesPerHour)
    }

    /// All others are not limited any more.
    package mutating func keep(only domains: Set<String>) {
        rates = rates.filter { domains.contains($0.key) }
        pacers = pacers.filter { domains.contains($0.key) }
    }

    /// The pace of a domain; nil if it is not limited.
    package subscript(domain: String) -> Pacer? {
        get { pacers[domain] }
        set { if let newValue, pacers[domain] != nil { pacers[domain] = newValue } }
    }

    /// The earliest moment for a dot to each limited domain.
    package func slots(now: BootInstant) -> [String: BootInstant] { pacers.mapValues { $0.slot(now: now) } }
}

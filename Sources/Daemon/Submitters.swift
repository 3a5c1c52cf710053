package import Mailing

/// One table `[submitters.NAME]`: whom it means, and what these may do.
///
/// A job is permitted if one of the tables that mean its owner permits the whole of it.
package struct Submitters: Sendable, Equatable {
    /// Whose campaigns may be controlled.
    package enum Controls: String, Sendable, CaseIterable {
        case none
        /// Those that the same user dropped; to settle doubt takes `all`.
        case own
        case all
    }

    /// How much each of these users may have under way.
    package struct Quota: Sendable, Equatable {
        /// Contacts and campaign jobs that have not ended.
        package var pendingJobs = 10_000
        /// Bytes that are kept of them.
        package var pendingBytes: Int64 = 1 << 30
        /// Of one campaign, before anything is known of them.
        package var recipients = Expander.recipientLimit
    }

    package var name: String
    /// Whoever can write into incoming/.
    package var isEverybody: Bool
    package var users: Set<UInt32>
    package var groups: Set<UInt32>
    /// Control jobs are permitted by `controls`.
    package var kinds: Set<Job.Kind>
    package var bases: Set<Campaign.Basis>
    /// From addresses; empty for any that the relay carries.
    package var senders: [AddressPattern]
    /// Where reports of their campaigns may go besides to the sender.
    package var reportsTo: [AddressPattern]
    /// Empty for any.
    package var purposes: Set<String>
    /// Names of relays; empty for any.
    package var relays: Set<String>
    package var controls: Controls
    package var quota: Quota

    /// The kinds that `kinds` may name.
    static let grantedKinds = Job.Kind.allCases.filter { $0 != .control }
    /// The group whose members may control campaigns unless the configuration has tables of its own.
    static let adminGroup = "campaignd-admin"

    init(
        name: String, isEverybody: Bool = false, users: Set<UInt32> = [], groups: Set<UInt32> = [],
        kinds: Set<Job.Kind> = [.contacts, .campaign], bases: Set<Campaign.Basis> = [.consent],
        senders: [AddressPattern] = [], reportsTo: [AddressPattern] = [], purposes: Set<String> = [],
        relays: Set<String> = [],
        controls: Controls = .none, quota: Quota = Quota()
    ) {
        self.name = name
        self.isEverybody = isEverybody
        self.users = users
        self.groups = groups
        self.kinds = kinds
        self.bases = bases
        self.senders = senders
        self.reportsTo = reportsTo
        self.purposes = purposes
        self.relays = relays
        self.controls = controls
        self.quota = quota
    }

    package func means(_ account: Account) -> Bool {
        isEverybody || users.contains(account.uid) || !groups.isDisjoint(with: account.groups)
    }

    /// What holds while the configuration has no such table.
    ///
    /// - Parameter adminGroup: Nil if the system has none.
    static func standard(adminGroup: UInt32?) -> [Submitters] {
        let everybody = Submitters(name: "everybody", isEverybody: true)
        guard let adminGroup else { return [everybody] }
        return [Submitters(name: "admins", groups: [adminGroup], kinds: [], controls: .all), everybody]
    }
}

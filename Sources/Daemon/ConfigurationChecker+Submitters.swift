import Mailing

/// Who tells the numbers of users and groups that a configuration names.
package struct AccountNames: Sendable {
    /// The number of a name; nil if there is none.
    package typealias Look = @Sendable (String) throws(SystemAccounts.Unanswered) -> UInt32?

    var user: Look
    var group: Look

    package static let ofTheSystem = AccountNames(
        user: SystemAccounts.user(named:), group: SystemAccounts.group(named:))
}

/// Who may drop what.
extension ConfigurationChecker {
    typealias SubmittersSection = ConfigurationDocument.SubmittersSection

    mutating func submitters(_ sections: [String: SubmittersSection], relays: Set<String>) -> [Submitters] {
        guard !sections.isEmpty else {
            return Submitters.standard(adminGroup: adminGroup())
        }
        return sections.sorted { $0.key < $1.key }.map { name, section in
            check(name, section, key: "submitters.\(name)", relays: relays)
        }
    }

    /// Nil if the system has none: where there is no such group, nobody is in it.
    private mutating func adminGroup() -> UInt32? {
        do throws(SystemAccounts.Unanswered) {
            return try names.group(Submitters.adminGroup)
        } catch {
            refuse("submitters", error)
            return nil
        }
    }

    private mutating func check(
        _ name: String, _ section: SubmittersSection, key: String, relays: Set<String>
    ) -> Submitters {
        let isName = name.utf8.count <= 64 && JobID.isValid(name) && !name.contains(".")
        if !isName { refuse(key, "the name of submitters consists of letters, digits, - and _") }
        let users = section.users ?? []
        if users.isEmpty, (section.groups ?? []).isEmpty { refuse(key, "means nobody: give users or groups") }
        return Submitters(
            name: name, isEverybody: users.contains("*"),
            users: numbers(users.filter { $0 != "*" }, of: "user", key: key + ".users", look: names.user),
            groups: numbers(section.groups ?? [], of: "group", key: key + ".groups", look: names.group),
            kinds: kinds(section.kinds, key: key + ".kinds"),
            bases: words(section.bases ?? ["consent"], of: Campaign.Basis.allCases, key: key + ".bases"),
            senders: patterns(section.senders ?? [], key: key + ".senders"),
            reportsTo: patterns(section.reports_to ?? [], key: key + ".reports_to"),
            purposes: purposes(section.purposes ?? [], key: key + ".purposes"),
            relays: known(section.relays ?? [], relays: relays, key: key + ".relays"),
            controls: words([section.controls ?? "none"], of: Submitters.Controls.allCases, key: key + ".controls")
                .first ?? .none,
            quota: quota(section, key: key))
    }

    private mutating func quota(_ section: SubmittersSection, key: String) -> Submitters.Quota {
        var quota = Submitters.Quota()
        if let jobs = bounded(section.pending_jobs, 1...1_000_000, key: key + ".pending_jobs") {
            quota.pendingJobs = jobs
        }
        if let bytes = bounded(section.pending_bytes, 1...(1 << 50), key: key + ".pending_bytes") {
            quota.pendingBytes = Int64(bytes)
        }
        if let recipients = bounded(section.recipients, 1...Expander.recipientLimit, key: key + ".recipients") {
            quota.recipients = recipients
        }
        return quota
    }

    private mutating func bounded(_ number: Int?, _ bounds: ClosedRange<Int>, key: String) -> Int? {
        guard let number, !bounds.contains(number) else { return number }
        refuse(key, "must be \(bounds.lowerBound) ... \(bounds.upperBound)")
        return nil
    }

    /// Users or groups by name or number; a number need not be known to the system.
    mutating func numbers(
        _ names: [String], of what: String, key: String, look: AccountNames.Look
    ) -> Set<UInt32> {
        var numbers: Set<UInt32> = []
        for name in names {
            if let number = UInt32(name) {
                numbers.insert(number)
                continue
            }
            do throws(SystemAccounts.Unanswered) {
                if let number = try look(name) {
                    numbers.insert(number)
                } else {
                    refuse(key, "there is no \(what) “\(name)”")
                }
            } catch {
                refuse(key, error)
            }
        }
        return numbers
    }

    private mutating func kinds(_ written: [String]?, key: String) -> Set<Job.Kind> {
        let written = written ?? ["contacts", "campaign"]
        if written.contains(Job.Kind.control.rawValue) {
            refuse(key, "“control” is permitted by controls = \"own\" or \"all\"")
        }
        return words(written.filter { $0 != Job.Kind.control.rawValue }, of: Submitters.grantedKinds, key: key)
    }

    private mutating func words<Word: RawRepresentable<String> & Hashable>(
        _ written: [String], of known: [Word], key: String
    ) -> Set<Word> {
        Set(
            written.compactMap { text in
                if let word = known.first(where: { $0.rawValue == text }) { return word }
                refuse(key, "“\(text)” is not one of \(known.map(\.rawValue).joined(separator: ", "))")
                return nil
            })
    }

    private mutating func purposes(_ written: [String], key: String) -> Set<String> {
        if written.contains("") { refuse(key, "a purpose has at least one character") }
        return Set(written)
    }

    private mutating func known(_ written: [String], relays: Set<String>, key: String) -> Set<String> {
        for name in written where !relays.contains(name) {
            refuse(key, "there is no relay “\(name)”; there is \(relays.sorted().joined(separator: ", "))")
        }
        return Set(written)
    }
}

/// JSON texts of the job kinds, with defaults that make a valid job.
package enum JobText {
    /// The sender of every job that names no other.
    package static let sender = "news@library.example"
    /// The purpose of every job that names no other.
    package static let purpose = "newsletter"
    /// A moment well in the past, for evidence.
    package static let earlier = "2025-01-15T09:00:00Z"

    /// One entry of a campaign's `recipients`.
    package enum Recipients: Sendable {
        case address(String)
        /// A file of the bundle.
        case list(String, preset: String? = nil)
        case group(String)

        var json: JSONValue {
            switch self {
            case .address(let address): ["address": .string(address)]
            case .list(let file, nil): ["list": .string(file)]
            case .list(let file, let preset?): ["list": .string(file), "preset": .string(preset)]
            case .group(let name): ["group": .string(name)]
            }
        }
    }

    /// One event of a `consent` job.
    package struct ConsentEvent: Sendable {
        /// Of whom it tells.
        package var address: String
        /// Such as `accepted`, `refused`, `withdrawn`.
        package var event: String
        /// For which mailings.
        package var purpose = JobText.purpose
        /// Whose act it was.
        package var by = "operator"
        /// How it reached us.
        package var source = "telephone"
        /// When, RFC 3339.
        package var at = JobText.earlier

        /// An event by an operator, on the telephone, long ago; change what matters.
        package init(_ address: String, _ event: String) {
            self.address = address
            self.event = event
        }

        var json: JSONValue {
            [
                "address": .string(address), "purpose": .string(purpose), "event": .string(event), "by": .string(by),
                "source": .string(source), "at": .string(at),
            ]
        }
    }

    /// A `campaign` job. A basis of `service` brings a justification.
    ///
    /// - Parameters:
    ///   - extra: members to add or to replace.
    ///   - without: members to leave out.
    package static func campaign(
        _ id: String, to recipients: [Recipients], basis: String = "consent", subject: String = "News of the library",
        text: String = "Good morning,\n\nThe library is open on Sunday.\n", extra: [String: JSONValue] = [:],
        without: Set<String> = []
    ) -> String {
        var members: [String: JSONValue] = [
            "kind": "campaign", "id": .string(id), "purpose": .string(purpose), "basis": .string(basis),
            "from": ["name": "The Library", "address": .string(sender)],
            "reason": "You get this newsletter because you asked the library for it.",
            "subject": .string(subject), "text": .string(text), "recipients": .array(recipients.map(\.json)),
        ]
        if basis == "service" { members["justification"] = "The reader's contract with the library." }
        return job(members, extra, without)
    }

    /// A `contacts` job.
    ///
    /// - Parameter consentColumn: the column whose `J` accepts and whose `N` refuses; nil for a job without evidence.
    package static func contacts(
        _ id: String, list: String = "list.csv", preset: String? = nil, group: String? = nil,
        consentColumn: String? = BorrowerList.consentColumn, extra: [String: JSONValue] = [:],
        without: Set<String> = []
    ) -> String {
        var source: [String: JSONValue] = ["list": .string(list)]
        source["preset"] = preset.map { .string($0) }
        source["group"] = group.map { .string($0) }
        var members: [String: JSONValue] = ["kind": "contacts", "id": .string(id), "lists": [.object(source)]]
        if let consentColumn {
            members["consent"] = [
                "purpose": .string(purpose), "column": .string(consentColumn), "accepted": ["J"], "refused": ["N"],
                "source": "registration form", "text": "Yes, send me the newsletter.", "at": .string(earlier),
            ]
        }
        return job(members, extra, without)
    }

    /// A `consent` job.
    package static func consent(
        _ id: String, _ events: [ConsentEvent], extra: [String: JSONValue] = [:], without: Set<String> = []
    ) -> String {
        job(["kind": "consent", "id": .string(id), "events": .array(events.map(\.json))], extra, without)
    }

    /// A `control` job: `approve`, `pause`, `resume`, `cancel` or `settle`.
    package static func control(
        _ id: String, _ action: String, campaign: String, reason: String = "asked for by a test",
        extra: [String: JSONValue] = [:], without: Set<String> = []
    ) -> String {
        let members: [String: JSONValue] = [
            "kind": "control", "id": .string(id), "campaign": .string(campaign), "action": .string(action),
            "reason": .string(reason),
        ]
        return job(members, extra, without)
    }

    private static func job(
        _ members: [String: JSONValue], _ extra: [String: JSONValue], _ without: Set<String>
    ) -> String {
        let all = members.merging(extra) { $1 }.filter { !without.contains($0.key) }
        return JSONValue.object(all).text
    }
}

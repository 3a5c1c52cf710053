/// What a program may drop into the spool.
package enum Job: Hashable, Sendable {
    case campaign(Campaign)
    case contacts(ContactsImport)
    case consent(ConsentJob)
    case control(ControlJob)

    /// The words of the `kind` key.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case campaign
        case contacts
        case consent
        case control
    }

    package var kind: Kind {
        switch self {
        case .campaign: .campaign
        case .contacts: .contacts
        case .consent: .consent
        case .control: .control
        }
    }

    package var id: JobID {
        switch self {
        case .campaign(let campaign): campaign.id
        case .contacts(let contacts): contacts.id
        case .consent(let consent): consent.id
        case .control(let control): control.id
        }
    }

    /// Names of the bundle's files that the job refers to, in the order in which it does.
    package var files: [String] {
        switch self {
        case .campaign(let campaign):
            let bodies = [campaign.text, campaign.html].compactMap { body -> String? in
                if case .file(let name) = body { name } else { nil }
            }
            let lists = campaign.recipients.compactMap { source -> String? in
                if case .list(let list) = source { list.file } else { nil }
            }
            return bodies + campaign.attachments + lists
        case .contacts(let contacts): return contacts.lists.map(\.file.file)
        case .consent, .control: return []
        }
    }
}

/// Registers contacts from lists, with the evidence of their consent if there is any.
package struct ContactsImport: Hashable, Sendable {
    /// One list and the group that its contacts join.
    package struct List: Hashable, Sendable {
        package var file: Campaign.ListFile
        package var group: String?

        package init(file: Campaign.ListFile, group: String?) {
            self.file = file
            self.group = group
        }
    }

    /// Where in the lists consent is written, and what proves it.
    package struct Evidence: Hashable, Sendable {
        package var purpose: String
        package var column: String
        /// Values of the column that mean yes, and values that mean no. Any other value says nothing.
        package var accepted: [String]
        package var refused: [String]
        package var source: String
        /// The words that the person agreed to.
        package var text: String
        package var at: Timestamp

        package init(
            purpose: String, column: String, accepted: [String], refused: [String], source: String, text: String,
            at: Timestamp
        ) {
            self.purpose = purpose
            self.column = column
            self.accepted = accepted
            self.refused = refused
            self.source = source
            self.text = text
            self.at = at
        }
    }

    package var id: JobID
    package var lists: [List]
    package var consent: Evidence?

    package init(id: JobID, lists: [List], consent: Evidence?) {
        self.id = id
        self.lists = lists
        self.consent = consent
    }
}

/// Single events of consent, as a counter clerk or a web page reports them.
package struct ConsentJob: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var address: EmailAddress
        package var purpose: String
        package var event: ConsentEvent.Kind
        package var by: ConsentEvent.Actor
        package var source: String
        package var text: String?
        package var at: Timestamp

        package init(
            address: EmailAddress, purpose: String, event: ConsentEvent.Kind, by: ConsentEvent.Actor, source: String,
            text: String?, at: Timestamp
        ) {
            self.address = address
            self.purpose = purpose
            self.event = event
            self.by = by
            self.source = source
            self.text = text
            self.at = at
        }
    }

    package var id: JobID
    package var events: [Entry]

    package init(id: JobID, events: [Entry]) {
        self.id = id
        self.events = events
    }
}

/// Changes the course of one campaign.
package struct ControlJob: Hashable, Sendable {
    package enum Action: String, Hashable, Sendable, CaseIterable {
        case approve
        case pause
        case resume
        case cancel
        /// Ends the doubt about deliveries that are uncertain.
        case settle
        /// Gives what waits for one relay to another one.
        case reroute
    }

    package var id: JobID
    package var campaign: JobID
    package var action: Action
    /// Required to settle; kept.
    package var reason: String?
    /// To settle: as what.
    package var settlement: Settlement?
    /// To settle: only this recipient; nil for all of the campaign that are uncertain.
    package var address: EmailAddress?
    /// To reroute: between which relays.
    package var route: Route?

    /// From one relay to another one, by their names.
    package struct Route: Hashable, Sendable {
        package var from: String
        package var to: String

        package init(from: String, to: String) {
            self.from = from
            self.to = to
        }
    }

    package init(
        id: JobID, campaign: JobID, action: Action, reason: String?, settlement: Settlement? = nil,
        address: EmailAddress? = nil, route: Route? = nil
    ) {
        self.id = id
        self.campaign = campaign
        self.action = action
        self.reason = reason
        self.settlement = settlement
        self.address = address
        self.route = route
    }
}

/// What is wrong with a drop, and where.
package struct JobError: Error, Hashable, Sendable {
    /// JSON Pointer (RFC 6901) of the value; empty for the whole document, nil where the fault is not in the JSON.
    package var pointer: String?
    /// Line and column from 1; the column counts Unicode scalars.
    package var line: Int?
    package var column: Int?
    /// The file of the drop that is at fault.
    package var file: String
    /// One sentence that tells what to do.
    package var message: String

    package init(pointer: String?, line: Int?, column: Int?, file: String, message: String) {
        self.pointer = pointer
        self.line = line
        self.column = column
        self.file = file
        self.message = message
    }
}

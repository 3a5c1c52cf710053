/// A mailing as its job describes it: what is said, by whom, to whom, when, and on what ground.
package struct Campaign: Hashable, Sendable {
    /// On what ground people may be mailed.
    package enum Basis: String, Hashable, Sendable, CaseIterable {
        /// Recorded consent for the campaign's purpose.
        case consent
        /// A contract or a legal duty; needs a written justification. Suppression still holds.
        case service
        /// Asks registered contacts for their consent: those never asked, and those due to be asked again.
        case consentRequest
    }

    /// The mailbox in the From header.
    package struct Sender: Hashable, Sendable {
        package var name: String?
        package var address: EmailAddress

        package init(name: String?, address: EmailAddress) {
            self.name = name
            self.address = address
        }
    }

    /// A body, given in the job or as a file of its bundle.
    package enum Content: Hashable, Sendable {
        case inline(String)
        case file(String)
    }

    /// One place that recipients come from.
    package enum RecipientSource: Hashable, Sendable {
        case list(ListFile)
        /// All members of a group of registered contacts.
        case group(String)
        case address(EmailAddress)
    }

    /// A recipient list in the bundle, and the preset that tells its columns; without one it has the known header line.
    package struct ListFile: Hashable, Sendable {
        package var file: String
        package var preset: String?

        package init(file: String, preset: String?) {
            self.file = file
            self.preset = preset
        }
    }

    /// Who sees the mailing first, and whether it waits for approval after that.
    package struct Test: Hashable, Sendable {
        package var recipients: [EmailAddress]
        package var needsApproval: Bool

        package init(recipients: [EmailAddress], needsApproval: Bool) {
            self.recipients = recipients
            self.needsApproval = needsApproval
        }
    }

    package var id: JobID
    package var purpose: String
    package var basis: Basis
    /// Why a `service` mailing may go out without consent; required for that basis.
    package var justification: String?
    package var sender: Sender
    package var replyTo: EmailAddress?
    /// Why the recipient gets this message; stands at the foot of it.
    package var reason: String
    package var subject: String
    package var text: Content?
    package var html: Content?
    /// Files of the bundle.
    package var attachments: [String]
    /// Values of template variables that a recipient lacks.
    package var defaults: [String: String]
    package var recipients: [RecipientSource]
    package var test: Test?
    package var sendAfter: Timestamp?
    package var expires: Timestamp?
    /// Names of configured relays among which the recipients are divided; empty for the only or default one.
    package var relays: [String]
    /// When it may be sent; empty for at any time.
    package var windows: [SendingWindow]
    /// Who gets a mail with the result when the campaign has ended; nil for nobody.
    package var reportTo: EmailAddress?

    package init(
        id: JobID, purpose: String, basis: Basis, justification: String?, sender: Sender, replyTo: EmailAddress?,
        reason: String, subject: String, text: Content?, html: Content?, attachments: [String],
        defaults: [String: String], recipients: [RecipientSource], test: Test?, sendAfter: Timestamp?,
        expires: Timestamp?, relays: [String], windows: [SendingWindow] = [], reportTo: EmailAddress? = nil
    ) {
        self.id = id
        self.purpose = purpose
        self.basis = basis
        self.justification = justification
        self.sender = sender
        self.replyTo = replyTo
        self.reason = reason
        self.subject = subject
        self.text = text
        self.html = html
        self.attachments = attachments
        self.defaults = defaults
        self.recipients = recipients
        self.test = test
        self.sendAfter = sendAfter
        self.expires = expires
        self.relays = relays
        self.windows = windows
        self.reportTo = reportTo
    }

    /// How long after it may start a campaign without `expires` is given up: seven days, in seconds.
    package static let defaultLifetime: Int64 = 7 * 86_400
    /// At most this many people see the test mail.
    package static let testRecipientLimit = 5
    /// Within this time, in seconds, a campaign equal to an earlier one in all but its id is held for approval.
    package static let repeatWindow: Int64 = 7 * 86_400
}

/// What is wrong with a part of a message, found when the message is compiled, before anybody is mailed.
package struct TemplateError: Error, Sendable, Equatable {
    /// The part of the message that has to change.
    package enum Part: String, Sendable {
        case subject, text, html, foot, from, replyTo, attachments
    }

    /// Where to look.
    package let part: Part

    /// The line inside the part, from 1. nil when the part as a whole is wrong.
    package let line: Int?

    /// The column inside the line, in Unicode scalars, from 1.
    package let column: Int?

    /// A sentence that says what is wrong and what to do.
    package let message: String

    package init(part: Part, line: Int? = nil, column: Int? = nil, message: String) {
        self.part = part
        self.line = line
        self.column = column
        self.message = message
    }
}

/// Everything that is wrong with a message template; never empty.
package struct InvalidTemplate: Error, Sendable, Equatable {
    /// In the order subject, text, HTML, then the rest.
    package let errors: [TemplateError]
}

/// Why a field of one recipient cannot stand in the message.
package struct FieldProblem: Sendable, Equatable {
    /// What is wrong with the value.
    package enum Kind: String, Sendable {
        /// Neither the recipient nor the defaults give the field.
        case missing
        /// The value is there, and a reader would see nothing.
        case empty
        /// The value has a control character, or a line break where the subject uses it.
        case controlCharacter
        /// The value has a "{{" of its own: whoever made it forgot to fill it in.
        case unfilled
    }

    /// The name of the field as the template writes it.
    package let name: String

    /// What is wrong.
    package let kind: Kind

    package init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

/// Why the message to one recipient cannot be made. Nothing was sent; trying again gives the same answer.
package enum ComposeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Fields that the template needs, sorted by name. `MessageTemplate.problems(in:)` tells the same beforehand.
    case fields([FieldProblem])
    /// The subject as it came out; the sentence says what to do.
    case subject(String)
    /// The recipient's mailbox.
    case recipient(String)
    /// A header field that the caller gave: Message-ID, date, List-Id, List-Unsubscribe, the link at the foot.
    case header(String)
    /// The body became too large, or GMime refused to write it.
    case body(String)

    /// A sentence for a receipt or the journal.
    package var description: String {
        switch self {
        case .fields(let problems):
            let list = problems.map { "\($0.name) (\($0.kind.rawValue))" }.joined(separator: ", ")
            return "The message needs fields that this recipient does not have: \(list)."
        case .subject(let sentence), .recipient(let sentence), .header(let sentence), .body(let sentence):
            return sentence
        }
    }
}

/// The message of one campaign, compiled and checked once and then filled in for each recipient.
///
/// Subject, text and HTML are Mustache templates over the recipient's fields, which are plain text: `{{name}}`,
/// `{{#name}}…{{/name}}` where the field is given, `{{^name}}…{{/name}}` where it is not, `{{! comment }}`.
/// Values are escaped in HTML and nowhere else; a value is never read as a template.
package struct MessageTemplate: Sendable {
    private let subject: TextTemplate
    private let text: TextTemplate?
    private let html: TextTemplate?
    private let attachments: [Attachment]
    private let from: Mailbox
    private let replyTo: Mailbox?
    private let footLines: [String]

    /// A subject is never longer than this many UTF-8 bytes once it is filled in.
    package static let maximumSubjectLength = 2_000

    /// The text and the HTML are each never longer than this many UTF-8 bytes once they are filled in.
    package static let maximumBodyLength = 4_194_304

    /// All attachments together are never larger than this many bytes once they are encoded.
    package static let maximumAttachmentsLength = 31_457_280

    /// Compiles a message.
    ///
    /// - Parameters:
    ///   - text: the plain text body; it, `html` or both are required.
    ///   - html: the HTML body, a document or a fragment.
    ///   - footLines: sentences below both bodies, not templates: why the recipient gets this message.
    /// - Throws: every problem with its part, line and column.
    package init(
        subject: String, text: String?, html: String?, attachments: [Attachment] = [], from: Mailbox,
        replyTo: Mailbox? = nil, footLines: [String] = []
    ) throws(InvalidTemplate) {
        var errors: [TemplateError] = []
        let compiledSubject = Self.compile(subject, .subject, &errors)
        self.text = text.flatMap { Self.compile($0, .text, &errors) }
        self.html = html.flatMap { Self.compile($0, .html, &errors) }
        if text == nil && html == nil {
            errors.append(
                TemplateError(part: .text, message: "The message has no body; write a text, an HTML or both."))
        }
        if let problem = Foot.problem(with: footLines) { errors.append(TemplateError(part: .foot, message: problem)) }
        if let problem = from.problem { errors.append(TemplateError(part: .from, message: problem)) }
        if let problem = replyTo?.problem { errors.append(TemplateError(part: .replyTo, message: problem)) }
        if attachments.reduce(0, { $0 + $1.entity.count }) > Self.maximumAttachmentsLength {
            let message =
                "The attachments together are larger than \(Self.maximumAttachmentsLength) bytes once encoded."
            errors.append(TemplateError(part: .attachments, message: message))
        }
        guard let compiledSubject, errors.isEmpty else { throw InvalidTemplate(errors: errors) }
        self.subject = compiledSubject
        self.attachments = attachments
        self.from = from
        self.replyTo = replyTo
        self.footLines = footLines
    }

    /// The recipient's fields over the defaults. A field whose value is blank does not hide its default.
    package static func merging(_ fields: [String: String], over defaults: [String: String]) -> [String: String] {
        defaults.merging(fields) { byDefault, own in TextCheck.isBlank(own) ? byDefault : own }
    }

    /// Every field that stands as a plain variable in the subject or a body, whether or not a section hides it.
    package var variables: Set<String> {
        parts.reduce(into: []) { $0.formUnion($1.variables) }
    }

    /// The fields that this recipient's message would show and that are absent, blank or not fit to be shown, sorted.
    ///
    /// Renders nothing: this is what expansion asks of every recipient.
    ///
    /// - Parameter fields: already merged with the defaults.
    package func missing(in fields: [String: String]) -> [String] {
        problems(in: fields).map(\.name)
    }

    /// As `missing(in:)`, with what is wrong with each field.
    package func problems(in fields: [String: String]) -> [FieldProblem] {
        var found: [String: FieldProblem] = [:]
        for part in parts {
            for problem in part.problems(in: fields) where found[problem.name] == nil {
                found[problem.name] = problem
            }
        }
        return found.values.sorted { $0.name < $1.name }
    }

    /// What this recipient will read, before it is encoded.
    ///
    /// - Parameters:
    ///   - fields: the recipient's fields, already merged with the defaults.
    ///   - headers: what else belongs to this one message.
    package func fill(
        fields: [String: String], headers: MessageHeaders
    ) throws(ComposeError) -> FilledMessage {
        let problems = problems(in: fields)
        guard problems.isEmpty else { throw .fields(problems) }
        let filledSubject = subject.render(fields)
        if TextCheck.isBlank(filledSubject) {
            throw .subject("The subject is empty for this recipient; give it a text that does not depend on a field.")
        }
        guard filledSubject.utf8.count <= Self.maximumSubjectLength else {
            throw .subject("The subject is longer than \(Self.maximumSubjectLength) bytes for this recipient.")
        }
        let foot = try headers.foot(below: footLines)
        var filled = FilledMessage(
            from: from, to: headers.to, subject: filledSubject, attachments: attachments.map(\.name))
        if let text { filled.text = foot.appended(toText: try Self.filled(text, fields)) }
        if let html { filled.html = foot.inserted(intoHTML: try Self.filled(html, fields)) }
        return filled
    }

    /// The whole message: ASCII, lines of at most 998 bytes ending in CRLF, no dot stuffing. The same arguments always
    /// give the same bytes.
    ///
    /// - Parameters:
    ///   - fields: the recipient's fields, already merged with the defaults.
    ///   - headers: what else belongs to this one message.
    package func compose(
        fields: [String: String], headers: MessageHeaders
    ) throws(ComposeError) -> [UInt8] {
        let filled = try fill(fields: fields, headers: headers)
        var message = Array(try headers.fields(subject: filled.subject, from: from, replyTo: replyTo).utf8)
        message += try body(filled, messageID: headers.messageID)
        return message
    }

    private var parts: [TextTemplate] { [subject, text, html].compactMap { $0 } }

    private static func compile(
        _ source: String, _ part: TemplateError.Part, _ errors: inout [TemplateError]
    ) -> TextTemplate? {
        do {
            return try TextTemplate(source, part: part)
        } catch {
            errors += error.errors
            return nil
        }
    }

    private func body(_ filled: FilledMessage, messageID: String) throws(ComposeError) -> [UInt8] {
        var bodies: [[UInt8]] = []
        if let text = filled.text { bodies.append(try Self.entity(text, "plain")) }
        if let html = filled.html { bodies.append(try Self.entity(html, "html")) }
        let mark = String(
            messageID.prefix(while: { $0 != "@" }).filter { $0.isLetter || $0.isNumber }.prefix(40))
        let whole =
            bodies.count == 1 ? bodies[0] : Entity.multipart("alternative", boundary: "=_a_\(mark)", parts: bodies)
        if attachments.isEmpty { return whole }
        return Entity.multipart("mixed", boundary: "=_m_\(mark)", parts: [whole] + attachments.map(\.entity))
    }

    private static func filled(
        _ template: TextTemplate, _ fields: [String: String]
    ) throws(ComposeError) -> String {
        let text = TextCheck.unixLineBreaks(template.render(fields))
        guard text.utf8.count <= maximumBodyLength else {
            throw .body("The message is longer than \(maximumBodyLength) bytes for this recipient.")
        }
        return text
    }

    private static func entity(_ text: String, _ subtype: String) throws(ComposeError) -> [UInt8] {
        do {
            return try Entity.text(text.utf8.last == UInt8(ascii: "\n") ? text : text + "\n", subtype: subtype)
        } catch {
            throw .body(error.sentence)
        }
    }
}

/// One recipient's message as they will read it: values filled in, the foot below.
package struct FilledMessage: Sendable, Equatable {
    package let from: Mailbox
    package let to: Mailbox
    package let subject: String
    /// Lines end in LF. Nil if the campaign has no plain text.
    package fileprivate(set) var text: String?
    /// Nil if the campaign has no HTML.
    package fileprivate(set) var html: String?
    /// Names of the attached files.
    package let attachments: [String]
}

/// What is different from one message of a campaign to the next, apart from the recipient's fields.
package struct MessageHeaders: Sendable, Equatable {
    /// The one recipient.
    package var to: Mailbox

    /// Without its angle brackets, such as `0a1b2c@bibliotheek.example`. The same at every attempt.
    package var messageID: String

    /// Milliseconds since 1970-01-01T00:00:00Z. The same at every attempt.
    package var date: Int64

    /// RFC 2919, such as `Nieuwsbrief <newsletter.bibliotheek.example>` or only what stands between the brackets.
    package var listID: String?

    /// RFC 2369: `https:` and `mailto:` URIs without their angle brackets, in order of preference.
    package var listUnsubscribe: [String]

    /// Writes List-Unsubscribe-Post (RFC 8058): exactly one of the URIs has to be `https:`.
    package var oneClick: Bool

    /// Writes `Precedence: bulk`.
    package var bulk: Bool

    /// Sentences below those of the template, such as how to stop the mailing in the recipient's language.
    package var footLines: [String]

    /// The last line of the foot: an `https:`, `http:` or `mailto:` URI.
    package var footLink: String?

    /// A key by which the relay knows a message that it took before, and the name of its header.
    package var idempotencyKey: (header: String, key: String)? {
        get { keyHeader.map { ($0, keyValue) } }
        set { (keyHeader, keyValue) = (newValue?.header, newValue?.key ?? "") }
    }

    private var keyHeader: String?
    private var keyValue = ""

    /// The names of the fields that every message has or may have, in lower case.
    package static let names: Set<String> = [
        "date", "from", "reply-to", "to", "subject", "message-id", "list-id", "list-unsubscribe",
        "list-unsubscribe-post", "auto-submitted", "precedence", "mime-version", "content-type",
        "content-transfer-encoding", "content-disposition", "sender", "cc", "bcc", "return-path", "received",
        "resent-message-id", "references", "in-reply-to",
    ]

    package init(
        to: Mailbox, messageID: String, date: Int64, listID: String? = nil, listUnsubscribe: [String] = [],
        oneClick: Bool = false, bulk: Bool = false, footLines: [String] = [], footLink: String? = nil
    ) {
        self.to = to
        self.messageID = messageID
        self.date = date
        self.listID = listID
        self.listUnsubscribe = listUnsubscribe
        self.oneClick = oneClick
        self.bulk = bulk
        self.footLines = footLines
        self.footLink = footLink
    }

    /// A URI is never longer than this: its line has to stay under 998 characters and cannot be folded.
    static let maximumURILength = 900

    /// The fields for this message, each once, up to and without the empty line.
    func fields(subject: String, from: Mailbox, replyTo: Mailbox?) throws(ComposeError) -> String {
        if let problem = to.problem { throw .recipient(problem) }
        guard let dateText = Entity.date(milliseconds: date) else {
            throw .header("The date \(date) is outside the years 1970 to 9999.")
        }
        let halves = messageID.split(separator: "@", omittingEmptySubsequences: false)
        guard halves.count == 2, halves.allSatisfy(TextCheck.isDotAtom), messageID.utf8.count <= 250 else {
            throw .header("The Message-ID is not of the form left@right in ASCII, at most 250 characters long.")
        }
        var block = "Date: \(dateText)\r\n"
        block += "From: \(from.fieldValue(startingAt: "From: ".count))\r\n"
        if let replyTo { block += "Reply-To: \(replyTo.fieldValue(startingAt: "Reply-To: ".count))\r\n" }
        block += "To: \(to.fieldValue(startingAt: "To: ".count))\r\n"
        block += "Subject: \(HeaderText.unstructured(subject, startingAt: "Subject: ".count))\r\n"
        block += "Message-ID: <\(messageID)>\r\n"
        if let listID { block += "List-Id: \(try Self.listIDValue(listID))\r\n" }
        block += try unsubscribeFields()
        block += "Auto-Submitted: auto-generated\r\n"
        if bulk { block += "Precedence: bulk\r\n" }
        block += try keyField()
        block += "MIME-Version: 1.0\r\n"
        return block
    }

    /// Throws unless the foot's own lines and link can be shown.
    func foot(below lines: [String]) throws(ComposeError) -> Foot {
        if let problem = Foot.problem(with: footLines) { throw .header(problem) }
        if let footLink {
            guard Self.isURI(footLink, schemes: ["https:", "http:", "mailto:"]) else {
                throw .header("The link at the foot is not an https: or mailto: URI in ASCII without spaces.")
            }
        }
        return Foot(lines: lines + footLines, link: footLink)
    }

    private func unsubscribeFields() throws(ComposeError) -> String {
        guard listUnsubscribe.allSatisfy({ Self.isURI($0, schemes: ["https:", "http:", "mailto:"]) }) else {
            throw .header(
                "A List-Unsubscribe address is not an https: or mailto: URI in ASCII without spaces and brackets, "
                    + "at most \(Self.maximumURILength) characters long.")
        }
        if oneClick, listUnsubscribe.filter({ $0.hasPrefix("https:") }).count != 1 {
            throw .header("One-click unsubscription needs exactly one https: URI in List-Unsubscribe (RFC 8058).")
        }
        if listUnsubscribe.isEmpty { return "" }
        // One URI a line: there is no other place where this field may be folded.
        let uris = listUnsubscribe.map { "<\($0)>" }.joined(separator: ",\r\n ")
        return "List-Unsubscribe: \(uris)\r\n"
            + (oneClick ? "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" : "")
    }

    private func keyField() throws(ComposeError) -> String {
        guard let (header, key) = idempotencyKey else { return "" }
        let isName = !header.isEmpty && header.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
        guard isName, header.utf8.count <= 64, TextCheck.isDotAtom(Substring(key)), key.utf8.count <= 250 else {
            throw .header("“\(header)” is no name of a header, or its key is no plain word.")
        }
        return "\(header): \(key)\r\n"
    }

    private static func listIDValue(_ text: String) throws(ComposeError) -> String {
        var phrase = ""
        var identifier = Substring(text)
        if let open = text.lastIndex(of: "<"), text.hasSuffix(">") {
            phrase = TextCheck.trim(String(text[..<open]))
            identifier = text[text.index(after: open)...].dropLast()
        }
        guard TextCheck.isDotAtom(identifier), identifier.utf8.count <= 255,
            !TextCheck.hasControl(phrase, allowingLineBreaks: false), phrase.utf8.count <= Mailbox.maximumNameLength
        else { throw .header("The List-Id is not of the form \"name <label.domain>\" (RFC 2919).") }
        let column = "List-Id: ".count
        if phrase.isEmpty { return "<\(identifier)>" }
        return HeaderText.phrase(phrase, startingAt: column, followedBy: "<\(identifier)>")
    }

    private static func isURI(_ text: String, schemes: [String]) -> Bool {
        guard let scheme = schemes.first(where: text.hasPrefix), text.utf8.count <= maximumURILength else {
            return false
        }
        return text.utf8.count > scheme.utf8.count
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"<>\"\\^`{|}".utf8.contains($0) }
    }
}

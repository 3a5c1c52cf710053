/// A message that came back, as far as it has to be understood: to whom it was delivered, and whether it is a bounce.
///
/// Whatever the bytes are, reading ends soon: nothing nested is opened, and everything is read up to a limit only.
package struct ReturnedMail: Sendable, Equatable {
    /// What a delivery status notification says of one recipient (RFC 3464 section 2.3).
    package struct RecipientStatus: Sendable, Equatable {
        package enum Action: String, Sendable, CaseIterable {
            case failed, delayed, delivered, relayed, expanded
        }

        /// The address as the reporting server wrote it, without its type.
        package var finalRecipient: String?
        package var action: Action?
        /// Three numbers with dots (RFC 3463).
        package var status: String?
    }

    /// The addresses to which it was delivered, as Delivered-To, X-Original-To, Envelope-To and To name them.
    package let addresses: [String]
    /// It has the return path `<>`, as notifications have that must not be answered (RFC 5321 section 4.5.5).
    package let hasNullReturnPath: Bool
    /// A multipart/report of any kind (RFC 6522).
    package let isReport: Bool
    /// Empty unless it is a delivery status notification.
    package let recipients: [RecipientStatus]

    /// Addresses beyond these are not looked at.
    package static let maximumAddresses = 100
    private static let maximumAddressLength = 320
    private static let maximumParts = 20
    private static let maximumStatusLength = 65_536
    private static let maximumRecipients = 20
    private static let maximumBoundaryLength = 200

    /// Reads a message, or the beginning of one.
    ///
    /// - Returns: nil where there is no header to speak of.
    package init?(_ message: [UInt8]) {
        var start = 0
        if message.starts(with: "From ".utf8) {
            // A mailbox file's separator, left there by a delivery agent.
            start = (message.firstIndex(of: 10) ?? message.count - 1) + 1
        }
        let end = Self.headerEnd(message[start...])
        guard let header = HeaderBlock(message[start..<end]), !header.fields.isEmpty else { return nil }
        addresses = Self.addresses(header)
        hasNullReturnPath = header.values("Return-Path").first?.filter { $0 != " " } == "<>"
        isReport = header.mediaType == "multipart/report"
        guard isReport, header.reportType ?? "delivery-status" == "delivery-status", let boundary = header.boundary,
            !boundary.isEmpty, boundary.utf8.count <= Self.maximumBoundaryLength
        else {
            recipients = []
            return
        }
        recipients = Self.statusPart(message[end...], boundary: Array(boundary.utf8)).map(Self.recipients) ?? []
    }

    private static func addresses(_ header: HeaderBlock) -> [String] {
        var found: [String] = []
        for name in ["Delivered-To", "X-Original-To", "Envelope-To", "To"] {
            for value in header.values(name) {
                for word in value.split(whereSeparator: { " \t<>,;:\"()[]".contains($0) })
                where word.contains("@") && word.utf8.count <= maximumAddressLength && found.count < maximumAddresses {
                    found.append(String(word))
                }
            }
        }
        return found
    }

    // MARK: The report

    /// The body of the first part that is a delivery status, without its transfer encoding.
    private static func statusPart(_ body: ArraySlice<UInt8>, boundary: [UInt8]) -> [UInt8]? {
        for part in parts(body, boundary: [45, 45] + boundary) {
            let end = headerEnd(part)
            guard let header = HeaderBlock(part[..<end]) else { continue }
            guard ["message/delivery-status", "message/global-delivery-status"].contains(header.mediaType) else {
                continue
            }
            let encoding = header.values("Content-Transfer-Encoding").first
            return HeaderBlock.decoded(part[end...].prefix(maximumStatusLength), encoding: encoding)
        }
        return nil
    }

    /// What stands between the lines that begin with the boundary, the text before the first of them left out.
    private static func parts(_ body: ArraySlice<UInt8>, boundary: [UInt8]) -> [ArraySlice<UInt8>] {
        var found: [ArraySlice<UInt8>] = []
        var begin: Int?
        for line in lines(body) where line.starts(with: boundary) {
            if let begin { found.append(body[begin..<line.startIndex]) }
            begin = line.endIndex
            let isLast = line.dropFirst(boundary.count).starts(with: [45, 45])
            if isLast || found.count >= maximumParts { return found }
        }
        // The end may have been cut off.
        if let begin { found.append(body[begin...]) }
        return found
    }

    /// The groups of fields; the first one is about the message, each other one about a recipient.
    private static func recipients(_ status: [UInt8]) -> [RecipientStatus] {
        var found: [RecipientStatus] = []
        var begin = 0
        while begin < status.count, found.count <= maximumRecipients {
            let end = headerEnd(status[begin...])
            if let group = HeaderBlock(status[begin..<end]), !group.fields.isEmpty {
                let one = RecipientStatus(
                    finalRecipient: group.values("Final-Recipient").first.flatMap(address),
                    action: group.values("Action").first.flatMap { RecipientStatus.Action(rawValue: $0.lowercased()) },
                    status: group.values("Status").first.flatMap(statusCode))
                if one != RecipientStatus() { found.append(one) }
            }
            begin = end
        }
        return Array(found.prefix(maximumRecipients))
    }

    /// `rfc822; jan@example.org` without its type.
    private static func address(_ value: String) -> String? {
        let text = TextCheck.trim(String(value.split(separator: ";", maxSplits: 1).last ?? ""))
        guard !text.isEmpty, text.utf8.count <= maximumAddressLength else { return nil }
        return text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? text : nil
    }

    /// `5.1.1 (no such user)` without its comment.
    private static func statusCode(_ value: String) -> String? {
        let code = value.prefix { $0 == "." || ($0.isASCII && $0.isNumber) }
        let numbers = code.split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 3, ["2", "4", "5"].contains(numbers[0]) else { return nil }
        return numbers.allSatisfy { (1...3).contains($0.count) } ? String(code) : nil
    }

    // MARK: Lines

    /// Behind the first empty line; the end where there is none.
    private static func headerEnd(_ bytes: ArraySlice<UInt8>) -> Int {
        for line in lines(bytes) where line.allSatisfy({ $0 == 10 || $0 == 13 }) { return line.endIndex }
        return bytes.endIndex
    }

    /// Lines with their ends.
    private static func lines(_ bytes: ArraySlice<UInt8>) -> some Sequence<ArraySlice<UInt8>> {
        sequence(state: bytes) { rest -> ArraySlice<UInt8>? in
            guard !rest.isEmpty else { return nil }
            let end = rest.firstIndex(of: 10).map { $0 + 1 } ?? rest.endIndex
            defer { rest = rest[end...] }
            return rest[..<end]
        }
    }
}

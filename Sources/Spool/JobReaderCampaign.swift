import Mailing

/// The keys of a campaign job and their limits.
enum CampaignKeys {
    static let all = [
        "purpose", "basis", "justification", "from", "replyTo", "reason", "subject", "text", "textFile", "html",
        "htmlFile", "attachments", "defaults", "recipients", "test", "sendAfter", "expires", "relays", "window",
        "report",
    ]
    /// What people agreed to if neither the job nor its contacts say otherwise.
    static let defaultPurpose = "newsletter"
    /// Size of a body in the job, in bytes of UTF-8.
    static let bodyBytes = 2 << 20
    static let attachments = 0...20
    static let defaults = 100
    static let recipients = 1...10_000
    static let relays = 1...100
    static let windows = 1...7
}

extension JobReader {
    static func campaign(_ object: JobObject) -> Campaign? {
        let id = envelope(object)
        let purpose = object.optional("purpose") { $0.groupName() }
        let (basis, justification) = ground(object)
        let sender = object.required("from", "who the mailing is from", sender)
        let replyTo = object.optional("replyTo") { $0.address() }
        let reason = object.required("reason", "why the recipients get this mailing") { $0.line(1...1_000) }
        let subject = object.required("subject", "the subject line") { $0.line(1...500) }
        let (text, html) = bodies(object)
        let attachments = object.optional("attachments") { node in
            node.mayNameFiles() ? node.distinct(CampaignKeys.attachments) { $0.fileName() } : nil
        }
        let defaults = object.optional("defaults", defaults)
        let recipients = object.required("recipients", "who gets the mailing") { node in
            node.elements(CampaignKeys.recipients)?.compactMap(recipientSource)
        }
        let test = object.optional("test", test)
        let (sendAfter, expires) = period(object)
        let relays = object.optional("relays") { node in
            node.distinct(CampaignKeys.relays) { $0.relayName() }
        }
        let windows = object.optional("window", windows)
        let reportTo = object.optional("report", report)
        guard let id, let sender, let reason, let subject, let recipients else { return nil }
        return Campaign(
            id: id, purpose: purpose ?? CampaignKeys.defaultPurpose, basis: basis ?? .consent,
            justification: justification, sender: sender, replyTo: replyTo, reason: reason, subject: subject,
            text: text, html: html, attachments: attachments ?? [], defaults: defaults ?? [:], recipients: recipients,
            test: test, sendAfter: sendAfter, expires: expires, relays: relays ?? [], windows: windows ?? [],
            reportTo: reportTo)
    }

    /// The basis, and the justification that `service` needs and no other basis may have.
    private static func ground(_ object: JobObject) -> (Campaign.Basis?, String?) {
        let basis = object.optional("basis") { $0.choice(Campaign.Basis.self) }
        let isService = basis == .service
        if isService, !object.has("justification") {
            object.node.fail(
                "Add “justification” (the contract or legal duty on which people are mailed without consent); "
                    + "the basis “service” needs it.")
        }
        if !isService, basis != nil || !object.has("basis") {
            object.refuse(
                "justification", "Remove “justification”, or write “service” as “basis”, which alone has one.")
        }
        return (basis, object.optional("justification") { $0.prose(1...2_000) })
    }

    private static func sender(_ node: JobNode) -> Campaign.Sender? {
        guard let object = node.object("a sender", knowing: ["name", "address"]) else { return nil }
        let name = object.optional("name") { $0.line(1...200) }
        let address = object.required("address", "the sender's mail address") { $0.address() }
        return address.map { Campaign.Sender(name: name, address: $0) }
    }

    private static func bodies(_ object: JobObject) -> (text: Campaign.Content?, html: Campaign.Content?) {
        if !["text", "textFile", "html", "htmlFile"].contains(where: object.has) {
            object.node.fail("Add a body: “text”, “html” or both, or in a bundle “textFile” and “htmlFile”.")
        }
        return (body("text", orFile: "textFile", of: object), body("html", orFile: "htmlFile", of: object))
    }

    private static func body(_ key: String, orFile fileKey: String, of object: JobObject) -> Campaign.Content? {
        let inline = object.optional(key) { $0.body() }
        let file = object.optional(fileKey) { $0.fileName() }
        if object.has(key) {
            object.refuse(fileKey, "Remove “\(key)” or “\(fileKey)”; only one of them can be the body.")
        }
        return inline.map(Campaign.Content.inline) ?? file.map(Campaign.Content.file)
    }

    private static func defaults(_ node: JobNode) -> [String: String]? {
        guard let members = node.members("the defaults") else { return nil }
        guard members.count <= CampaignKeys.defaults else {
            node.fail("Keep at most \(CampaignKeys.defaults) defaults; there are \(members.count).")
            return nil
        }
        var defaults: [String: String] = [:]
        for member in members {
            let key = JSONValue(.string(member.key), at: member.position)
            let name = JobNode(
                value: key, pointer: node.child(key, named: member.key).pointer, reading: node.reading)
            guard let name = name.line(1...100), let value = node.child(member.value, named: name).line(1...1_000)
            else { continue }
            defaults[name] = value
        }
        return defaults
    }

    private static func recipientSource(_ node: JobNode) -> Campaign.RecipientSource? {
        guard let object = node.object("a recipient", knowing: ["list", "preset", "group", "address"]) else {
            return nil
        }
        guard ["list", "group", "address"].filter(object.has).count == 1 else {
            node.fail("Write exactly one of “list”, “group” and “address” for each entry of “recipients”.")
            return nil
        }
        if object.has("list") { return listFile(object).map(Campaign.RecipientSource.list) }
        object.refuse("preset", "Remove “preset”; it belongs to a “list”.")
        if object.has("group") {
            return object.optional("group") { $0.groupName() }.map(Campaign.RecipientSource.group)
        }
        return object.optional("address") { $0.address() }.map(Campaign.RecipientSource.address)
    }

    static func listFile(_ object: JobObject) -> Campaign.ListFile? {
        let file = object.required("list", "the file with the recipients") { $0.fileName() }
        let preset = object.optional("preset") { $0.presetName() }
        return file.map { Campaign.ListFile(file: $0, preset: preset) }
    }

    private static func test(_ node: JobNode) -> Campaign.Test? {
        guard let object = node.object("a test", knowing: ["to", "approval"]) else { return nil }
        let recipients = object.required("to", "who sees the mailing first") { node in
            node.distinct(1...Campaign.testRecipientLimit) { $0.address() }
        }
        let needsApproval = object.optional("approval") { $0.boolean() }
        return recipients.map { Campaign.Test(recipients: $0, needsApproval: needsApproval ?? false) }
    }

    private static func report(_ node: JobNode) -> EmailAddress? {
        guard let object = node.object("a report", knowing: ["to"]) else { return nil }
        return object.required("to", "who gets a mail with the result at the end") { $0.address() }
    }

    private static func period(_ object: JobObject) -> (sendAfter: Timestamp?, expires: Timestamp?) {
        let sendAfter = object.optional("sendAfter") { $0.timestamp() }
        let expires = object.optional("expires") { node -> Timestamp? in
            guard let expires = node.timestamp() else { return nil }
            if let sendAfter, expires <= sendAfter {
                node.fail("Write a time here that is later than “sendAfter”.")
            }
            return expires
        }
        return (sendAfter, expires)
    }
}

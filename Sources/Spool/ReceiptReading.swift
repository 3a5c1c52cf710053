package import Mailing

extension Receipt {
    /// Reads receipt.json back; nil if the document is none.
    package init?(document: JSONValue) {
        guard let state = document["state"]?.string.flatMap(State.init(rawValue:)) else { return nil }
        self.init(job: document["job"]?.string, kind: document["kind"]?.string, state: state)
        acceptedAt = document.time("acceptedAt")
        sha256 = document["sha256"]?.string
        repeats = document["repeats"]?.integer ?? 0
        errors = document.array("errors").map(JobError.init(document:))
        warnings = document.array("warnings").compactMap(\.string)
        counts = document["counts"].flatMap(Counts.init(document:))
        withheld = document.integers("withheld")
        consent = document.integers("consent")
        registered = document.integers("registered")
        firstSentAt = document.time("firstSentAt")
        lastSentAt = document.time("lastSentAt")
        estimatedFinish = document.time("estimatedFinish")
        pausedBecause = document["pausedBecause"]?.string
        firstReceipt = document["firstReceipt"]?.string
    }
}

extension Receipt.Counts {
    fileprivate init?(document: JSONValue) {
        guard case .object = document.content else { return nil }
        self.init()
        func count(_ key: String) -> Int { document[key]?.integer ?? 0 }
        recipients = count("recipients")
        queued = count("queued")
        inFlight = count("inFlight")
        sent = count("sent")
        bounced = count("bounced")
        uncertain = count("uncertain")
        withheld = count("withheld")
        expired = count("expired")
        cancelled = count("cancelled")
    }
}

extension JobError {
    fileprivate init(document: JSONValue) {
        self.init(
            pointer: document["pointer"]?.string, line: document["line"]?.integer,
            column: document["column"]?.integer, file: document["file"]?.string ?? "",
            message: document["message"]?.string ?? "")
    }
}

extension JSONValue {
    /// A member of an object; nil if it is none, or lacks it.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = content else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// Nil if it is no string.
    package var string: String? {
        if case .string(let text) = content { text } else { nil }
    }

    /// Nil if it is no whole number.
    package var integer: Int? {
        if case .number(let number) = content { Int(exactly: number) } else { nil }
    }

    fileprivate func array(_ key: String) -> [JSONValue] {
        if case .array(let elements) = self[key]?.content { elements } else { [] }
    }

    fileprivate func time(_ key: String) -> Timestamp? { self[key]?.string.flatMap(Timestamp.init(rfc3339:)) }

    fileprivate func integers(_ key: String) -> [String: Int] {
        guard case .object(let members) = self[key]?.content else { return [:] }
        return Dictionary(members.compactMap { member in member.value.integer.map { (member.key, $0) } }) { $1 }
    }
}

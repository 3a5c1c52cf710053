import Mailing

extension Receipt {
    /// The receipt as the bytes of receipt.json: keys in a fixed order, null for what is not known, two spaces a level.
    var document: [UInt8] {
        var members: [(String, JSONText)] = [
            ("job", .text(job)),
            ("kind", .text(kind)),
            ("state", .text(state.rawValue)),
            ("acceptedAt", .text(acceptedAt?.rfc3339)),
            ("errors", .array(errors.map(\.json))),
            ("counts", counts?.json ?? .null),
            ("withheld", .counts(withheld)),
            ("consent", .counts(consent)),
            ("firstSentAt", .text(firstSentAt?.rfc3339)),
            ("lastSentAt", .text(lastSentAt?.rfc3339)),
            ("estimatedFinish", .text(estimatedFinish?.rfc3339)),
            ("pausedBecause", .text(pausedBecause)),
            ("sha256", .text(sha256)),
            ("repeats", .number(Int64(repeats))),
            ("warnings", .array(warnings.map { .text($0) })),
        ]
        if !registered.isEmpty { members.append(("registered", .counts(registered))) }
        if let firstReceipt { members.append(("firstReceipt", .text(firstReceipt))) }
        return Array((JSONText.object(members).document + "\n").utf8)
    }
}

extension Receipt.Counts {
    /// The counts under their names in receipt.json.
    package var json: JSONText {
        .object([
            ("recipients", .number(Int64(recipients))), ("queued", .number(Int64(queued))),
            ("inFlight", .number(Int64(inFlight))), ("sent", .number(Int64(sent))),
            ("bounced", .number(Int64(bounced))), ("uncertain", .number(Int64(uncertain))),
            ("withheld", .number(Int64(withheld))), ("expired", .number(Int64(expired))),
            ("cancelled", .number(Int64(cancelled))),
        ])
    }
}

extension JobError {
    /// File and message always, the others where they apply.
    fileprivate var json: JSONText {
        var members: [(String, JSONText)] = []
        if let pointer { members.append(("pointer", .text(pointer))) }
        if let line { members.append(("line", .number(Int64(line)))) }
        if let column { members.append(("column", .number(Int64(column)))) }
        return .object(members + [("file", .text(file)), ("message", .text(message))])
    }
}

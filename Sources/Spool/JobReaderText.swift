import Foundation
import Mailing

/// What the texts of a job may be.
extension JobNode {
    /// A text of one line, such as may stand in a header: no control characters and no line separators.
    func line(_ limits: ClosedRange<Int>) -> String? {
        text().flatMap { text in
            isLong(text, limits) && isVisible(text, besides: []) ? text : nil
        }
    }

    /// A text that may have several lines.
    func prose(_ limits: ClosedRange<Int>) -> String? {
        text().flatMap { text in
            isLong(text, limits) && isVisible(text, besides: ["\t", "\n", "\r"]) ? text : nil
        }
    }

    /// A body, limited in bytes of UTF-8.
    func body() -> String? {
        guard let body = prose(1...CampaignKeys.bodyBytes) else { return nil }
        guard body.utf8.count <= CampaignKeys.bodyBytes else {
            fail("Shorten this body to at most \(CampaignKeys.bodyBytes) bytes; it has \(body.utf8.count).")
            return nil
        }
        return body
    }

    /// One of a fixed set of words.
    func choice<Choice: RawRepresentable & CaseIterable>(_ type: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        choice(Array(type.allCases))
    }

    func choice<Choice: RawRepresentable>(_ choices: [Choice]) -> Choice? where Choice.RawValue == String {
        guard let text = text() else { return nil }
        if let choice = choices.first(where: { $0.rawValue == text }) { return choice }
        let known = choices.map { "“\($0.rawValue)”" }.joined(separator: ", ")
        fail("Write one of \(known) here instead of \(cited(text)).")
        return nil
    }

    func jobID() -> JobID? {
        guard let text = text() else { return nil }
        if let id = JobID(text) { return id }
        fail("Write 1 to 128 of the characters A-Z a-z 0-9 . _ - here, a letter or digit first.")
        return nil
    }

    /// The name of a preset, which is the name of its file without the suffix.
    func presetName() -> String? {
        guard let text = text() else { return nil }
        let isPlain: (UInt8) -> Bool = { isLetterOrDigit($0) && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        if (1...64).contains(text.utf8.count), text.utf8.first.map(isPlain) == true,
            text.utf8.allSatisfy({ isPlain($0) || $0 == UInt8(ascii: "-") })
        {
            return text
        }
        fail("Write 1 to 64 of the characters a-z 0-9 - here, a letter or digit first.")
        return nil
    }

    /// The name of a relay of the configuration.
    func relayName() -> String? {
        guard let text = text() else { return nil }
        let isMark: (UInt8) -> Bool = { $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
        if (1...64).contains(text.utf8.count), let first = text.utf8.first, !isMark(first),
            text.utf8.allSatisfy({ isLetterOrDigit($0) || isMark($0) })
        {
            return text
        }
        fail("Write 1 to 64 of the characters A-Z a-z 0-9 _ - here, a letter or digit first.")
        return nil
    }

    /// The name of a purpose or a group: letters up to U+024F and digits; spaces, `.`, `_` and `-` between them.
    func groupName() -> String? {
        guard let text = text() else { return nil }
        let scalars = Array(text.unicodeScalars)
        let isLetter: (UnicodeScalar) -> Bool = { scalar in
            switch scalar {
            case "A"..."Z", "a"..."z", "0"..."9", "\u{C0}"..."\u{24F}": true
            default: false
            }
        }
        let isMark: (UnicodeScalar) -> Bool = { $0 == "." || $0 == "_" || $0 == "-" }
        if (1...64).contains(scalars.count), let first = scalars.first, isLetter(first), scalars.last != " ",
            scalars.allSatisfy({ isLetter($0) || isMark($0) || $0 == " " })
        {
            return text
        }
        fail("Write 1 to 64 letters, digits, spaces, dots, _ or - here, a letter or digit first and no space last.")
        return nil
    }

    func address() -> EmailAddress? {
        guard let text = text(), isVisible(text, besides: [], mayBeBlank: true) else { return nil }
        let advice = "Write a mail address such as name@library.example here"
        guard text.unicodeScalars.prefix(255).count <= 254 else {
            fail("\(advice): this text is longer than 254 characters.")
            return nil
        }
        do {
            return try EmailAddress(parsing: text, composed: \.precomposedStringWithCanonicalMapping)
        } catch {
            fail("\(advice): \(cited(text)) is none, because \(error.description).")
            return nil
        }
    }

    func timestamp() -> Timestamp? {
        guard let text = text() else { return nil }
        if let timestamp = Timestamp(rfc3339: text) { return timestamp }
        fail("Write a date and a time with its offset from UTC here, such as 2026-11-23T09:00:00+01:00.")
        return nil
    }

    /// A time on the clock, in minutes since midnight.
    func timeOfDay(upTo limit: Int) -> Int? {
        guard let text = text() else { return nil }
        if let minutes = SendingWindow.minutes(text), minutes <= limit { return minutes }
        fail("Write a time here from 00:00 to \(limit == 1440 ? "24:00" : "23:59"), such as 09:00.")
        return nil
    }

    /// The form of an identifier of the time zone database; whether there is one of that name, others know.
    func timeZoneName() -> String? {
        guard let text = text() else { return nil }
        let isMark: (UInt8) -> Bool = { "_+-/".utf8.contains($0) }
        if (1...64).contains(text.utf8.count), let first = text.utf8.first, isLetterOrDigit(first),
            text.utf8.allSatisfy({ isLetterOrDigit($0) || isMark($0) })
        {
            return text
        }
        fail("Write the name of a time zone here, such as Europe/Amsterdam.")
        return nil
    }

    /// Whether the drop can bring files at all; reports it if not.
    func mayNameFiles() -> Bool {
        if reading.form == .bundle { return true }
        fail(
            "Put everything into this one file, or drop a bundle instead: a directory NAME.job/ with job.json and "
                + "the files that it names.")
        return false
    }

    /// The name of a file inside the bundle, as a relative path.
    func fileName() -> String? {
        guard mayNameFiles(), let name = text() else { return nil }
        guard isVisible(name, besides: [], mayBeBlank: true) else { return nil }
        let components = name.split(separator: "/", omittingEmptySubsequences: false)
        let fault: String? =
            if name.isEmpty {
                "this is empty"
            } else if name.utf8.count > 255 {
                "this has more than 255 bytes"
            } else if name.unicodeScalars.contains("\\") {
                "there is a backslash in it"
            } else if name.utf8.first == UInt8(ascii: "/") {
                "this begins at the root"
            } else if components.contains("") {
                "there is an empty part in it"
            } else if components.contains(where: { $0.utf8.first == UInt8(ascii: ".") }) {
                "a part of it begins with a dot"
            } else if name == "job.json" {
                "this is the job file itself"
            } else {
                nil
            }
        guard let fault else { return name }
        fail("Name a file of the bundle here, such as list.csv or images/cover.jpg: \(fault).")
        return nil
    }

    private func isLong(_ text: String, _ limits: ClosedRange<Int>) -> Bool {
        let count = text.unicodeScalars.count
        if count > limits.upperBound {
            fail("Shorten this text to at most \(limits.upperBound) characters; it has \(count).")
            return false
        }
        if count < limits.lowerBound {
            fail("Write something here; the text is empty.")
            return false
        }
        return true
    }

    /// Refuses control characters (C0, DEL, C1), line and paragraph separators, and texts without anything to see.
    private func isVisible(_ text: String, besides allowed: [UnicodeScalar], mayBeBlank: Bool = false) -> Bool {
        var isBlank = true
        for (offset, scalar) in text.unicodeScalars.enumerated() {
            switch scalar {
            case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                guard allowed.contains(scalar) else {
                    fail("Remove the character \(codePoint(scalar)), number \(offset + 1) of this text.")
                    return false
                }
            case " ": break
            default: isBlank = false
            }
        }
        if isBlank, !mayBeBlank {
            fail("Write something here; there is nothing to see in this text.")
            return false
        }
        return true
    }
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
    default: false
    }
}

import Mailing

/// One reading of a job file: what it is called, how it was dropped, and what was found wrong so far.
final class JobReading {
    let file: String
    let form: DropName.Form
    private var errors: [JobError] = []
    private var count = 0

    init(file: String, form: DropName.Form) {
        self.file = file
        self.form = form
    }

    var isFaultless: Bool { count == 0 }

    func fail(_ message: String, pointer: String, at position: JSONPosition) {
        count += 1
        guard errors.count < JobReader.errorLimit else { return }
        errors.append(
            JobError(pointer: pointer, line: position.line, column: position.column, file: file, message: message))
    }

    /// In the order of the file; the last one says so if there were more than are kept.
    var allErrors: [JobError] {
        let place = { (offset: Int, error: JobError) in (error.line ?? 0, error.column ?? 0, offset) }
        var sorted = errors.enumerated().sorted { place($0.offset, $0.element) < place($1.offset, $1.element) }
            .map(\.element)
        if count > JobReader.errorLimit {
            sorted[JobReader.errorLimit - 1] = JobError(
                pointer: nil, line: nil, column: nil, file: file,
                message: "Mend these errors first; there are \(count - JobReader.errorLimit + 1) more.")
        }
        return sorted
    }
}

/// A value of a job file, where it stands, and where its faults are reported.
struct JobNode {
    let value: JSONValue
    /// JSON Pointer (RFC 6901).
    let pointer: String
    let reading: JobReading

    func fail(_ message: String) {
        reading.fail(message, pointer: pointer, at: value.position)
    }

    func child(_ value: JSONValue, named key: String) -> JobNode {
        JobNode(value: value, pointer: pointer + "/" + escapedForPointer(key), reading: reading)
    }

    func text() -> String? {
        if case .string(let text) = value.content { return text }
        fail("Write a text in double quotes here instead of \(kindOfValue).")
        return nil
    }

    func boolean() -> Bool? {
        if case .boolean(let flag) = value.content { return flag }
        fail("Write true or false here, without quotes, instead of \(kindOfValue).")
        return nil
    }

    /// The elements of an array, if it has as many as it may have.
    func elements(_ limits: ClosedRange<Int>) -> [JobNode]? {
        guard case .array(let values) = value.content else {
            fail("Write a list in square brackets here instead of \(kindOfValue).")
            return nil
        }
        guard values.count >= limits.lowerBound else {
            fail("Put at least \(limits.lowerBound) into this list; it has \(values.count).")
            return nil
        }
        guard values.count <= limits.upperBound else {
            fail("Shorten this list to at most \(limits.upperBound); it has \(values.count).")
            return nil
        }
        return values.enumerated().map { child($0.element, named: String($0.offset)) }
    }

    /// The elements of an array, each read, no two of them equal. Faulty ones are reported and missing.
    func distinct<Value: Hashable>(_ limits: ClosedRange<Int>, _ read: (JobNode) -> Value?) -> [Value]? {
        guard let elements = elements(limits) else { return nil }
        var seen: Set<Value> = []
        return elements.compactMap { element in
            guard let value = read(element) else { return nil }
            guard seen.insert(value).inserted else {
                element.fail("Remove this; the list has it already.")
                return nil
            }
            return value
        }
    }

    func members(_ what: String) -> [JSONMember]? {
        if case .object(let members) = value.content { return members }
        fail("Write \(what) as an object in curly brackets here instead of \(kindOfValue).")
        return nil
    }

    /// The object, with every key reported that it does not know.
    func object(_ what: String, knowing keys: [String]) -> JobObject? {
        guard let members = members(what) else { return nil }
        for member in members where !keys.contains(member.key) {
            reading.fail(
                "Remove the key \(cited(member.key)); \(what) knows only \(keys.joined(separator: ", ")).",
                pointer: child(member.value, named: member.key).pointer, at: member.position)
        }
        return JobObject(node: self, what: what, members: members)
    }

    private var kindOfValue: String {
        switch value.content {
        case .null: "null; or leave the key out"
        case .boolean(let flag): String(flag)
        case .number: "a number"
        case .string: "a text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// An object of a job file whose keys are read one by one.
struct JobObject {
    let node: JobNode
    private let what: String
    private let values: [String: JSONValue]

    init(node: JobNode, what: String, members: [JSONMember]) {
        self.node = node
        self.what = what
        values = Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    func has(_ key: String) -> Bool { values[key] != nil }

    /// Reports the value of a key that has no place in this object, if there is one.
    func refuse(_ key: String, _ message: String) {
        if let value = values[key] { node.child(value, named: key).fail(message) }
    }

    /// What a reader makes of the value of a key; nil if there is no such key, or if the value is reported as faulty.
    func optional<Value>(_ key: String, _ read: (JobNode) -> Value?) -> Value? {
        values[key].flatMap { read(node.child($0, named: key)) }
    }

    /// The same, with a missing key reported. The meaning completes the sentence.
    func required<Value>(_ key: String, _ meaning: String, _ read: (JobNode) -> Value?) -> Value? {
        if !has(key) { node.fail("Add “\(key)” (\(meaning)); \(what) needs it.") }
        return optional(key, read)
    }
}

/// A key as a reference token (RFC 6901 section 4).
private func escapedForPointer(_ key: String) -> String {
    guard key.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return key }
    return key.unicodeScalars.map { scalar in
        switch scalar {
        case "~": "~0"
        case "/": "~1"
        default: String(scalar)
        }
    }.joined()
}

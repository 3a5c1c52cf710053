import Foundation
import Spool

/// One of the ways to write a value down.
struct JSONSpelling {
    /// Every character as `\uXXXX`.
    var isEscaped = false
    var isReversed = false
    /// White space wherever it may stand.
    var blank = ""

    static let plain = JSONSpelling()
    static let all = [plain, JSONSpelling(isEscaped: true, isReversed: true, blank: " \r\n\t")]

    func text(_ value: JSONValue) -> String {
        switch value.content {
        case .null: return "null"
        case .boolean(let flag): return flag ? "true" : "false"
        case .number(let number): return "\(number)"
        case .string(let text): return quoted(text)
        case .array(let elements):
            return "[\(blank)" + elements.map(text).joined(separator: "\(blank),\(blank)") + "\(blank)]"
        case .object(let members):
            let written = members.map { member($0.key, $0.value) }
            let ordered = isReversed ? written.reversed() : written
            return "{\(blank)" + ordered.joined(separator: "\(blank),\(blank)") + "\(blank)}"
        }
    }

    func member(_ key: String, _ value: JSONValue) -> String {
        quoted(key) + "\(blank):\(blank)" + text(value)
    }

    private func quoted(_ text: String) -> String {
        if isEscaped { return "\"" + text.utf16.map(Self.escape).joined() + "\"" }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            if scalar.value < 32 || scalar == "\"" || scalar == "\\" {
                quoted += Self.escape(UInt16(scalar.value))
            } else {
                quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func escape(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}

/// Our reading of a document beside another.
enum JSONComparison {
    static func accepts(_ bytes: [UInt8]) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
    }

    /// Foundation takes U+FEFF for a byte order mark wherever it begins to read a text, and drops it; where one is,
    /// there is nothing to compare.
    static func agrees(_ bytes: [UInt8], _ value: JSONValue) -> Bool {
        if bytes.indices.contains(where: { bytes[$0...].starts(with: [0xEF, 0xBB, 0xBF]) }) { return true }
        guard let other = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) else {
            return false
        }
        return agrees(value, other)
    }

    private static func agrees(_ value: JSONValue, _ other: Any) -> Bool {
        switch value.content {
        case .null: return other is NSNull
        case .boolean(let flag):
            guard let boolean = other as? NSNumber else { return false }
            return isBoolean(boolean) && boolean.boolValue == flag
        case .number(let number):
            guard let other = other as? NSNumber else { return false }
            // Foundation multiplies digit by digit, and so does not always find the nearest double.
            let difference = (other.doubleValue - number).magnitude
            return !isBoolean(other) && difference <= max(number.magnitude * 1e-12, 1e-300)
        case .string(let text): return (other as? String).map { isSameText($0, text) } ?? false
        case .array(let elements):
            guard let others = other as? [Any], others.count == elements.count else { return false }
            return zip(elements, others).allSatisfy { agrees($0, $1) }
        case .object(let members):
            guard let others = other as? [String: Any], others.count == members.count else { return false }
            return members.allSatisfy { member in
                others[member.key].map { agrees(member.value, $0) } ?? false
            }
        }
    }

    private static func isBoolean(_ number: NSNumber) -> Bool { number.objCType.pointee == 99 }

    /// The same but for the places and for the order of members.
    static func isSame(_ left: JSONValue, _ right: JSONValue) -> Bool {
        switch (left.content, right.content) {
        case (.string(let one), .string(let other)): return isSameText(one, other)
        case (.array(let one), .array(let other)):
            return one.count == other.count && zip(one, other).allSatisfy { isSame($0, $1) }
        case (.object(let one), .object(let other)):
            let values = Dictionary(other.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
            return one.count == other.count
                && one.allSatisfy { member in values[member.key].map { isSame(member.value, $0) } ?? false }
        default: return left.content == right.content
        }
    }
}

import Foundation
import RecipientLists

/// A directory of a test's own, removed with the value.
final class Scratch {
    let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("lists-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    func path(_ name: String) -> String {
        directory.appendingPathComponent(name).path
    }

    func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
        try Data(bytes).write(to: directory.appendingPathComponent(name))
    }
}

/// What a list said, from its first row to its last.
struct ListContents {
    var columns: [String] = []
    var items: [ListItem] = []

    var rows: [RecipientRow] {
        items.compactMap { if case .row(let row) = $0 { row } else { nil } }
    }

    var bad: [BadRow] {
        items.compactMap { if case .bad(let bad) = $0 { bad } else { nil } }
    }

    init(_ text: String, preset: Preset? = nil) throws {
        try self.init(bytes: Array(text.utf8), preset: preset)
    }

    init(bytes: [UInt8], preset: Preset? = nil) throws {
        let scratch = try Scratch()
        try scratch.write(bytes, to: "list.csv")
        try self.init(path: scratch.path("list.csv"), preset: preset)
    }

    init(path: String, preset: Preset? = nil) throws {
        let reader = try ListReader(path: path, preset: preset)
        columns = reader.columns
        while let item = try reader.next() { items.append(item) }
    }
}

/// The encodings that a list may come in.
enum Writing: String, CaseIterable {
    case utf8 = "utf-8"
    case utf8Marked = "utf-8-sig"
    case utf16LittleEndian = "utf-16 le"
    case utf16BigEndian = "utf-16 be"
    case utf16Unmarked = "utf-16-le"
    case windows1252 = "cp1252"

    /// The name that Python has for it.
    var python: String {
        rawValue.hasPrefix("utf-16 ") ? "utf-16" : rawValue
    }

    func bytes(_ text: String) -> [UInt8] {
        switch self {
        case .utf8: return Array(text.utf8)
        case .utf8Marked: return [0xEF, 0xBB, 0xBF] + text.utf8
        case .utf16LittleEndian: return [0xFF, 0xFE] + Writing.utf16Unmarked.bytes(text)
        case .utf16BigEndian: return [0xFE, 0xFF] + text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        case .utf16Unmarked: return text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        case .windows1252: return text.unicodeScalars.map { Self.beyondLatin1[$0] ?? UInt8($0.value & 0xFF) }
        }
    }

    private static let beyondLatin1: [Unicode.Scalar: UInt8] = ["€": 0x80, "“": 0x93, "…": 0x85, "Ž": 0x8E]
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    mutating func oneIn(_ count: Int) -> Bool {
        Int.random(in: 0..<count, using: &self) == 0
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self)]
    }
}

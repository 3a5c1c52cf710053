import Foundation
import NarrowLists
import RecipientLists
import TightLists

/// A file as a list of recipients.
///
/// The reader is built three times: as it is; `NarrowLists`, which reads four bytes at a time, the fewest in which a
/// character of UTF-16 is sure to end; and `TightLists`, whose limits are so low that inputs reach them.
enum ListTarget {
    typealias Transcript = (columns: [String], items: [[String: String]], error: String?, capacity: Int)

    /// The limits of `TightLists`.
    private static let tight = (field: 24, record: 80, columns: 5)

    private static let path =
        (ProcessInfo.processInfo.environment["FUZZ_SCRATCH"] ?? NSTemporaryDirectory()) + "/list.csv"

    static func check(_ input: [UInt8]) {
        write(input)
        let list = RecipientLists.ListTranscript.read(path)
        check(list, input)
        let narrow = NarrowLists.ListTranscript.read(path)
        // How far into the file the damage is found is told in chunks.
        let isDamaged = list.error?.contains("is damaged within") ?? false
        require(isSame(list, narrow) || (isDamaged && narrow.error != nil), "\(list) is \(narrow) in small chunks")
        checkTight(TightLists.ListTranscript.read(path), list)
        checkEncodings(input, list)
        checkCopy(list)
    }

    private static func write(_ bytes: [UInt8]) {
        guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
            fatalError("\(path) cannot be written")
        }
    }

    private static func isSame(_ one: Transcript, _ other: Transcript) -> Bool {
        one.columns == other.columns && one.items == other.items && one.error == other.error
    }

    private static func check(_ list: Transcript, _ input: [UInt8]) {
        require(list.capacity <= RecipientLists.ListLimit.buffers, "the buffers keep to their limit")
        require(list.error.map { !hasControl($0) && $0.unicodeScalars.count < 10_000 } ?? true, "an error is readable")
        let lines = 1 + input.count { $0 == 10 || $0 == 13 }
        var last = 0
        for item in list.items {
            let line = item["line"].flatMap(Int.init) ?? 0
            require((last + 1...max(lines, last + 1)).contains(line), "rows stand in the order of the file: \(item)")
            last = line
            if let message = item["message"], let text = item["text"] {
                require(!message.isEmpty && !hasControl(message), "“\(message)” is a sentence")
                require(!hasControl(text) && text.unicodeScalars.count <= 200, "“\(text)” is an excerpt")
            } else {
                checkRow(item, list.columns)
            }
        }
    }

    private static func checkRow(_ row: [String: String], _ columns: [String]) {
        require(row["email"]?.isEmpty == false, "a row has an address")
        for (key, value) in row {
            require(
                !value.unicodeScalars.contains {
                    $0.properties.generalCategory == .control && !"\t\r\n".unicodeScalars.contains($0)
                },
                "\(key) holds no control character")
            require(value.utf8.first != 32 && value.utf8.last != 32, "\(key) has no white space around it")
            if key.utf8.first == 61 { continue }
            require(key == "email" || !value.isEmpty && !value.contains(where: \.isNewline), "\(key) is on one line")
        }
        let others = columns.filter { !$0.isEmpty && !isOurs($0) }
        let attributes = row.keys.filter { $0.utf8.first == 61 }
        require(Set(attributes) == Set(others.map { "=" + $0 }), "every attribute is there")
    }

    private static func isOurs(_ column: String) -> Bool {
        ["email", "name", "language", "number"].contains(RecipientLists.Preset.key(column))
    }

    /// Lower limits say so where they are reached, and change nothing where they are not.
    private static func checkTight(_ list: Transcript, _ generous: Transcript) {
        require(list.columns.count <= tight.columns, "no header has more columns than it may")
        require(list.columns.allSatisfy { $0.utf8.count <= tight.field }, "no name of a column is longer than a field")
        for row in list.items where row["message"] == nil {
            let values = row.filter { $0.key != "line" }.map(\.value.utf8.count)
            require(values.allSatisfy { $0 <= tight.field }, "no field is longer than it may be")
            require(values.reduce(0, +) <= tight.record, "no record is longer than it may be")
        }
        let complaints = list.items.compactMap { $0["message"] } + [list.error].compactMap { $0 }
        if complaints.contains(where: { $0.contains("is longer than") || $0.contains("has more than") }) { return }
        // What a column without a name holds is looked for in rows that can be read.
        if list.error?.contains("has a value here but no name") ?? false { return }
        require(isSame(list, generous), "\(list) is \(generous) with room")
    }

    /// The same text in UTF-16 is the same list.
    private static func checkEncodings(_ input: [UInt8], _ list: Transcript) {
        let isMarked = [[0xEF, 0xBB, 0xBF], [0x50, 0x4B, 3, 4]].contains { input.starts(with: $0) }
        guard !isMarked, !input.contains(0), let text = String(validating: input, as: UTF8.self) else { return }
        for isBig in [false, true] {
            let units = [0xFEFF] + Array(text.utf16)
            write(units.flatMap { [UInt8($0 >> (isBig ? 8 : 0) & 0xFF), UInt8($0 >> (isBig ? 0 : 8) & 0xFF)] })
            let other = RecipientLists.ListTranscript.read(path)
            require(isSame(list, other), "\(list) is \(other) in UTF-16")
            require(isSame(list, NarrowLists.ListTranscript.read(path)), "the same in small chunks of UTF-16")
        }
    }

    /// What was read can be written, every value in quotation marks, and is read again as it was.
    private static func checkCopy(_ list: Transcript) {
        guard list.error == nil, !list.columns.contains("") else { return }
        let rows = list.items.filter { $0["message"] == nil }.map { row in
            list.columns.map { row[isOurs($0) ? RecipientLists.Preset.key($0) : "=" + $0] ?? "" }
        }
        let records = ([list.columns] + rows).map { record in
            record.map { "\"" + $0.replacingOccurrences(of: "\"", with: "\"\"", options: .literal) + "\"" }
                .joined(separator: ",")
        }
        write(Array(records.joined(separator: "\r\n").utf8))
        let copy = RecipientLists.ListTranscript.read(path)
        require(copy.columns == list.columns && copy.error == nil, "the header is read again: \(copy)")
        func withoutLine(_ items: [[String: String]]) -> [[String: String]] {
            items.filter { $0["message"] == nil }.map { $0.filter { $0.key != "line" } }
        }
        require(copy.items.allSatisfy { $0["message"] == nil }, "nothing written well is bad: \(copy)")
        require(withoutLine(copy.items) == withoutLine(list.items), "\(list) is \(copy) when it is copied")
    }
}

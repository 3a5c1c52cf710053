import FoundationEssentials

/// How another system calls its columns, as `config/presets/NAME.json` says it; config/presets/README.md describes the
/// file. A preset never maps consent: that a list has an address, or a column that says so, is no consent.
package struct Preset: Sendable, Equatable {
    /// An attribute and the columns that it can come from; the first that a list has is taken.
    package struct Attribute: Sendable, Equatable {
        package var name: String
        package var columns: [String]
    }

    package var name: String
    package var description: String
    /// Alternatives for a column, the best first. Compared without regard to case and surrounding white space.
    package var email: [String]
    /// Columns that hold a whole name; nil when the preset says nothing about names.
    package var wholeName: [String]?
    /// Used when a list has none of `wholeName`: the parts of a name in the order of speech, each with its columns; in
    /// every row the first column of a part that is not empty is taken.
    package var nameParts: [[String]]
    package var language: [String]?
    package var number: [String]?
    /// Sorted by name.
    package var attributes: [Attribute]
    /// Language tags by the values that the system uses, these as `Preset.key` makes them.
    package var languages: [String: String]

    /// The largest preset file, in bytes.
    package static let largestFile = 65_536

    /// Loads `directory/name.json`.
    /// - Parameter name: matches `[a-z0-9][a-z0-9-]{0,63}`; anything else is refused before a file is opened.
    package static func load(name: String, directory: String) throws(PresetError) -> Preset {
        guard isName(name) else {
            throw PresetError(
                preset: Excerpt.of(name.utf8),
                message: "a preset's name has at most 64 lower-case letters, digits and hyphens, no hyphen first")
        }
        guard let data = FileManager.default.contents(atPath: "\(directory)/\(name).json") else {
            throw PresetError(preset: name, message: "there is no such preset that can be read; \(offer(directory))")
        }
        return try Preset(name: name, json: [UInt8](data))
    }

    /// - Parameter json: the content of a preset file; unknown keys are refused.
    package init(name: String, json: [UInt8]) throws(PresetError) {
        guard json.count <= Self.largestFile else {
            throw PresetError(preset: name, message: "the file is larger than \(Self.largestFile) bytes")
        }
        let document: PresetDocument
        do {
            document = try JSONDecoder().decode(PresetDocument.self, from: Data(json))
        } catch {
            throw PresetError(preset: name, message: PresetDocument.explanation(of: error))
        }
        self.name = name
        description = document.description
        email = document.columns.email
        wholeName = document.columns.name?.columns
        nameParts = document.columns.name?.join ?? []
        language = document.columns.language
        number = document.columns.number
        attributes = document.attributes.map { Attribute(name: $0.key, columns: $0.value) }
            .sorted { $0.name < $1.name }
        languages = [:]
        for (value, tag) in document.languages where languages.updateValue(tag, forKey: Self.key(value)) != nil {
            throw PresetError(preset: name, message: "languages: \"\(value)\" stands there twice")
        }
        if let fault = fault() { throw PresetError(preset: name, message: fault) }
    }

    /// What two names of a column, or two values, are compared by.
    package static func key(_ text: String) -> String {
        var rest = Substring(text)
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest.drop(while: \.isWhitespace).lowercased()
    }

    /// What is wrong with the preset beyond its form.
    private func fault() -> String? {
        if email.isEmpty { return "columns.email: name at least one column" }
        if let wholeName, wholeName.isEmpty, nameParts.isEmpty { return "columns.name: name at least one column" }
        if nameParts.contains([]) { return "columns.name.join: a part without a column" }
        if let attribute = attributes.first(where: \.columns.isEmpty) {
            return "attributes.\(attribute.name): name at least one column"
        }
        let names = attributes.map(\.name)
        if let reserved = names.first(where: { ["email", "name", "language", "number"].contains(Self.key($0)) }) {
            return "attributes.\(reserved): this name is a field of its own; map it under columns"
        }
        let fields = [email, wholeName ?? [], language ?? [], number ?? []].map { Set($0.map(Self.key)) }
        let columns = [email, wholeName ?? [], language ?? [], number ?? []] + nameParts + attributes.map(\.columns)
        for text in names + columns.joined() {
            guard !Self.key(text).isEmpty, text.unicodeScalars.count <= ListLimit.columnName else {
                return "\"\(Excerpt.of(text.utf8))\": a name has 1 to \(ListLimit.columnName) characters"
            }
        }
        var seen: Set<String> = []
        for field in fields {
            if let twice = field.first(where: { !seen.insert($0).inserted }) {
                return "columns: \"\(twice)\" cannot give two fields"
            }
        }
        if let (value, tag) = languages.first(where: { !Self.isLanguageTag($0.value) }) {
            return "languages.\(value): \"\(Excerpt.of(tag.utf8))\" is not a language tag such as nl or en-GB"
        }
        return nil
    }

    private static func isName(_ name: String) -> Bool {
        guard (1...64).contains(name.utf8.count), name.utf8.first != UInt8(ascii: "-") else { return false }
        return name.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
        }
    }

    /// The form of RFC 5646 section 2.1, not its registry.
    private static func isLanguageTag(_ tag: String) -> Bool {
        let parts = tag.split(separator: "-", omittingEmptySubsequences: false)
        guard let first = parts.first, first.allSatisfy(\.isLetter), first.count >= 2 else { return false }
        return parts.allSatisfy { part in
            (1...8).contains(part.count) && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
        }
    }

    private static func offer(_ directory: String) -> String {
        guard let files = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            return "the directory of presets, \(directory), cannot be read"
        }
        let names = files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.filter(isName).sorted()
        return names.isEmpty
            ? "there are none in \(directory)" : "available: \(names.prefix(20).joined(separator: ", "))"
    }
}

/// Why a preset cannot be used.
package struct PresetError: Error, Sendable, Equatable, CustomStringConvertible {
    package var preset: String
    /// A sentence for the person who wrote the preset or named it; where it can, with the key.
    package var message: String

    package init(preset: String, message: String) {
        self.preset = preset
        self.message = message
    }

    package var description: String { "preset \(preset): \(message)" }
}

/// A preset file as it is written, with nothing in it that has no meaning.
struct PresetDocument: Decodable {
    struct Columns: Decodable {
        var email: [String]
        var name: Name?
        var language: [String]?
        var number: [String]?

        private enum CodingKeys: String, CodingKey { case email, name, language, number }

        init(from decoder: any Decoder) throws {
            try Self.refuseUnknownKeys(in: decoder, CodingKeys.self)
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            email = try keys.decode([String].self, forKey: .email)
            name = try keys.decodeIfPresent(Name.self, forKey: .name)
            language = try keys.decodeIfPresent([String].self, forKey: .language)
            number = try keys.decodeIfPresent([String].self, forKey: .number)
        }
    }

    /// A list of columns, or an object with `columns`, `join` or both.
    struct Name: Decodable {
        var columns: [String] = []
        var join: [[String]] = []

        private enum CodingKeys: String, CodingKey { case columns, join }

        init(from decoder: any Decoder) throws {
            if let columns = try? decoder.singleValueContainer().decode([String].self) {
                self.columns = columns
                return
            }
            try Self.refuseUnknownKeys(in: decoder, CodingKeys.self)
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            columns = try keys.decodeIfPresent([String].self, forKey: .columns) ?? []
            join = try keys.decodeIfPresent([Part].self, forKey: .join)?.map(\.columns) ?? []
        }
    }

    /// One column, or a list of them.
    struct Part: Decodable {
        var columns: [String]

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let column = try? value.decode(String.self) {
                columns = [column]
            } else {
                columns = try value.decode([String].self)
            }
        }
    }

    var description: String
    var columns: Columns
    var attributes: [String: [String]]
    var languages: [String: String]

    private enum CodingKeys: String, CodingKey { case description, columns, attributes, languages }

    init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(in: decoder, CodingKeys.self)
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        description = try keys.decode(String.self, forKey: .description)
        columns = try keys.decode(Columns.self, forKey: .columns)
        attributes = try keys.decodeIfPresent([String: [String]].self, forKey: .attributes) ?? [:]
        languages = try keys.decodeIfPresent([String: String].self, forKey: .languages) ?? [:]
    }

    /// A sentence about a decoding error, with the key.
    static func explanation(of error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty
                ? "the file" : path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context):
            return "\(place(context.codingPath + [key])) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\(place(context.codingPath)) is of the wrong type; see the README of the presets"
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            return "the file is not valid JSON"
        case .dataCorrupted(let context):
            return "\(place(context.codingPath)): \(context.debugDescription)"
        default:
            return "the file cannot be decoded: \(error)"
        }
    }
}

extension Decodable {
    fileprivate static func refuseUnknownKeys<Known: CodingKey>(
        in decoder: any Decoder, _ known: Known.Type
    ) throws {
        let keys = try decoder.container(keyedBy: AnyKey.self)
        for key in keys.allKeys where Known(stringValue: key.stringValue) == nil {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: keys.codingPath + [key],
                    debugDescription: key.stringValue == "consent"
                        ? "a preset never maps consent; the job names the column and the evidence"
                        : "unknown key"))
        }
    }
}

private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// Which column of a list gives what, decided once by its header.
struct ColumnPlan {
    /// The header's names; "" where a column has none.
    let columns: [String]
    let email: Int
    /// The name as one column, or as parts: of each part the first column that is not empty in a row.
    let name: [[Int]]
    let language: Int?
    let number: Int?
    /// In the order of the columns, then those of the preset.
    let attributes: [(name: String, column: Int)]
    /// Columns without a name, which have to stay empty.
    let nameless: [Int]
    /// A row may lack columns at its end, as Excel writes it, but only attributes and parts of a name.
    let fewestColumns: Int

    /// - Parameter line: where the header begins.
    init(columns: [String], preset: Preset?, line: Int) throws(ListError) {
        self.columns = columns
        nameless = columns.indices.filter { columns[$0].isEmpty }
        let places = try Self.places(columns, line)

        func first(of alternatives: [String]) -> Int? {
            for alternative in alternatives {
                if let place = places[Preset.key(alternative)] { return place }
            }
            return nil
        }

        let emailNames = preset?.email ?? ["email"]
        guard let email = first(of: emailNames) else {
            throw ListError(line: line, message: Self.missing(emailNames, in: columns))
        }
        self.email = email
        language = first(of: preset?.language ?? ["language"])
        number = first(of: preset?.number ?? ["number"])
        let wholeName = first(of: preset?.wholeName ?? ["name"])
        let parts = (preset?.nameParts ?? []).map { $0.compactMap { first(of: [$0]) } }
        name = wholeName.map { [[$0]] } ?? parts.filter { !$0.isEmpty }

        let whole = Set([email, language, number, wholeName].compactMap { $0 })
        let aliases = (preset?.attributes ?? []).compactMap { alias in
            first(of: alias.columns).map { (name: alias.name, column: $0) }
        }
        let taken = Set(aliases.map(\.name))
        attributes =
            columns.indices
            .filter { !columns[$0].isEmpty && !whole.contains($0) && !taken.contains(columns[$0]) }
            .map { (name: columns[$0], column: $0) } + aliases
        fewestColumns = (whole.max() ?? email) + 1
    }

    private static func places(_ columns: [String], _ line: Int) throws(ListError) -> [String: Int] {
        var places: [String: Int] = [:]
        for (place, column) in columns.enumerated() where !column.isEmpty {
            guard column.unicodeScalars.count <= ListLimit.columnName else {
                throw ListError(
                    line: line,
                    message: "the name of column \(place + 1) is longer than \(ListLimit.columnName) characters; "
                        + "the list has to begin with a header")
            }
            if let earlier = places.updateValue(place, forKey: Preset.key(column)) {
                throw ListError(
                    line: line,
                    message: "columns \(earlier + 1) and \(place + 1) are both called \(Excerpt.of(column.utf8)); "
                        + "rename one of them")
            }
        }
        return places
    }

    private static func missing(_ names: [String], in columns: [String]) -> String {
        let wanted = names.count == 1 ? "a column \(names[0])" : "one of the columns \(list(names))"
        return "the header needs \(wanted) for the e-mail address; it has \(list(columns))"
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(20).map { $0.isEmpty ? "(no name)" : Excerpt.of($0.utf8) }
        return shown.joined(separator: ", ") + (names.count > 20 ? ", …" : "")
    }
}

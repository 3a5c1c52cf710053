/// What a list yields, in words that no module owns, so that two builds of the reader can be compared.
package enum ListTranscript {
    /// - Returns: the columns, each item with what it holds, why the whole list cannot be used, and the most that the
    ///   buffers held.
    package static func read(
        _ path: String
    ) -> (columns: [String], items: [[String: String]], error: String?, capacity: Int) {
        var items: [[String: String]] = []
        var capacity = 0
        do throws(ListError) {
            let reader = try ListReader(path: path)
            while let item = try reader.next() {
                items.append(words(item))
                capacity = max(capacity, reader.bufferCapacity)
            }
            return (reader.columns, items, nil, capacity)
        } catch {
            return ([], items, error.description, capacity)
        }
    }

    private static func words(_ item: ListItem) -> [String: String] {
        switch item {
        case .bad(let row): return ["line": "\(row.line)", "text": row.text, "message": row.message]
        case .row(let row):
            var words = ["line": "\(row.line)", "email": row.email]
            words["name"] = row.name
            words["language"] = row.language
            words["number"] = row.number
            for (name, value) in row.attributes { words["=" + name] = value }
            return words
        }
    }
}

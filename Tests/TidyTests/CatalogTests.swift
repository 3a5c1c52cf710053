import Testing

/// systemd/catalog is where `journalctl --catalog` looks up what a record means.
struct CatalogTests {
    private let entries: [CatalogEntry]
    private let events: [String]
    private let manual: String

    init() throws {
        let repository = try Repository.read()
        entries = CatalogEntry.read(repository.text("systemd/catalog/campaignd.catalog"))
        let source = try #require(
            repository.swift.first { $0.path == "Sources/Daemon/DaemonJournal+Event.swift" })
        events = source.literals.map(\.text)
        manual = repository.text("README.md")
    }

    @Test func `each kind of record is explained in the catalog, and nothing else is`() {
        #expect(!events.isEmpty)
        #expect(entries.map(\.id) == events, "in the same order")
    }

    @Test func `each kind of record has a MESSAGE_ID of its own, as systemd writes them`() {
        #expect(Set(events).count == events.count)
        for id in events {
            #expect(id.count == 32 && id.allSatisfy { "0123456789abcdef".contains($0) }, "\(id)")
        }
    }

    /// That none is left out where a kind is asked for, the compiler sees to.
    @Test func `what the daemon logs has a kind, unless it is of no interest to an operator`() throws {
        let calls = [".trace(", ".debug(", ".info(", ".notice(", ".warning(", ".error(", ".critical(", ".log("]
        var places: [String] = []
        for source in try Repository.read().swift where !source.isOfTests {
            let lines = source.text.split(separator: "\n", omittingEmptySubsequences: false)
            for (line, code) in zip(lines, source.code) where calls.contains(where: { code.contains("logger" + $0) }) {
                let isRemark = code.contains("logger.info(") || code.contains("logger.debug(")
                if !isRemark, !line.contains("MESSAGE_ID") { places.append(source.path) }
            }
        }
        #expect(places == ["Sources/Daemon/DaemonJournal.swift"], "the one place that adds it")
    }

    @Test func `each entry has a subject, who wrote it, where to read on, and what to do`() {
        for entry in entries {
            #expect(entry.headers["Subject"]?.isEmpty == false, "\(entry.id)")
            #expect(entry.headers["Defined-By"] == "campaignd", "\(entry.id)")
            #expect(entry.headers["Documentation"]?.hasPrefix("man:") == true, "\(entry.id)")
            #expect(!entry.text.isEmpty, "\(entry.id)")
        }
        #expect(Set(entries.compactMap { $0.headers["Subject"] }).count == entries.count)
    }

    @Test func `each field that an entry shows is in the table of fields for operators`() {
        for entry in entries {
            for field in entry.fields { #expect(manual.contains("`\(field)`"), "\(field) of \(entry.id)") }
        }
    }

    @Test func `an entry that lacks something is read as it is`() {
        let entries = CatalogEntry.read(
            "# remark\n\n-- 0a\nSubject: one\n\nText @FIELD@ and a@b\nmore.\n\n-- 0b\n\n")
        #expect(entries.map(\.id) == ["0a", "0b"])
        #expect(entries[0].headers == ["Subject": "one"])
        #expect(entries[0].text == ["Text @FIELD@ and a@b", "more."])
        #expect(entries[0].fields == ["FIELD"])
        #expect(entries[1].headers.isEmpty && entries[1].text.isEmpty)
    }
}

/// One entry of a catalog of the journal.
struct CatalogEntry {
    var id: String
    var headers: [String: String] = [:]
    var text: [String] = []

    /// The names between two `@`.
    var fields: [String] {
        let capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
        return text.flatMap { $0.split(separator: "@").map(String.init) }.filter { word in
            word.count > 1 && word.allSatisfy { capitals.contains($0) }
        }
    }

    static func read(_ catalog: String) -> [CatalogEntry] {
        var entries: [CatalogEntry] = []
        var isHead = false
        for line in catalog.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("-- ") {
                entries.append(CatalogEntry(id: String(line.dropFirst(3))))
                isHead = true
            } else if line.isEmpty {
                isHead = false
            } else if !entries.isEmpty, isHead {
                let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
                entries[entries.count - 1].headers[parts[0]] = parts.count > 1 ? String(parts[1].dropFirst()) : ""
            } else if !entries.isEmpty {
                entries[entries.count - 1].text.append(line)
            }
        }
        return entries
    }
}

import Testing

/// config/campaignd.toml is where an administrator looks every key up.
struct ShippedConfigurationTests {
    let shipped: [String: [String]]
    let known: [String: [String]]

    init() throws {
        let repository = try Repository.read()
        shipped = ConfigurationKeys.written(repository.text("config/campaignd.toml"))
        let source = try #require(repository.swift.first { $0.path == "Sources/Daemon/ConfigurationFile.swift" })
        known = ConfigurationKeys.declared(source)
    }

    @Test func `the shipped configuration names every key that the daemon knows, and no other`() {
        #expect(known["relays"]?.contains("url") == true)
        #expect(Set(shipped.keys) == Set(known.keys))
        for (section, keys) in known {
            #expect(Set(shipped[section] ?? []) == Set(keys), "[\(section)]")
        }
    }

    @Test func `every key has a comment directly above it`() throws {
        let lines = try Repository.read().text("config/campaignd.toml").split(
            separator: "\n", omittingEmptySubsequences: false)
        for (above, line) in zip(lines, lines.dropFirst()) where ConfigurationKeys.key(line) != nil {
            #expect(above.hasPrefix("# ") || above.hasPrefix("#   "), "\(line)")
        }
    }

    @Test func `a key that is missing, or in another section, is noticed`() {
        let text =
            "[spool]\n# Where.\ndirectory = \"a\"\n[relays.default]\n# Who.\n#url = \"b\"\n# not = a key, a remark\n"
            + "#[submitters.a]\n#users = []\n#[relays.default.window]\n# When.\n#from = \"c\"\n"
        #expect(
            ConfigurationKeys.written(text) == [
                "spool": ["directory"], "relays": ["url"], "submitters": ["users"], "window": ["from"],
            ])
    }
}

/// The keys of the configuration, as the file and as the decoder have them.
enum ConfigurationKeys {
    /// By section, those that are commented out too.
    static func written(_ text: String) -> [String: [String]] {
        var section = ""
        var keys: [String: [String]] = [:]
        for line in text.split(separator: "\n") {
            // A table that is an example is commented out as a whole.
            let line = line.hasPrefix("#[") ? line.dropFirst() : line
            if line.hasPrefix("["), let end = line.lastIndex(of: "]") {
                // relays.NAME and relays.NAME.window are sections of their own.
                let path = line[line.index(after: line.startIndex)..<end].split(separator: ".")
                section = path.isEmpty ? "" : String(path.count > 2 ? path[2] : path[0])
                keys[section, default: []] += []
            } else if let key = key(line) {
                keys[section, default: []].append(key)
            }
        }
        return keys
    }

    /// The key of a line such as `#name = value`; nil for a remark, which has a blank after the `#`.
    static func key(_ line: Substring) -> String? {
        let name = line.drop { $0 == "#" }.prefix { $0.isLetter || $0 == "_" }
        let rest = line.drop { $0 == "#" }.dropFirst(name.count)
        return !name.isEmpty && rest.hasPrefix(" = ") ? String(name) : nil
    }

    /// The properties of the sections of `ConfigurationDocument`.
    static func declared(_ source: SwiftSource) -> [String: [String]] {
        var properties: [String: [String]] = [:]
        var sections: [String: String] = [:]
        var type = ""
        for line in source.code {
            let words = SwiftSource.words(line).map(\.text)
            if let place = words.firstIndex(where: { ["struct", "enum"].contains($0) }), words.count > place + 1 {
                type = words[place + 1]
            }
            guard words.first == "var", words.count > 2, line.contains(":"), !line.contains("{") else { continue }
            if let last = words.last, last.hasSuffix("Section") {
                sections[words[1]] = last
            } else if type.hasSuffix("Section") {
                properties[type, default: []].append(words[1])
            }
        }
        return sections.mapValues { properties[$0] ?? [] }
    }
}

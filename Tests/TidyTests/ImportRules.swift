/// Who may know whom: rules 1, 2 and 3.
enum ImportRules {
    /// The C modules and the one module that is the door to each.
    static let doors = ["CCurl": "Relay", "CGMime": "MIME", "CSQLite": "Ledger", "CSystemd": "Systemd"]

    /// Words of C that must not get beyond the module that speaks it.
    static let typesOfC: Set<String> = [
        "OpaquePointer", "UnsafePointer", "UnsafeMutablePointer", "CInt", "CUnsignedInt", "CLong", "CChar", "CBool",
        "timespec", "timeval", "stat", "pollfd", "sockaddr", "sockaddr_un", "sockaddr_in", "FILE", "DIR", "dirent",
        "inotify_event",
    ]

    static func check(_ source: SwiftSource, modules: Set<String>) -> [Finding] {
        guard let module = source.module, !source.isOfTests else { return [] }
        return source.imports.compactMap { line, imported in
            problem(module, imports: imported, modules: modules).map {
                Finding(file: source.path, line: line, advice: $0)
            }
        }
    }

    private static func problem(_ module: String, imports imported: String, modules: Set<String>) -> String? {
        if module == "Mailing" {
            return "Mailing imports nothing, not even \(imported): pass what it knows as an argument"
        }
        if let door = doors[imported], door != module {
            return "only \(door) imports \(imported): give \(door) a function in Swift"
        }
        guard modules.contains(imported), !Repository.meetingPlaces.contains(module) else { return nil }
        if Repository.adapters.contains(module), imported != "Mailing", doors[imported] != module {
            return "\(module) must not know \(imported): let them meet in Daemon"
        }
        if !Repository.adapters.contains(module), imported != "Mailing", !Repository.meetingPlaces.contains(imported) {
            return "\(module) is a main file only: it sees Daemon or Commands, and these see \(imported)"
        }
        return nil
    }

    /// Each C module is imported by its door and by nobody else, and no C module has no door.
    static func doorsAreUsed(_ sources: [SwiftSource], modules: Set<String>) -> [Finding] {
        let unknown = modules.filter { $0.hasPrefix("C") && $0.dropFirst().first?.isUppercase == true }
            .filter { doors[$0] == nil }
        let unused = doors.filter { door in
            !sources.contains { $0.module == door.value && $0.imports.contains { $0.module == door.key } }
        }
        return unknown.sorted().map {
            Finding(
                file: "Sources/\($0)", line: 1, advice: "name the one module that imports \($0) in ImportRules.doors")
        }
            + unused.keys.sorted().map {
                Finding(file: "Sources/\($0)", line: 1, advice: "nobody imports \($0): remove it")
            }
    }

    /// Declarations that other modules see, up to their body, hold no type of C.
    static func signatures(_ source: SwiftSource) -> [Finding] {
        guard !source.isOfTests else { return [] }
        return source.code.indices.compactMap { index in
            let first = source.code[index].split(separator: " ").first
            guard first == "package" || first == "public", !source.code[index].contains(" import ") else { return nil }
            let words = SwiftSource.words(signature(source.code[index...])).map(\.text)
            guard let word = words.first(where: isOfC) else { return nil }
            return Finding(
                file: source.path, line: index + 1,
                advice: "\(word) is a type of C in a declaration that other modules see: give them a type of Swift")
        }
    }

    private static func isOfC(_ word: String) -> Bool {
        typesOfC.contains(word)
            || ["CURL", "curl_", "GMime", "g_mime", "_GMime", "sd_"].contains { word.hasPrefix($0) }
    }

    /// From a declaration's first line to its body, or to the line where its parentheses are closed.
    private static func signature(_ lines: ArraySlice<String>) -> String {
        var text = ""
        var open = 0
        for line in lines {
            for character in line {
                if character == "{", open == 0 { return text }
                if character == "(" { open += 1 }
                if character == ")" { open -= 1 }
                text.append(character)
            }
            if open == 0 { return text }
            text += " "
        }
        return text
    }
}

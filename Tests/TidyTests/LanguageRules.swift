/// Words and marks that this house does without, and types that could not be qualified: rules 5 and 6.
enum LanguageRules {
    /// The second half answers in memory that all threads share, so that another call changes what was answered.
    static let calls = [
        "print": "write to the journal, or to standard error with FileHandle",
        "debugPrint": "write to the journal", "dump": "write to the journal", "NSLog": "write to the journal",
        "getpwnam": "use SystemAccounts", "getpwuid": "use SystemAccounts", "getgrnam": "use SystemAccounts",
        "getgrgid": "use SystemAccounts", "gethostbyname": "use getaddrinfo", "localtime": "use localtime_r",
        "gmtime": "use gmtime_r", "ctime": "use strftime", "strtok": "use split",
    ]

    static func check(_ source: SwiftSource) -> [Finding] {
        source.code.enumerated().flatMap { index, line in
            (marks(line) + words(line)).map { Finding(file: source.path, line: index + 1, advice: $0) }
        }
    }

    private static func words(_ line: String) -> [String] {
        SwiftSource.words(line).compactMap { word in
            if word.after == "(", word.before != ".", !line.contains("func \(word.text)"),
                let instead = calls[word.text]
            {
                return "no \(word.text): \(instead)"
            }
            if word.text == "unchecked", word.before == "@" {
                return "no @unchecked Sendable: use an actor, a Mutex or a value"
            }
            if word.text == "nonisolated", line.contains("nonisolated(unsafe)") {
                return "no nonisolated(unsafe): use an actor, a Mutex or a value"
            }
            return nil
        }
    }

    /// An exclamation mark directly behind an expression or a type.
    private static func marks(_ line: String) -> [String] {
        let characters = Array(line)
        return characters.indices.compactMap { index in
            guard characters[index] == "!", index > 0 else { return nil }
            let before = characters[index - 1]
            let after = index + 1 < characters.count ? characters[index + 1] : " "
            guard SwiftSource.isOfName(before) || ")]}?\">`".contains(before), after != "=" || before == " " else {
                return nil
            }
            let word = String(characters[..<index].reversed().prefix { SwiftSource.isOfName($0) }.reversed())
            switch word {
            case "try": return "no try!: throw on, or catch and say what is to be done"
            case "as": return "no as!: use as? and handle the other case"
            default: return "no force unwrap: use guard let, or throw"
            }
        }
    }

    /// A type that is named like a module hides everything else in it. One inside another type hides nothing outside.
    static func types(_ source: SwiftSource, modules: Set<String>) -> [Finding] {
        let kinds: Set<String> = ["struct", "class", "enum", "actor", "protocol", "typealias"]
        return source.code.enumerated().flatMap { index, line -> [Finding] in
            if line.hasPrefix(" ") { return [] }
            let words = SwiftSource.words(line).map(\.text)
            return zip(words, words.dropFirst()).compactMap { kind, name -> Finding? in
                guard kinds.contains(kind), modules.contains(name) else { return nil }
                return Finding(
                    file: source.path, line: index + 1,
                    advice: "\(name) is the name of a module: such a type hides the rest of it, take another name")
            }
        }
    }
}

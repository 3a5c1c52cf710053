/// Package.swift as rules 2 and 6 want it. The text is read, so that no second SwiftPM runs inside the first.
enum ManifestRules {
    static let file = "Package.swift"
    static let settings = [
        ".swiftLanguageMode(.v6)", ".treatAllWarnings(as: .error)", ".enableUpcomingFeature(\"ExistentialAny\")",
        ".enableUpcomingFeature(\"InternalImportsByDefault\")", ".enableUpcomingFeature(\"MemberImportVisibility\")",
    ]

    static func check(_ manifest: String) -> [Finding] {
        strictSettings(manifest) + targets(manifest) + adapters(manifest)
    }

    /// The array `strict` names every setting.
    private static func strictSettings(_ manifest: String) -> [Finding] {
        let array = declaration("let strict", in: manifest)?.text ?? ""
        return settings.filter { !array.contains($0) }.map {
            Finding(file: file, line: 1, advice: "the array “strict” lacks \($0)")
        }
    }

    /// Every target is compiled with it.
    private static func targets(_ manifest: String) -> [Finding] {
        [".target(name", ".executableTarget(", ".testTarget("].flatMap { kind in
            calls(kind, in: manifest).compactMap { call in
                guard !call.text.contains("swiftSettings: strict") else { return nil }
                return Finding(file: file, line: call.line, advice: "a target lacks “swiftSettings: strict”")
            }
        }
    }

    /// An adapter declares no dependency on another.
    private static func adapters(_ manifest: String) -> [Finding] {
        calls("module(", in: manifest).flatMap { call -> [Finding] in
            let names = call.text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 2 == 1 }.map { String($0.element) }
            guard let name = names.first, Repository.adapters.contains(name) || name == "Mailing" else { return [] }
            return names.dropFirst().filter { Repository.adapters.contains($0) || (name == "Mailing") }.map {
                Finding(
                    file: file, line: call.line, advice: "\(name) must not depend on \($0): let them meet in Daemon")
            }
        }
    }

    /// Each call that begins with these characters, to the parenthesis that closes it.
    private static func calls(_ beginning: String, in manifest: String) -> [(text: String, line: Int)] {
        manifest.ranges(of: beginning).compactMap { range in
            let before = manifest[..<range.lowerBound]
            guard !before.hasSuffix("func "), before.last.map({ !SwiftSource.isOfName($0) }) ?? true else { return nil }
            return (enclosed(manifest[range.lowerBound...], "(", ")"), before.count { $0 == "\n" } + 1)
        }
    }

    private static func declaration(_ beginning: String, in manifest: String) -> (text: String, line: Int)? {
        guard let range = manifest.firstRange(of: beginning) else { return nil }
        let text = manifest[range.lowerBound...]
        guard let equals = text.firstIndex(of: "=") else { return nil }
        return (enclosed(text[equals...], "[", "]"), manifest[..<range.lowerBound].count { $0 == "\n" } + 1)
    }

    private static func enclosed(_ text: Substring, _ opening: Character, _ closing: Character) -> String {
        var depth = 0
        for index in text.indices {
            if text[index] == opening { depth += 1 }
            guard text[index] == closing else { continue }
            depth -= 1
            if depth == 0 { return String(text[...index]) }
        }
        return String(text)
    }
}

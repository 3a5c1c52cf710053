/// What fits on a screen and into a head: files, functions, lines.
enum SizeRules {
    static let longestFile = 400
    static let longestFunction = 60
    /// But for the sentence that names a test, which cannot be broken.
    static let longestLine = 120
    /// Files whose lines are written, not made.
    static let written: Set<String> = ["swift", "py", "sh", "toml", "h", ""]
    static let mayBeLong: [Exemption] = [
        Exemption(
            file: "Tests/SystemTests/under-systemd.sh", word: "file",
            reason: "one conversation with one booted systemd, in order")
    ]

    static func check(_ file: Repository.File) -> [Finding] {
        guard written.contains(file.ending), !file.path.hasPrefix(".") || file.path.hasPrefix(".ci/") else { return [] }
        var findings: [Finding] = []
        let count = file.lines.count - (file.text.hasSuffix("\n") ? 1 : 0)
        if count > longestFile, !Exemption.allows("file", in: file.path, by: mayBeLong) {
            findings.append(
                Finding(
                    file: file.path, line: longestFile + 1,
                    advice: "the file has \(count) lines, \(longestFile) is the most: divide it by what it is about"))
        }
        for line in file.lines where line.text.count > longestLine && !isSentence(line.text) {
            findings.append(
                Finding(
                    file: file.path, line: line.number,
                    advice: "the line has \(line.text.count) characters, \(longestLine) is the most: break it"))
        }
        return findings
    }

    private static func isSentence(_ line: Substring) -> Bool {
        line.contains("func `") || line.drop { $0 == " " }.first == "`"
    }

    static func functions(_ source: SwiftSource) -> [Finding] {
        bodies(source).compactMap { body in
            guard body.length > longestFunction else { return nil }
            return Finding(
                file: source.path, line: body.line,
                advice: "\(body.name) has \(body.length) lines, \(longestFunction) is the most: name its parts")
        }
    }

    /// The functions that have a body, with the line where each begins and how many it takes.
    static func bodies(_ source: SwiftSource) -> [(name: String, line: Int, length: Int)] {
        var found: [(name: String, line: Int, length: Int)] = []
        for (index, line) in source.code.enumerated() {
            let words = SwiftSource.words(line)
            guard let place = words.firstIndex(where: { ["func", "init", "deinit"].contains($0.text) }) else {
                continue
            }
            let keyword = words[place]
            let isDeclaration =
                keyword.text == "func" || (keyword.before != "." && (keyword.text == "deinit" || keyword.after != " "))
            guard isDeclaration, let end = lastLine(source.code, from: index) else { continue }
            let name = keyword.text == "func" && words.count > place + 1 ? words[place + 1].text : keyword.text
            found.append((name, index + 1, end - index + 1))
        }
        return found
    }

    /// The line of the brace that closes the body of the declaration in a line; nil if it has no body.
    private static func lastLine(_ code: [String], from first: Int) -> Int? {
        var braces = 0
        var parentheses = 0
        for index in first..<code.count {
            if index > first, braces == 0, parentheses == 0, beginsAnother(code[index]) { return nil }
            for character in code[index] {
                if "([".contains(character) { parentheses += 1 }
                if ")]".contains(character) { parentheses -= 1 }
                if character == "{" { braces += 1 }
                guard character == "}" else { continue }
                braces -= 1
                if braces < 0 { return nil }
                if braces == 0, parentheses == 0 { return index }
            }
        }
        return nil
    }

    private static func beginsAnother(_ line: String) -> Bool {
        let trimmed = line.drop { $0 == " " }
        return trimmed.isEmpty
            || ["func ", "var ", "let ", "init(", "case ", "package ", "@"].contains { trimmed.hasPrefix($0) }
    }
}

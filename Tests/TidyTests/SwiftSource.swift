/// A Swift file, read as far as the rules of the house need it: what is code, what is text, what is remark.
struct SwiftSource {
    /// A string literal, or the part of one between interpolations.
    struct Literal: Equatable {
        /// Counted from 1; where it begins.
        var line: Int
        var text: String
    }

    /// A word of the code with what stands directly around it.
    struct Word: Equatable {
        var text: String
        var before: Character?
        var after: Character?
    }

    /// From the root of the repository.
    let path: String
    let text: String
    /// The lines without remarks, and with blanks in place of the contents of literals and of names in backticks.
    let code: [String]
    let literals: [Literal]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        var scanner = SwiftScanner(text)
        scanner.run()
        code = scanner.code.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        literals = scanner.literals
    }

    /// The folder below Sources or Tests; nil elsewhere.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && ["Sources", "Tests"].contains(parts[0]) ? String(parts[1]) : nil
    }

    var isOfTests: Bool { path.hasPrefix("Tests/") }

    /// The modules that it imports, with the lines.
    var imports: [(line: Int, module: String)] {
        code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard let place = words.firstIndex(of: "import"), place < 3, words.count > place + 1 else { return nil }
            let modifiers = words[..<place].allSatisfy {
                ["package", "public", "internal", "private", "fileprivate", "@testable", "@preconcurrency"].contains($0)
            }
            guard modifiers else { return nil }
            let kinds: [Substring] = ["struct", "class", "enum", "protocol", "func", "typealias", "var", "let"]
            let name = kinds.contains(words[place + 1]) ? words.last ?? "" : words[place + 1]
            return (index + 1, String(name.prefix { $0 != "." }))
        }
    }

    /// The identifiers of a line of code.
    static func words(_ line: String) -> [Word] {
        var words: [Word] = []
        let characters = Array(line)
        var index = 0
        while index < characters.count {
            guard isOfName(characters[index]) else {
                index += 1
                continue
            }
            let begin = index
            while index < characters.count, isOfName(characters[index]) { index += 1 }
            words.append(
                Word(
                    text: String(characters[begin..<index]), before: begin > 0 ? characters[begin - 1] : nil,
                    after: index < characters.count ? characters[index] : nil))
        }
        return words
    }

    static func isOfName(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }
}

/// Tells code, remarks and literals apart.
struct SwiftScanner {
    private enum Place {
        /// Code, with the number of open parentheses since an interpolation began.
        case code(open: Int)
        case literal(hashes: Int, isLong: Bool)
    }

    private let characters: [Character]
    private var index = 0
    private var line = 1
    private var places: [Place] = [.code(open: 0)]
    private var literal = SwiftSource.Literal(line: 1, text: "")
    private(set) var code = ""
    private(set) var literals: [SwiftSource.Literal] = []

    init(_ text: String) {
        characters = Array(text)
    }

    mutating func run() {
        while index < characters.count {
            switch places[places.count - 1] {
            case .code(let open): readCode(open: open)
            case .literal(let hashes, let isLong): readLiteral(hashes: hashes, isLong: isLong)
            }
        }
    }

    private func starts(_ text: String) -> Bool {
        characters[index...].starts(with: text)
    }

    private mutating func keep(_ count: Int = 1) {
        for _ in 0..<count {
            if characters[index] == "\n" { line += 1 }
            code.append(characters[index])
            index += 1
        }
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where index < characters.count {
            if characters[index] == "\n" { line += 1 }
            code.append(characters[index] == "\n" ? "\n" : " ")
            index += 1
        }
    }

    private mutating func readCode(open: Int) {
        let character = characters[index]
        if starts("//") {
            while index < characters.count, characters[index] != "\n" { blank() }
        } else if starts("/*") {
            readRemark()
        } else if character == "`" {
            keep()
            while index < characters.count, characters[index] != "`", characters[index] != "\n" { blank() }
            if index < characters.count { keep() }
        } else if let opening = literalOpening() {
            keep(opening.length)
            places.append(.literal(hashes: opening.hashes, isLong: opening.isLong))
            literal = SwiftSource.Literal(line: line, text: "")
        } else {
            keep()
            guard places.count > 1 else { return }
            let now = open + (character == "(" ? 1 : character == ")" ? -1 : 0)
            places[places.count - 1] = .code(open: now)
            guard now == 0 else { return }
            places.removeLast()
            literal = SwiftSource.Literal(line: line, text: "")
        }
    }

    private mutating func readRemark() {
        var depth = 0
        repeat {
            if starts("/*") {
                depth += 1
                blank(2)
            } else if starts("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && index < characters.count
    }

    private func literalOpening() -> (hashes: Int, isLong: Bool, length: Int)? {
        var end = index
        while end < characters.count, characters[end] == "#" { end += 1 }
        guard end < characters.count, characters[end] == "\"" else { return nil }
        let hashes = end - index
        let isLong = characters[end...].starts(with: "\"\"\"")
        return (hashes, isLong, hashes + (isLong ? 3 : 1))
    }

    private mutating func readLiteral(hashes: Int, isLong: Bool) {
        let marks = String(repeating: "#", count: hashes)
        let closing = (isLong ? "\"\"\"" : "\"") + marks
        if starts(closing) || (!isLong && characters[index] == "\n") {
            literals.append(literal)
            keep(characters[index] == "\n" ? 1 : closing.count)
            places.removeLast()
        } else if starts("\\" + marks + "(") {
            literals.append(literal)
            blank(1 + hashes)
            keep()
            places.append(.code(open: 1))
        } else {
            let count = starts("\\" + marks) && index + hashes + 1 < characters.count ? hashes + 2 : 1
            literal.text += String(characters[index..<index + count])
            blank(count)
        }
    }
}

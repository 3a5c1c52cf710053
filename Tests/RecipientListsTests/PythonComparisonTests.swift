import Foundation
import RecipientLists
import TestSupport
import Testing

/// Python's csv module gives the second opinion on generated files.
struct PythonComparisonTests {
    /// What both readers are asked: a row with its line and values, or a bad row with its line.
    struct Answer: Decodable, Equatable, CustomStringConvertible {
        var line: Int
        var email: String?
        var attributes: [String: String]?

        var description: String { "\(line) \(email ?? "bad") \(attributes ?? [:])" }
    }

    struct Question: Encodable {
        var path: String
        var encoding: String
        var separator: String
        var hasSeparatorLine: Bool
    }

    @Test func `generated lists in every separator, encoding and line end read as Python reads them`() throws {
        let scratch = try Scratch()
        var random = SeededGenerator(seed: 4180)
        var questions: [Question] = []
        for number in 0..<360 {
            let writing = Writing.allCases[number % Writing.allCases.count]
            let separator = [",", ";", "\t"][number / Writing.allCases.count % 3]
            var list = GeneratedList(separator: separator, writing: writing)
            let hasSeparatorLine = random.oneIn(6)
            let text = list.text(hasSeparatorLine: hasSeparatorLine, &random)
            try scratch.write(writing.bytes(text), to: "\(number).csv")
            questions.append(
                Question(
                    path: scratch.path("\(number).csv"), encoding: writing.python, separator: separator,
                    hasSeparatorLine: hasSeparatorLine))
        }
        let answers = try Self.ask(questions, scratch)
        var (rows, bad) = (0, 0)
        for (question, expected) in zip(questions, answers) {
            let found = try Self.read(question.path)
            #expect(found == expected, "\(question)")
            rows += found.count { $0.email != nil }
            bad += found.count { $0.email == nil }
        }
        #expect(rows > 3000 && bad > 300, "the generator has to make both kinds")
    }

    @Test func `random texts read as strict Python reads them, and what it refuses has a bad row`() throws {
        let scratch = try Scratch()
        var random = SeededGenerator(seed: 1252)
        var questions: [Question] = []
        var texts: [String: String] = [:]
        for number in 0..<600 {
            let separator = random.pick([",", ";", "\t"])
            let pieces = ["a", "a", "\"", "\"", "\"\"", separator, separator, "\n", "\r\n", "\r", "é"]
            var text = "email\(separator)b\(separator)c\n"
            for _ in 0..<Int.random(in: 1...24, using: &random) { text += random.pick(pieces) }
            try scratch.write(text.utf8, to: "\(number).csv")
            texts[scratch.path("\(number).csv")] = text.debugDescription
            questions.append(
                Question(
                    path: scratch.path("\(number).csv"), encoding: "utf-8", separator: separator,
                    hasSeparatorLine: false))
        }
        let answers = try Self.ask(questions, scratch)
        var (agreed, refused) = (0, 0)
        for (question, expected) in zip(questions, answers) {
            let found = try Self.read(question.path)
            if let expected {
                #expect(found == expected, "\(texts[question.path] ?? "")")
                agreed += 1
            } else {
                #expect(found.contains { $0.email == nil })
                refused += 1
            }
        }
        #expect(agreed > 100 && refused > 100, "the generator has to make both kinds")
    }

    private static func read(_ path: String) throws -> [Answer] {
        try ListContents(path: path).items.map { item in
            switch item {
            case .row(let row): Answer(line: row.line, email: row.email, attributes: row.attributes)
            case .bad(let bad): Answer(line: bad.line)
            }
        }
    }

    /// One answer for each question; nil where Python's strict mode refuses the file.
    private static func ask(_ questions: [Question], _ scratch: Scratch) throws -> [[Answer]?] {
        try scratch.write(JSONEncoder().encode(questions), to: "questions.json")
        try scratch.write(script.utf8, to: "read.py")
        let result = try runHere(["python3", scratch.path("read.py"), scratch.path("questions.json")])
        try #require(result.status == 0, "\(result.errorText)")
        return try JSONDecoder().decode([[Answer]?].self, from: Data(result.output))
    }

    private static let script = """
        import csv, json, sys

        SPACE = ' \\t\\r\\n\\u00a0'

        def answer(question):
            separator = question['separator']
            with open(question['path'], encoding=question['encoding'], newline='') as file:
                skipped = 0
                if question['hasSeparatorLine']:
                    file.readline()
                    skipped = 1
                reader = csv.reader(file, delimiter=separator, strict=True)
                header, answers = None, []
                while True:
                    line = reader.line_num + 1 + skipped
                    try:
                        fields = next(reader)
                    except StopIteration:
                        return answers
                    except csv.Error:
                        return None
                    if not fields:
                        continue
                    if header is None:
                        header = [name.strip(SPACE) for name in fields]
                        place = header.index('email')
                        continue
                    email = fields[place].strip(SPACE) if place < len(fields) else ''
                    if len(fields) > len(header) or not email:
                        if any(field.strip(' \\t"' + separator) for field in fields):
                            answers.append({'line': line})
                        continue
                    fields += [''] * (len(header) - len(fields))
                    attributes = {n: v.strip(SPACE) for n, v in zip(header, fields) if n != 'email'}
                    answers.append({'line': line, 'email': email, 'attributes': attributes})

        with open(sys.argv[1], encoding='utf-8') as file:
            json.dump([answer(question) for question in json.load(file)], sys.stdout)
        """
}

/// A list with everything in its values that makes CSV hard.
struct GeneratedList {
    var separator: String
    var writing: Writing

    mutating func text(hasSeparatorLine: Bool, _ random: inout SeededGenerator) -> String {
        let lineEnd = random.pick(["\r\n", "\n", "\r"])
        var text = hasSeparatorLine ? "sep=\(separator)\(lineEnd)" : ""
        var header = ["c1", "c 2", "c;3", "c\"4", "c,5"]
        header = Array(header.prefix(Int.random(in: 1...5, using: &random)))
        let place = Int.random(in: 0...header.count, using: &random)
        header.insert(random.oneIn(3) ? " email " : "email", at: place)
        text += header.map { written($0, &random) }.joined(separator: separator) + lineEnd
        let count = Int.random(in: 0...30, using: &random)
        for number in 0..<count {
            if random.oneIn(12) { text += lineEnd }
            if random.oneIn(20) { text += String(repeating: separator, count: header.count - 1) + lineEnd }
            var fields = header.indices.map { _ in value(&random) }
            fields[place] = random.oneIn(15) ? "" : "reader\(number)@example.org" + (random.oneIn(9) ? "  " : "")
            if random.oneIn(12) { fields.append(value(&random)) }
            if random.oneIn(12) { fields.removeLast(Int.random(in: 1...fields.count, using: &random)) }
            text += fields.map { written($0, &random) }.joined(separator: separator)
            if number < count - 1 || random.oneIn(2) { text += lineEnd }
        }
        return text
    }

    private func value(_ random: inout SeededGenerator) -> String {
        var pieces = [
            "", "a", "B1", "x y", " ", "\"", "\"\"", ",", ";", "\t", "\n", "\r\n", "\r", "'", "éa", "\u{A0}b",
        ]
        if writing != .utf16Unmarked { pieces += ["€c", "“d"] }
        if writing != .utf16Unmarked && writing != .windows1252 { pieces += ["😀", "ﬀ", "ё"] }
        let count = Int.random(in: 0...5, using: &random)
        return (0..<count).map { _ in random.pick(pieces) }.joined()
    }

    private func written(_ value: String, _ random: inout SeededGenerator) -> String {
        let needsQuotes = value.unicodeScalars.contains {
            separator.unicodeScalars.contains($0) || "\"\r\n\t".unicodeScalars.contains($0)
        }
        guard needsQuotes || random.oneIn(4) else { return value }
        return "\"" + value.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }
}

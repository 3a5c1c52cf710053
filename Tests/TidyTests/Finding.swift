/// What is not as the house has it: where, what, and what to do instead.
struct Finding: Equatable, CustomStringConvertible {
    /// From the root of the repository.
    var file: String
    /// Counted from 1.
    var line: Int
    var advice: String

    var description: String { "\(file):\(line): \(advice)" }
}

extension [Finding] {
    /// One line each, for a test that wants none.
    var report: String { isEmpty ? "" : "\n" + map(\.description).joined(separator: "\n") }
}

/// What may break a rule, and why.
struct Exemption {
    /// The end of the path.
    var file: String
    /// The word that may stand there.
    var word: String
    var reason: String

    static func allows(_ word: String, in path: String, by exemptions: [Exemption]) -> Bool {
        exemptions.contains { path.hasSuffix($0.file) && $0.word == word }
    }
}

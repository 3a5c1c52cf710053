/// What holds for every text in the repository.
enum TextRules {
    /// Words that leave work undone; written in halves, so that this file does not hold them.
    static let undone = ["TO" + "DO", "FIX" + "ME", "XX" + "X:"]
    /// Places and things outside of this repository, of which it must not speak.
    static let foreign = ["/wo" + "rk/main", "/wo" + "rk/shared", "/tm" + "p/h/", "DESIGN" + ".md", "(DESIGN" + " "]
    static let reservedDomains = [
        "example", "invalid", "test", "localhost", "example.org", "example.com", "example.net",
    ]

    static func check(_ file: Repository.File) -> [Finding] {
        var findings = file.lines.flatMap { line in
            (undone.filter { line.text.contains($0) }.map { "\($0): do it now, or leave it out" }
                + foreign.filter { line.text.contains($0) }.map { "“\($0)” does not exist for a reader: leave it out" }
                + issueNumbers(line.text).map { "\($0) is not known to a reader: say what it is about" }
                + (isTrailing(line.text) ? ["the line ends in white space: remove it"] : []))
                .map { Finding(file: file.path, line: line.number, advice: $0) }
        }
        if !file.text.isEmpty, !file.text.hasSuffix("\n") {
            findings.append(Finding(file: file.path, line: file.lines.count, advice: "the file lacks its last newline"))
        }
        return findings
    }

    private static func isTrailing(_ line: Substring) -> Bool {
        line.last == " " || line.last == "\t"
    }

    private static func issueNumbers(_ line: Substring) -> [String] {
        let words = line.lowercased().split(separator: " ")
        return zip(words, words.dropFirst()).compactMap { word, next in
            guard ["issue", "ticket", "pr"].contains(word), next.first == "#" || next.first?.isNumber == true else {
                return nil
            }
            return "\(word) \(next)"
        }
    }

    /// Addresses at domains that somebody could own.
    static func addresses(_ file: Repository.File) -> [Finding] {
        file.lines.flatMap { line in
            line.text.ranges(of: "@").compactMap { at -> Finding? in
                guard let before = line.text[..<at.lowerBound].last, before.isLetter || before.isNumber else {
                    return nil
                }
                let after = line.text[at.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "." || $0 == "-" }
                let domain = after.split(separator: ".").joined(separator: ".").lowercased()
                guard domain.contains("."), isRegistrable(domain), !isReserved(domain) else { return nil }
                return Finding(
                    file: file.path, line: line.number,
                    advice: "somebody may own \(domain): use example.org or a name in .example or .invalid")
            }
        }
    }

    /// Whether it ends in a top-level domain and keeps to RFC 1123, so that it could be registered.
    private static func isRegistrable(_ domain: String) -> Bool {
        let isHostName = domain.split(separator: ".").allSatisfy { $0.first != "-" && $0.last != "-" }
        let last = domain.split(separator: ".").last ?? ""
        return isHostName && last.count > 1 && last.allSatisfy(\.isLetter)
    }

    private static func isReserved(_ domain: String) -> Bool {
        reservedDomains.contains { domain == $0 || domain.hasSuffix("." + $0) }
    }
}

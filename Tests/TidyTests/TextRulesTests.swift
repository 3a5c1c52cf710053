import Testing

struct TextRulesTests {
    @Test func `every text is finished, ends in a newline and speaks of nothing outside the repository`() throws {
        let findings = try Repository.read().files.flatMap { TextRules.check($0) }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `every address is one that nobody can own`() throws {
        let findings = try Repository.read().files.flatMap { TextRules.addresses($0) }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test(arguments: TextRules.undone + TextRules.foreign + ["issue #" + "12", "Issue " + "12", "a "])
    func `a forbidden text is found`(text: String) {
        let file = Repository.File(path: "a.md", text: "A line.\nBut \(text)\n")
        #expect(Set(TextRules.check(file).map(\.line)) == [2])
    }

    @Test func `a missing last newline is found`() {
        #expect(TextRules.check(Repository.File(path: "a.md", text: "a\nb")).map(\.line) == [2])
        #expect(TextRules.check(Repository.File(path: "a.md", text: "a\nb\n")) == [])
        #expect(TextRules.check(Repository.File(path: "a.md", text: "")) == [])
    }

    @Test func `an address that somebody may own is found`() {
        let text = "jan@example.org eva@library.example x@a.invalid\njan@" + "gmail.com\na@b @Test\n"
        #expect(TextRules.addresses(Repository.File(path: "a.md", text: text)).map(\.line) == [2])
    }
}

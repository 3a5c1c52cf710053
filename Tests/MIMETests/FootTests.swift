import Testing

@testable import MIME

@Suite struct `The foot` {
    private let foot = Foot(lines: ["R"], link: nil)

    @Test(arguments: [
        ("<body>x</body>", "<body>x\n<p>R</p>\n</body>"), ("<BODY>x\n</BODY >", "<BODY>x\n<p>R</p>\n</BODY >"),
        ("<p>x</p>", "<p>x</p>\n<p>R</p>\n"), ("<html>x</html>", "<html>x\n<p>R</p>\n</html>"),
        ("a</body>b</body>", "a</body>b\n<p>R</p>\n</body>"), ("</bod", "</bod\n<p>R</p>\n"),
    ]) func `stands before the last end of the body`(html: String, expected: String) {
        #expect(foot.inserted(intoHTML: html) == expected)
    }

    @Test func `stands below the text after one empty line`() {
        #expect(foot.appended(toText: "a\n\n\n") == "a\n\nR\n")
        #expect(
            Foot(lines: ["R", "S"], link: "mailto:a@example.org").appended(toText: "a")
                == "a\n\nR\nS\nmailto:a@example.org\n")
    }

    @Test func `changes nothing when there is none`() {
        #expect(Foot(lines: [], link: nil).appended(toText: "a\n\n") == "a\n\n")
        #expect(Foot(lines: [], link: nil).inserted(intoHTML: "<p>") == "<p>")
    }

    @Test func `refuses blank lines, line breaks, unfilled braces and very long lines`() {
        #expect(Foot.problem(with: ["U ontvangt dit omdat u lid bent."]) == nil)
        for line in ["", " ", "a\nb", "a\u{0}", "{{x}}", String(repeating: "x", count: 2001)] {
            #expect(Foot.problem(with: [line]) != nil)
        }
    }
}

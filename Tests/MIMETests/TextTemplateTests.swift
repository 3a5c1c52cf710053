import Testing

@testable import MIME

private func render(_ text: String, _ fields: [String: String], _ part: TemplateError.Part = .text) throws -> String {
    try TextTemplate(text, part: part).render(fields)
}

@Suite struct `A text template` {
    @Test func `takes any column name`() throws {
        let fields = ["Naam leerling": "Jan", "E-mail (privé)": "x", "a.b": "y", "éé/2": "z", "v0": "q"]
        #expect(
            try render("{{Naam leerling}} {{E-mail (privé)}} {{a.b}} {{ éé/2 }} {{v0}} {{{v0}}}", fields)
                == "Jan x y z q q")
    }

    @Test func `takes a line of its own away with a section that stands alone on it`() throws {
        #expect(try render("a\n{{#x}}\nb\n{{/x}}\nc\n", ["x": "1"]) == "a\nb\nc\n")
        #expect(try render("a\n{{#x}}\nb\n{{/x}}\nc\n", [:]) == "a\nc\n")
        #expect(try render("a\n{{! iets\n van twee regels }}\nc\n", [:]) == "a\nc\n")
    }

    @Test func `a section is shown for a value and not for a blank one`() throws {
        let text = "{{#x}}ja {{y}}{{/x}}{{^x}}nee{{/x}}"
        #expect(try render(text, ["x": "false", "y": "Y"]) == "ja Y")
        #expect(try render(text, ["x": " ", "y": "Y"]) == "nee")
        #expect(try render(text, [:]) == "nee")
    }

    @Test(arguments: [
        "a{{x}}\u{200C}b", "a{{x}}\u{301}\u{302}b", "a\u{600}{{x}}b", "{{x}}\u{FE0F}{{x}}\u{200D}",
        "\u{600}\u{601}{{x}}\u{301}",
        "{ {{x}} }", "a}}{{x}}", "{{x}}}", "{{#x}}\u{301}{{x}}\u{600}{{/x}}",
    ]) func `joins no character with a tag`(text: String) throws {
        var expected = text
        for tag in ["{{x}}", "{{#x}}", "{{/x}}"] {
            let scalars = Array(expected.unicodeScalars)
            let wanted = Array(tag.unicodeScalars)
            var result = String.UnicodeScalarView()
            var index = 0
            while index < scalars.count {
                if scalars[index...].starts(with: wanted) {
                    if tag == "{{x}}" { result.append("V") }
                    index += wanted.count
                } else {
                    result.append(scalars[index])
                    index += 1
                }
            }
            expected = String(result)
        }
        #expect(Array(try render(text, ["x": "V"]).unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test func `gives a template no access to anything but the fields`() throws {
        let template = try TextTemplate("{{count}}{{isEmpty}}{{first}}{{x.count}}", part: .text)
        #expect(template.problems(in: ["x": "1"]).map(\.name) == ["count", "isEmpty", "first", "x.count"])
    }

    @Test func `refuses control characters and a part that is too long`() {
        #expect(throws: InvalidTemplate.self) { try TextTemplate("a\u{0}", part: .text) }
        #expect(throws: InvalidTemplate.self) { try TextTemplate("a\tb", part: .subject) }
        #expect(throws: InvalidTemplate.self) {
            try TextTemplate(String(repeating: "x", count: TextTemplate.maximumLength + 1), part: .html)
        }
    }
}

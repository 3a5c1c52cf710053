import Testing

@testable import MIME

private func problems(_ text: String, _ part: TemplateError.Part = .text) -> [TemplateError] {
    TemplateScanner.scan(text, part: part).1
}

@Suite struct `The template scanner` {
    @Test func `finds variables, sections and inverted sections`() {
        let (scanned, problems) = TemplateScanner.scan(
            "{{ a }}{{#b}}{{a}}{{^c}}{{&d}}{{/c}}{{/b}}{{! weg }}", part: .text)
        #expect(problems.isEmpty)
        #expect(scanned.names == ["a", "b", "c", "d"])
        #expect(
            scanned.nodes == [
                .variable(0),
                .section(
                    1, inverted: false,
                    children: [.variable(0), .section(2, inverted: true, children: [.variable(3)])]),
            ])
    }

    @Test(arguments: [
        "{{> p }}", "{{=<% %>=}}", "{{<p}}{{/p}}", "{{$b}}", "{{%CONTENT_TYPE: TEXT}}", "{{*n}}", "{{}}", "{{ }}",
        "{{.}}",
        "{{#.}}", "{{", "{{a", "{{{a}}", "{{a\nb}}", "{{#a}}", "{{/a}}", "{{#a}}{{/b}}", "{{#a}}{{#b}}{{/a}}{{/b}}",
        "{{ {{a}} }}", "{{&}}", "{{!", "{{{{a}}}}",
    ]) func `refuses what it does not know`(text: String) {
        #expect(!problems(text).isEmpty)
    }

    @Test func `refuses unescaped variables in HTML only`() {
        #expect(problems("{{{a}}}{{&a}}", .html).count == 2)
        #expect(problems("{{{a}}}{{&a}}", .text).isEmpty)
    }

    @Test func `tells the line and the column of each problem`() {
        let found = problems("één {{a}}\n\n  é{{>b}} {{.}}\n{{#open}}")
        #expect(found.map(\.line) == [3, 3, 4])
        #expect(found.map(\.column) == [4, 11, 1])
    }

    @Test func `refuses sections that are nested too deep, and names that are too long`() {
        let open = (0..<33).map { "{{#a\($0)}}" }.joined()
        let close = (0..<33).reversed().map { "{{/a\($0)}}" }.joined()
        #expect(problems(open + close).count == 1)
        #expect(problems("{{\(String(repeating: "a", count: 129))}}").count == 1)
    }
}

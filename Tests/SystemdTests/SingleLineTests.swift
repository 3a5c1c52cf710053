import Testing

@testable import Systemd

@Suite struct SingleLineTests {
    @Test(arguments: [
        ("first\nsecond", "first\\nsecond"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\u{1B}[31mred\u{7F}", "\\u{1B}[31mred\\u{7F}"),
        ("nul\u{0}", "nul\\u{0}"),
        ("\u{85}\u{2028}\u{2029}", "\\u{85}\\u{2028}\\u{2029}"),
        ("\u{202E}gpj.exe\u{2066}", "\\u{202E}gpj.exe\\u{2066}"),
        ("Élise 👩‍🚒 größer", "Élise 👩‍🚒 größer"),
    ])
    func `control characters are written out and other text is kept`(text: String, line: String) {
        #expect(SingleLine.of(text, limit: 1000) == line)
    }

    @Test func `a line ends with an ellipsis where its limit of bytes is reached, never inside a character`() {
        #expect(SingleLine.of("abcdef", limit: 6) == "abcdef")
        #expect(SingleLine.of("abcdefg", limit: 6) == "abcdef…")
        #expect(SingleLine.of("éééé", limit: 5) == "éé…")
        #expect(SingleLine.of("abc\n", limit: 4) == "abc…")
    }

    @Test(arguments: [
        ("default", "default"), ("", "\"\""), ("250 2.0.0 Ok", "\"250 2.0.0 Ok\""), ("say\"so", "\"say\\\"so\""),
        ("a\nb", "a\\nb"),
    ])
    func `a value is put in quotation marks where its end would not be seen`(text: String, value: String) {
        #expect(SingleLine.quoted(text, limit: 1000) == value)
    }
}

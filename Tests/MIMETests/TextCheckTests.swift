import Testing

@testable import MIME

@Suite struct `Text checks` {
    @Test func `every break becomes one LF`() {
        #expect(TextCheck.unixLineBreaks("a\r\nb\rc\nd\r\r\n\r") == "a\nb\nc\nd\n\n\n")
    }

    @Test func `blank is what nobody can see`() {
        for text in ["", " ", "\t\n", "\u{A0}", "\u{200B}\u{FEFF}\u{2060}", "\u{3000}"] {
            #expect(TextCheck.isBlank(text))
        }
        #expect(!TextCheck.isBlank(" 0 "))
        #expect(TextCheck.trim(" \u{A0}a b\u{200B}\n") == "a b")
    }

    @Test func `controls are found beside combining marks too`() {
        #expect(TextCheck.hasControl("\r\u{301}", allowingLineBreaks: false))
        #expect(TextCheck.hasControl("a\u{7F}", allowingLineBreaks: true))
        #expect(TextCheck.hasControl("a\u{9B}", allowingLineBreaks: true))
        #expect(!TextCheck.hasControl("a\r\n\tb\u{2028}", allowingLineBreaks: true))
        #expect(!TextCheck.hasControl("é 😀 \u{200D}", allowingLineBreaks: false))
    }

    @Test func `a dot-atom has atoms between single dots`() {
        #expect(TextCheck.isDotAtom("a.b-c"))
        for text in ["", ".", "a.", ".a", "a..b", "a b", "é", "a@b"] {
            #expect(!TextCheck.isDotAtom(Substring(text)))
        }
    }

    @Test func `HTML's five characters are escaped`() {
        #expect(TextCheck.htmlEscaped("<\u{301}>&\"'é") == "&lt;\u{301}&gt;&amp;&quot;&#39;é")
    }
}

import Mailing
import Testing

@Suite struct `A job id` {
    @Test(arguments: [
        "a", "0", "Z", "2026-11-e-books", "a.b_c-D", "a..", "9-", "a" + String(repeating: "-", count: 127),
    ]) func `is of letters, digits, dots, underscores and hyphens, and begins with a letter or digit`(text: String) {
        #expect(JobID(text)?.text == text)
        #expect(JobID(text)?.description == text)
        #expect(JobID.isValid(text))
    }

    @Test(arguments: [
        "", ".", "..", ".a", "-a", "_a", "a/b", "../a", "a b", " a", "a\n", "a\u{0}", "é", "aé", "ａ", "a:b", "a\\b",
        "٣", "a" + String(repeating: "b", count: 128),
    ]) func `is nothing else, a path least of all`(text: String) {
        #expect(JobID(text) == nil)
        #expect(!JobID.isValid(text))
    }

    @Test func `allows of all single bytes only the 62 letters and digits at its beginning, and three more behind it`()
    {
        let scalars = (0...255).compactMap(UnicodeScalar.init).map { String(Character($0)) }
        #expect(scalars.count { JobID.isValid($0) } == 62)
        #expect(scalars.filter { JobID.isValid("a" + $0) && !JobID.isValid($0) } == ["-", ".", "_"])
    }

    @Test func `is sorted by its text and tells capitals from small letters`() throws {
        let (upper, lower) = (try #require(JobID("B")), try #require(JobID("b")))
        #expect(upper != lower)
        #expect(upper < lower)
    }
}

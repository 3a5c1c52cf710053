import RecipientLists
import Testing

struct SeparatorTests {
    @Test func `the separator is what the header has most often outside quotation marks`() throws {
        #expect(try ListContents("email,naam;a,b\n").columns == ["email", "naam;a", "b"])
        #expect(try ListContents("\"a,b,c\"\"d,e\";email\n").columns == ["a,b,c\"d,e", "email"])
        #expect(try ListContents("\n\r\nemail\tnaam\n").columns == ["email", "naam"])
        #expect(try ListContents("email\n").columns == ["email"])
    }

    @Test func `between equals a semicolon goes before a tab and a tab before a comma`() throws {
        #expect(try ListContents("email;a,b\n").columns == ["email", "a,b"])
        #expect(try ListContents("email\ta,b\n").columns == ["email", "a,b"])
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func `a first line in the manner of Excel names the separator and counts as a line`(_ end: String) throws {
        let contents = try ListContents("SEP=|\(end)email|naam;a,b,c\(end)a@example.org|x\(end)")
        #expect(contents.columns == ["email", "naam;a,b,c"])
        #expect(contents.rows.map(\.line) == [3])
    }

    @Test func `a first line that only begins like it is the header`() throws {
        #expect(try ListContents("sep=;email\n").columns == ["sep=", "email"])
        #expect(throws: ListError.self) { try ListContents("sep=x\nemail\n") }
        #expect(throws: ListError.self) { try ListContents("sep=;") }
    }
}

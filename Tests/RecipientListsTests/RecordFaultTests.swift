import RecipientLists
import Testing

struct RecordFaultTests {
    @Test func `a fault says its column by number and name`() throws {
        let contents = try ListContents("email;Naam\na@example.org;\"x\"y\n")
        #expect(
            contents.bad == [
                BadRow(
                    line: 2, text: "a@example.org;\"x\"y",
                    message: "column 2 (Naam) has text after its closing quotation mark; "
                        + "a quotation mark inside a quoted value has to be doubled")
            ])
    }

    @Test func `the text of a bad row is at most 200 characters and cannot steer a terminal`() throws {
        let long = String(repeating: "é", count: 500)
        let contents = try ListContents("email\n\u{1B}[31m\u{7}\u{202E}\n;;\(long),x\n")
        #expect(contents.bad[0].text == "\\u{1B}[31m\\u{07}\\u{202E}")
        #expect(contents.bad[1].text.unicodeScalars.count == 200)
        #expect(contents.bad[1].text.hasSuffix("é…"))
    }
}

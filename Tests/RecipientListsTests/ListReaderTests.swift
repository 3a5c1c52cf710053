import RecipientLists
import Testing

struct ListReaderTests {
    @Test(arguments: ["", "\n", "\r\n\r\n", "\u{FEFF}"])
    func `an empty list is an error`(_ text: String) {
        #expect(throws: ListError(message: "the list is empty; it has to begin with a header that names the columns")) {
            try ListContents(text)
        }
    }

    @Test func `a header that cannot be read is an error with its line`() {
        for header in ["email;\"a\"b", "email;\"a", "email;a\u{1}"] {
            #expect {
                try ListContents("\n\(header)\nx@example.org;1\n")
            } throws: { error in
                (error as? ListError)?.line == 2
            }
        }
    }

    @Test func `a column without a name is an error where it first has a value, before any row is given`() {
        #expect {
            try ListReaderTests.open("email;;a;\nx@example.org;;1;\ny@example.org\nz@example.org; ;1;2\n")
        } throws: { error in
            error as? ListError
                == ListError(
                    line: 4,
                    message: "column 4 has a value here but no name in the header; name the column or remove it")
        }
    }

    @Test func `a column without a name and without values is no attribute`() throws {
        let contents = try ListContents("sep=;\nemail;;a;\nx@example.org;;1;\ny@example.org; ;2\n")
        #expect(contents.columns == ["email", "", "a", ""])
        #expect(contents.rows.map(\.attributes) == [["a": "1"], ["a": "2"]])
        #expect(contents.rows.map(\.line) == [3, 4])
    }

    @Test func `a row with too many columns is bad, with the lines that it covers`() throws {
        let contents = try ListContents("email;a\nx@example.org;\"1\n2\";3\ny@example.org;1\n")
        #expect(
            contents.bad == [
                BadRow(
                    line: 2, text: "x@example.org;\"1\\n2\";3",
                    message: "the row (lines 2 to 3) has 3 columns, the header 2; "
                        + "a value may lack its quotation marks")
            ])
        #expect(contents.rows.map(\.email) == ["y@example.org"])
    }

    @Test func `a row may lack attributes at its end, as Excel leaves them out, but nothing else`() throws {
        let contents = try ListContents(
            "a;email;name;b;c\n1;x@example.org;N\n1;y@example.org\n1\n1;z@example.org;;2;3\n")
        #expect(contents.rows.map(\.email) == ["x@example.org", "z@example.org"])
        #expect(contents.rows.first?.attributes == ["a": "1", "b": "", "c": ""])
        #expect(contents.bad.map(\.line) == [3, 4])
        #expect(contents.bad.last?.message.hasPrefix("the row has 1 column, the header 5;") ?? false)
    }

    @Test func `a row without an address is bad`() throws {
        let contents = try ListContents("email;a\n \u{A0};1\n\"\";2\n")
        #expect(contents.bad.map(\.message) == ["no e-mail address", "no e-mail address"])
        #expect(contents.bad.map(\.line) == [2, 3])
    }

    @Test func `rows with nothing in them are skipped`() throws {
        let contents = try ListContents("email;a;b\n;;\n;;;;;\n \n\"\";\"\"\n\nx@example.org;;\n")
        #expect(contents.items.count == 1)
        #expect(contents.rows.map(\.line) == [7])
    }

    @Test func `name, language and number are one line, and absent when empty`() throws {
        let contents = try ListContents(
            "email;name;language;number\nx@example.org;\"A\r\nB\tC\";\" \";\"\n\"\n")
        #expect(contents.rows == [RecipientRow(line: 2, email: "x@example.org", name: "A B C")])
    }

    @Test func `the separators of lines and paragraphs do not get into a name either`() throws {
        let contents = try ListContents(
            "email;name;language;\u{2029} na\u{2028}me 2 \u{2028}\n"
                + "x@example.org;\u{2028}\u{A0}A\u{2028}B\u{2029}C \u{2028};\u{2028};D\u{2028}\n")
        #expect(
            contents.rows == [
                RecipientRow(
                    line: 2, email: "x@example.org", name: "A B C", attributes: ["na me 2": "D\u{2028}"])
            ])
    }

    @Test func `addresses are not judged`() throws {
        #expect(try ListContents("email\nnobody\n").rows.map(\.email) == ["nobody"])
    }

    @Test func `a column is found in any case of letters and given as the header writes it`() throws {
        let reader = try ListReaderTests.open("email; Nieuwsbrief ;\n")
        #expect(reader.column(named: "NIEUWSBRIEF ") == "Nieuwsbrief")
        #expect(reader.column(named: "") == nil)
        #expect(reader.column(named: "brief") == nil)
    }

    @Test func `the end of a list stays its end`() throws {
        let reader = try ListReaderTests.open("email\nx@example.org")
        #expect(try reader.next() != nil)
        #expect(try reader.next() == nil)
        #expect(try reader.next() == nil)
    }

    @Test func `buffers stay within their limit whatever a list holds`() throws {
        let scratch = try Scratch()
        let euros = [UInt8](repeating: 0x80, count: 700_000)
        let quoted = "\n\"" + String(repeating: "x", count: 60_000) + "\";"
        let record = String(repeating: quoted, count: 8)
        var bytes = Array("email;a\n".utf8) + euros + [0x0A]
        for _ in 0..<4 { bytes += Array((record + "\nx@example.org;1\n").utf8) + euros + [0x22, 0x0A] }
        try scratch.write(bytes, to: "list.csv")
        let reader = try ListReader(path: scratch.path("list.csv"))
        let atFirst = reader.bufferCapacity
        var count = 0
        while try reader.next() != nil {
            count += 1
            #expect(reader.bufferCapacity == atFirst)
        }
        #expect(count > 10)
        #expect(atFirst <= ListLimit.buffers)
    }

    /// The file is removed at once; the reader's descriptor keeps it.
    private static func open(_ text: String) throws -> ListReader {
        let scratch = try Scratch()
        try scratch.write(text.utf8, to: "list.csv")
        return try ListReader(path: scratch.path("list.csv"))
    }
}

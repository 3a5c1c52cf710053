import RecipientLists
import Testing

struct RecordScannerTests {
    @Test func `quoted values keep separators, line breaks, tabs and doubled quotation marks`() throws {
        let contents = try ListContents("email;a;b\n\"x@example.org\";\"1;2\r\n3\t\";\"\"\"q\"\"\"\n")
        #expect(
            contents.rows == [
                RecipientRow(line: 2, email: "x@example.org", attributes: ["a": "1;2\r\n3", "b": "\"q\""])
            ])
    }

    @Test func `a quotation mark inside an unquoted value is that character`() throws {
        #expect(try ListContents("email;a\nx@example.org;5\" disk\n").rows.first?.attributes["a"] == "5\" disk")
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func `rows carry the line on which they begin, whatever ends a line`(_ end: String) throws {
        let lines = ["email;a", "", "a@example.org;\"x", "", "y\"", "", "", "b@example.org;z"]
        #expect(try ListContents(lines.joined(separator: end)).rows.map(\.line) == [3, 8])
        #expect(try ListContents(lines.joined(separator: end) + end).rows.map(\.line) == [3, 8])
    }

    @Test func `text after a closing quotation mark costs its own line only`() throws {
        let contents = try ListContents("email;a\na@example.org;\"x\"y;\"\nb@example.org;z\n")
        #expect(contents.bad.map(\.line) == [2])
        #expect(contents.rows.map(\.email) == ["b@example.org"])
    }

    @Test func `a bad row is shown whole, also where it does not fit into what was read of the list`() throws {
        let row = "\"x@example.org\"" + String(repeating: "e", count: 100)
        let filled = ListLimit.record - 40
        let rows = String(repeating: "x@example.org\n", count: filled / 14)
        for shift in 0..<40 {
            let contents = try ListContents("email\n" + rows + String(repeating: "\n", count: shift) + row + "\n")
            #expect(contents.bad.map(\.text) == [row])
        }
    }

    @Test func `a quotation mark that is never closed swallows no row and is reported with its line`() throws {
        let rest = (4...20_000).map { "r\($0)@example.org;x\n" }.joined()
        let contents = try ListContents("email;a\na@example.org;1\nb@example.org;\"x\n" + rest)
        #expect(contents.bad.map(\.line) == [3])
        #expect(contents.bad.first?.text == "b@example.org;\"x")
        #expect(contents.rows.count == 19_998)
        #expect(contents.rows.last?.line == 20_000)
    }

    @Test func `a quotation mark that is open at the end of the list is reported with its line`() throws {
        let contents = try ListContents("email;a;b\na@example.org;\"1\n2\";\"x\nb@example.org;y\n")
        #expect(contents.bad.map(\.line) == [2])
        #expect(contents.bad.first?.message.contains("column 3 (b) on line 3") ?? false)
        #expect(contents.rows.map(\.email) == ["b@example.org"])
        let last = try ListContents("email;a\na@example.org;\"x\nb@example.org;y\n")
        #expect(last.bad.map(\.line) == [2])
        #expect(last.bad.first?.message == "the quotation mark that opens column 2 (a) on line 2 is never closed")
        #expect(last.rows.map(\.email) == ["b@example.org"])
    }

    @Test func `a quotation mark that a later value closes by accident swallows no row`() throws {
        let contents = try ListContents("email;a\na@example.org;\"x\nb@example.org;\"y\"\nc@example.org;z\n")
        #expect(contents.bad.map(\.line) == [2])
        #expect(contents.rows.map(\.email) == ["b@example.org", "c@example.org"])
    }

    @Test func `white space before an opening quotation mark is reported`() throws {
        let contents = try ListContents("email,a\na@example.org, \"x\"\nb@example.org,y\n")
        #expect(contents.bad.map(\.line) == [2])
        #expect(contents.rows.map(\.email) == ["b@example.org"])
    }

    @Test(arguments: [0x00, 0x01, 0x08, 0x0B, 0x1A, 0x1F, 0x7F, 0x80, 0x9F] as [UInt8])
    func `a control character makes a bad row, quoted or not`(_ code: UInt8) throws {
        let character = String(Unicode.Scalar(code))
        for value in ["x\(character)y", "\"x\(character)y\"", character] {
            let contents = try ListContents("email;a;b\na@example.org;\(value);1\nb@example.org;2;3\n")
            #expect(contents.bad.map(\.line) == [2])
            #expect(contents.bad.first?.message.contains("column 2 (a) contains the control character U+00") ?? false)
            #expect(contents.rows.map(\.email) == ["b@example.org"])
        }
    }

    @Test func `a tab is a control character outside quotation marks only`() throws {
        let contents = try ListContents("email;a\na@example.org;x\ty\nb@example.org;\"x\ty\"\n\t\n")
        #expect(contents.bad.map(\.line) == [2])
        #expect(contents.rows.map { $0.attributes["a"] } == ["x\ty"])
    }

    @Test func `a field may have 64 KiB and not a byte more, quoted or not`() throws {
        let full = String(repeating: "x", count: ListLimit.field)
        for (open, close) in [("", ""), ("\"", "\"")] {
            let contents = try ListContents(
                "email;a\na@example.org;\(open)\(full)\(close)\n"
                    + "b@example.org;\(open)\(full)x\(close)\nc@example.org;y\n"
            )
            #expect(contents.rows.map(\.email) == ["a@example.org", "c@example.org"])
            #expect(contents.bad.map(\.line) == [3])
        }
    }

    @Test func `a record may have 256 KiB`() throws {
        let header = "email;" + (1...5).map { "c\($0)" }.joined(separator: ";")
        let part = String(repeating: "x", count: 50_000)
        let fits = "a@example.org;" + Array(repeating: part, count: 5).joined(separator: ";")
        let long = "b@example.org;" + Array(repeating: part + part.prefix(9_000), count: 5).joined(separator: ";")
        let contents = try ListContents("\(header)\n\(fits)\n\(long)\nc@example.org;;;;;\n")
        #expect(contents.rows.map(\.email) == ["a@example.org", "c@example.org"])
        #expect(contents.bad.map(\.line) == [3])
        #expect(contents.bad.first?.message.contains("262144") ?? false)
    }

    @Test func `a record may have 512 columns`() throws {
        let names = (1...511).map { "c\($0)" }.joined(separator: ";")
        let row = "a@example.org" + String(repeating: ";1", count: 511)
        let contents = try ListContents("email;\(names)\n\(row)\n\(row);2\nb@example.org;\n")
        #expect(contents.rows.map(\.line) == [2, 4])
        #expect(contents.bad.map(\.message) == ["the row has more than 512 columns"])
        #expect(throws: ListError.self) { try ListContents("email;\(names);one\n") }
    }

    @Test func `rows made to confuse are read about as fast as others`() throws {
        func time(_ line: String) throws -> Duration {
            let scratch = try Scratch()
            try scratch.write("email,a\n\"\(String(repeating: line, count: 2_000))".utf8, to: "list.csv")
            return try ContinuousClock().measure { _ = try ListContents(path: scratch.path("list.csv")) }
        }
        let filler = String(repeating: "y", count: 200)
        let benign = try time("a@example.org\",\(filler)\n\"")
        for line in [
            "x\",\"\(filler)\n", ",\"\(filler)\n", "\"\"\"\"\(filler)\n", ",\"\"\(filler)\",\n", "\(filler)\n\"\"\n",
        ] {
            #expect(try time(line) < benign * 30)
        }
    }
}

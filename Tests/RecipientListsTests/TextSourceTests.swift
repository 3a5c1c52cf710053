import RecipientLists
import Testing

struct TextSourceTests {
    /// The reader takes 64 KiB at a time: at each of these distances something else lies across the border.
    @Test(arguments: Writing.allCases)
    func `nothing changes when a chunk ends inside of anything`(_ writing: Writing) throws {
        let value = writing == .utf16Unmarked ? "é\"\"x" : writing == .windows1252 ? "é\"\"€x" : "é\"\"€😀\u{A0}x"
        let unit = writing.rawValue.hasPrefix("utf-16") ? 2 : 1
        let header = "email;a;b;c;d\r\n"
        let row = "\"n@example.org\"; y ;\"\(value)\r\nz\r\";\"\";v\r\n\r\nlast@example.org;1;2;3;4"
        for distance in 0..<72 {
            let length = 65_536 / unit - distance - header.count - "f@example.org;;;;\r\n".count
            let parts = [20_000, 20_000, max(0, min(20_000, length - 40_000)), max(0, length - 60_000)]
            let filler = parts.prefix(4).map { String(repeating: "x", count: $0) }.joined(separator: ";")
            let long = length < 40_000 ? String(repeating: "x", count: length) + ";;;" : filler
            let contents = try ListContents(bytes: writing.bytes(header + "f@example.org;\(long)\r\n" + row))
            let expected = RecipientRow(
                line: 3, email: "n@example.org",
                attributes: ["a": "y", "b": value.replacing("\"\"", with: "\"") + "\r\nz", "c": "", "d": "v"])
            #expect(contents.rows.dropFirst().first == expected, "\(writing) \(distance)")
            #expect(contents.rows.last?.email == "last@example.org")
            #expect(contents.rows.last?.line == 7)
            #expect(contents.items.count == 3)
        }
    }

    @Test func `the five bytes that Windows-1252 leaves open make a bad row`() throws {
        for byte in [0x81, 0x8D, 0x8F, 0x90, 0x9D] as [UInt8] {
            let bytes = Array("email;naam\na@example.org;x".utf8) + [byte, 0x0A] + "b@example.org;".utf8 + [0xE9]
            let contents = try ListContents(bytes: bytes)
            #expect(contents.bad.map(\.line) == [2])
            #expect(contents.rows.map { $0.attributes["naam"] } == ["é"])
        }
    }
}

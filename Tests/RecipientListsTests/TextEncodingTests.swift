import RecipientLists
import Testing

struct TextEncodingTests {
    private let text = "email;naam\r\na@example.org;André\r\nb@example.org;Zoë\r\n"

    @Test(arguments: Writing.allCases)
    func `a list reads the same in every encoding`(_ writing: Writing) throws {
        let contents = try ListContents(bytes: writing.bytes(text))
        #expect(contents.columns == ["email", "naam"])
        #expect(contents.rows.map { $0.attributes["naam"] } == ["André", "Zoë"])
        #expect(contents.bad.isEmpty)
    }

    @Test func `one byte beyond UTF-8 on the last line makes the whole list Windows-1252`() throws {
        let filler = String(repeating: "filler@example.org;x\n", count: 10_000)
        let bytes = Array("email;naam\n\(filler)a@example.org;".utf8) + [0x80, 0x35]
        #expect(try ListContents(bytes: bytes).rows.last?.attributes["naam"] == "€5")
    }

    @Test func `what looks like UTF-8 but is overlong, a surrogate or beyond Unicode is Windows-1252`() throws {
        for (sequence, expected) in [
            ([0xC0, 0xAF], "À¯"), ([0xE0, 0x9F, 0xBF], "àŸ¿"), ([0xED, 0xA0, 0x80], "í\u{A0}€"),
            ([0xF4, 0x90, 0x80, 0x80], nil), ([0xF5, 0x80], "õ€"),
        ] as [([UInt8], String?)] {
            let contents = try ListContents(bytes: Array("email;naam\na@example.org;".utf8) + sequence)
            #expect(contents.rows.first?.attributes["naam"] == expected)
            #expect(contents.items.count == 1)
        }
    }

    @Test func `a UTF-8 list with a few bytes of another encoding is refused with the line`() throws {
        let bytes = Array("email;naam\na@example.org;André\nb@example.org;Zoë\nc@example.org;".utf8) + [0xE9, 0x0A]
        #expect {
            try ListContents(bytes: bytes)
        } throws: { error in
            (error as? ListError)?.line == 4
        }
    }

    @Test func `a byte order mark is believed, and text that contradicts it is refused`() throws {
        #expect {
            try ListContents(bytes: [0xEF, 0xBB, 0xBF] + "email\n".utf8 + [0xE9])
        } throws: { error in
            (error as? ListError)?.line == 2
        }
        let damaged: [[UInt8]] = [
            [0x00], [0x00, 0xDC], [0x00, 0xD8], [0x00, 0xD8, 0x41, 0x00],
        ]
        for end in damaged {
            #expect {
                try ListContents(bytes: Writing.utf16LittleEndian.bytes("email\n") + end)
            } throws: { error in
                (error as? ListError)?.message.contains("UTF-16") ?? false
            }
        }
    }

    @Test func `an Excel workbook is refused with what to do`() throws {
        #expect {
            try ListContents(bytes: [0x50, 0x4B, 0x03, 0x04, 0x14, 0x00])
        } throws: { error in
            (error as? ListError)?.message.contains("save it as CSV") ?? false
        }
    }

    @Test func `zero bytes in a UTF-8 list do not make it UTF-16`() throws {
        let contents = try ListContents("email;naam\na@example.org;x\u{0}\nb@example.org;y\n")
        #expect(contents.rows.map(\.email) == ["b@example.org"])
        #expect(contents.bad.map(\.line) == [2])
    }
}

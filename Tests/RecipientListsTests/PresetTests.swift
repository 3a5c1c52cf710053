import Foundation
import RecipientLists
import Testing

struct PresetTests {
    private static let presets = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("config/presets").path

    private func preset(_ json: String) throws -> Preset {
        try Preset(name: "test", json: Array(json.utf8))
    }

    @Test func `an export of Wise reads as the library means it`() throws {
        let wise = try Preset.load(name: "wise", directory: Self.presets)
        let export = """
            Klantnummer;Emailadres;Emailadres JN;Voorletters;Voorvoegsel;Achternaam;Roepnaam;Voorkeurstaal;Nieuwsbrief\r
            29428000000017;lezer1@example.org;J;E.B.;de;Lezer;Eén;NL;J\r
            29428000000025;lezer2@example.org;J;A.;;"Lezer;es";;Fries;N\r
            29428000000033;;N;C.;van;Lezer;;;J\r
            29428000000041;lezer4@example.org;J\r\n
            """
        let contents = try ListContents(bytes: Writing.windows1252.bytes(export), preset: wise)
        #expect(contents.bad.map(\.line) == [4, 5])
        #expect(contents.bad.first?.message == "no e-mail address")
        #expect(contents.rows.map(\.email) == ["lezer1@example.org", "lezer2@example.org"])
        #expect(contents.rows.map(\.name) == ["Eén de Lezer", "A. Lezer;es"])
        #expect(contents.rows.map(\.language) == ["nl", "fy"])
        #expect(contents.rows.map(\.number) == ["29428000000017", "29428000000025"])
        #expect(contents.rows.map { $0.attributes["Nieuwsbrief"] } == ["J", "N"])
        #expect(
            contents.rows.first?.attributes == [
                "Emailadres JN": "J", "Voorletters": "E.B.", "Voorvoegsel": "de", "Achternaam": "Lezer",
                "Roepnaam": "Eén", "Nieuwsbrief": "J", "voornaam": "Eén", "voorletters": "E.B.", "voorvoegsel": "de",
                "achternaam": "Lezer",
            ])
    }

    @Test func `the smallest export of Wise, the addresses alone, is enough`() throws {
        let wise = try Preset.load(name: "wise", directory: Self.presets)
        let contents = try ListContents("Emailadres\r\nlezer1@example.org\r\n", preset: wise)
        #expect(contents.rows == [RecipientRow(line: 2, email: "lezer1@example.org")])
    }

    @Test func `every preset that is shipped can be loaded`() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.presets).filter { $0.hasSuffix(".json") }
        #expect(!files.isEmpty)
        for file in files {
            #expect(throws: Never.self) { try Preset.load(name: String(file.dropLast(5)), directory: Self.presets) }
        }
    }

    @Test(arguments: ["", "Wise", "../wise", "-wise", "wise.json", "wi se", "é", String(repeating: "a", count: 65)])
    func `a name that could be a path is refused before a file is opened`(_ name: String) {
        #expect {
            try Preset.load(name: name, directory: Self.presets)
        } throws: { error in
            (error as? PresetError)?.message.hasPrefix("a preset's name") ?? false
        }
    }

    @Test func `a preset that is not there is answered with those that are`() throws {
        let scratch = try Scratch()
        try scratch.write("{}".utf8, to: "one.json")
        #expect(
            throws: PresetError(preset: "two", message: "there is no such preset that can be read; available: one")
        ) {
            try Preset.load(name: "two", directory: scratch.directory.path)
        }
    }

    @Test func `the best alternative that a list has is taken, and the others are attributes`() throws {
        let preset = try preset(
            #"{"description": "d", "columns": {"email": ["M 1", "m 2", "m 3"]}, "attributes": {"x": ["B", "a"]}}"#
        )
        let contents = try ListContents("a;M 3;M 2;language\n1;z@example.org;y@example.org;nl\n", preset: preset)
        #expect(
            contents.rows == [
                RecipientRow(
                    line: 2, email: "y@example.org", language: "nl",
                    attributes: ["a": "1", "M 3": "z@example.org", "x": "1"])
            ])
        #expect {
            try ListContents("email;a\n", preset: preset)
        } throws: { error in
            (error as? ListError)?.message
                == "the header needs one of the columns M 1, m 2, m 3 for the e-mail address; it has email, a"
        }
    }

    @Test func `a name is a whole column if the list has one, otherwise its parts`() throws {
        let preset = try preset(
            #"{"description": "d", "columns": {"email": ["e"], "name": {"columns": ["n"], "join": [["a", "b"], "c"]}}}"#
        )
        let whole = try ListContents("e;n;a\nx@example.org;N;A\n", preset: preset)
        #expect(whole.rows.first?.name == "N")
        let parts = try ListContents(
            "e;b;c;a\nx@example.org;B;C;A\nx@example.org; B ;C;\nx@example.org\n", preset: preset)
        #expect(parts.rows.map(\.name) == ["A C", "B C", nil])
    }

    @Test func `an attribute of the preset goes before a column of that name`() throws {
        let preset = try preset(#"{"description": "d", "columns": {"email": ["e"]}, "attributes": {"a": ["b"]}}"#)
        #expect(
            try ListContents("e;a;b\nx@example.org;1;2\n", preset: preset).rows.first?.attributes == [
                "a": "2", "b": "2",
            ])
    }

    @Test func `a language that the preset does not name is passed on as it is`() throws {
        let preset = try preset(
            #"{"description": "d", "columns": {"email": ["e"]}, "languages": {"Engels": "en-GB"}}"#)
        let contents = try ListContents("e;language\nx@example.org;ENGELS\ny@example.org;pl\n", preset: preset)
        #expect(contents.rows.map(\.language) == ["en-GB", "pl"])
    }

    @Test(arguments: [
        (#""columns": {"email": []}"#, "columns.email: name at least one column"),
        (#""columns": {"email": ["e"], "name": []}"#, "columns.name: name at least one column"),
        (#""columns": {"email": ["e"], "name": {"join": ["a", []]}}"#, "columns.name.join: a part without a column"),
        (#""columns": {"email": ["e"], "number": ["E "]}"#, "columns: \"e\" cannot give two fields"),
        (#""columns": {"email": ["e"]}, "attributes": {"a": []}"#, "attributes.a: name at least one column"),
        (
            #""columns": {"email": ["e"]}, "attributes": {"Name": ["n"]}"#,
            "attributes.Name: this name is a field of its own; map it under columns"
        ),
        (
            #""columns": {"email": ["e"]}, "languages": {"a": "nl_NL"}"#,
            "languages.a: \"nl_NL\" is not a language tag such as nl or en-GB"
        ),
        (#""columns": {"email": [" "]}"#, "\" \": a name has 1 to 200 characters"),
    ])
    func `a preset that contradicts itself is refused with the key`(_ json: String, _ message: String) {
        #expect(throws: PresetError(preset: "test", message: message)) {
            try preset("{\"description\": \"d\", \(json)}")
        }
    }

    @Test func `two values of a language that differ in case only are refused`() {
        #expect(throws: PresetError.self) {
            try preset(#"{"description": "d", "columns": {"email": ["e"]}, "languages": {"NL": "nl", "nl": "fy"}}"#)
        }
    }

    @Test func `a preset larger than 64 KiB is refused`() {
        #expect(throws: PresetError(preset: "test", message: "the file is larger than 65536 bytes")) {
            try preset(String(repeating: " ", count: 65_537))
        }
    }
}

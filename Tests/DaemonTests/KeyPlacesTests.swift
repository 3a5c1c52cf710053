import Testing

@testable import Daemon

struct KeyPlacesTests {
    private static let text = """
        # [spool]
        [spool]
        directory = "a"   # path = "not here"

        [relays.default]
        url = "smtp://mail.example"
        [relays."second"]
        messages_per_hour = 100
        """

    @Test(arguments: [
        ("spool", 2), ("spool.directory", 3), ("relays.default", 5), ("relays.default.url", 6), ("relays.second", 7),
        ("relays.second.messages_per_hour", 8),
    ])
    func `a key that is written is found at its line`(key: String, line: Int) {
        #expect(KeyPlaces.line(of: key, in: KeyPlacesTests.text) == line)
    }

    @Test func `a key that is missing is looked for at its table`() {
        #expect(KeyPlaces.line(of: "relays.default.messages_per_hour", in: KeyPlacesTests.text) == 5)
        #expect(KeyPlaces.line(of: "relays.second.url", in: KeyPlacesTests.text) == 7)
    }

    @Test func `a table that is missing is looked for at the top`() {
        #expect(KeyPlaces.line(of: "ledger.path", in: KeyPlacesTests.text) == 1)
    }

    @Test func `a key of the same name in another table is not taken for it`() {
        let text = "[a]\nrate = 1\n[b]\nrate = 2\n"
        #expect(KeyPlaces.line(of: "b.rate", in: text) == 4)
    }

    @Test func `a dotted key and an inline table are found at their line`() {
        #expect(KeyPlaces.line(of: "spool.directory", in: "\nspool.directory = \"a\"\n") == 2)
        #expect(KeyPlaces.line(of: "spool.directory", in: "\nspool = { directory = 7 }\n") == 2)
    }

    @Test func `a comment is no key`() {
        #expect(KeyPlaces.line(of: "spool.directory", in: "[spool]\n# directory = \"old\"\ndirectory = 7\n") == 3)
    }
}

import Mailing
import Testing

@testable import Daemon

struct AddressPatternTests {
    private func address(_ text: String) throws -> EmailAddress { try AddressText.read(text) }

    @Test func `a star matches every address`() throws {
        let pattern = try #require(AddressPattern("*"))
        #expect(pattern.matches(try address("anyone@library.example")))
    }

    @Test func `a domain matches all its addresses and no others`() throws {
        let pattern = try #require(AddressPattern("*@Library.example"))
        #expect(pattern.matches(try address("anyone@library.example")))
        #expect(!pattern.matches(try address("anyone@mail.library.example")))
        #expect(!pattern.matches(try address("anyone@otherlibrary.example")))
    }

    @Test func `a domain matches in either of its forms`() throws {
        let pattern = try #require(AddressPattern("*@bücher.example"))
        #expect(pattern.matches(try address("anyone@xn--bcher-kva.example")))
    }

    @Test func `an address matches itself in any case`() throws {
        let pattern = try #require(AddressPattern("Editor@library.example"))
        #expect(pattern.matches(try address("editor@LIBRARY.example")))
        #expect(!pattern.matches(try address("editor+news@library.example")))
        #expect(!pattern.matches(try address("reader@library.example")))
    }

    @Test(arguments: ["", "library.example", "*library.example", "*@", "*@localhost", "@library.example"])
    func `anything else is no pattern`(text: String) {
        #expect(AddressPattern(text) == nil)
    }
}

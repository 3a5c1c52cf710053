import Testing

@testable import Spool

struct DirectoryEntryNameTests {
    @Test func `a clean name reads as itself and any other is escaped`() {
        #expect(DirectoryEntryName("Folder é.pdf").description == "Folder é.pdf")
        #expect(DirectoryEntryName("a\nb").description == "a%0Ab")
        #expect(DirectoryEntryName(bytes: [0x61, 0xC3]).description == "a%C3")
    }

    @Test func `names that differ only in their normal form are different`() {
        #expect(DirectoryEntryName("\u{E9}") != DirectoryEntryName("e\u{301}"))
    }

    @Test func `hexadecimal has two digits a byte`() {
        #expect(hexadecimal([0, 0x0F, 0xA0]) == "000fa0")
    }
}

import Testing

@testable import Systemd

struct MappedFilesTests {
    @Test func `pages of files are given back, and come again where they are needed`() throws {
        let before = try #require(MappedFiles.resident)
        #expect(before > 1 << 20, "a Swift program is larger than that")
        MappedFiles.release()
        let after = try #require(MappedFiles.resident)
        // Other tests map pages meanwhile; there are far more to give back.
        #expect(after < before)
        // Code and constants are read again, and what was changed is as it was.
        #expect(SingleLine.of("one\ntwo", limit: 100) == "one\\ntwo")
        MappedFiles.release()
        #expect((1...1000).map { "\($0)" }.joined().count == 2893)
    }
}

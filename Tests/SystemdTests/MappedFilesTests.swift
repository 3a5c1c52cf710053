import Testing

@testable import Systemd

struct MappedFilesTests {
    @Test func `pages of files are given back, and come again where they are needed`() throws {
        // Other tests map pages meanwhile, and may give back the same ones at the same moment.
        let isGivenBack = try (0..<100).contains { _ in
            let before = try #require(MappedFiles.resident)
            MappedFiles.release()
            return try #require(MappedFiles.resident) < before
        }
        #expect(isGivenBack)
        // Code and constants are read again, and what was changed is as it was.
        #expect(SingleLine.of("one\ntwo", limit: 100) == "one\\ntwo")
        MappedFiles.release()
        #expect((1...1000).map { "\($0)" }.joined().count == 2893)
    }
}

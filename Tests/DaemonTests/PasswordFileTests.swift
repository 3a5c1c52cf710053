import Foundation
import Glibc
import TestSupport
import Testing

@testable import Daemon

struct PasswordFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func file(_ bytes: [UInt8], mode: mode_t = 0o600) throws -> String {
        let path = try directory.write(bytes, to: "password")
        try #require(chmod(path, mode) == 0)
        return path
    }

    private func complaint(_ path: String) -> String? {
        do {
            _ = try PasswordFile.read(path)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func `a password is read without its line end`() throws {
        #expect(try PasswordFile.read(file(Array("s3cret wörd\n".utf8))) == "s3cret wörd")
    }

    @Test(arguments: [mode_t(0o640), 0o604, 0o660])
    func `a file that others can read is refused`(mode: mode_t) throws {
        let path = try file(Array("s3cret".utf8), mode: mode)
        #expect(complaint(path) == "\(path) can be read by others: chmod 600 it")
    }

    @Test func `a link is not followed`() throws {
        _ = try file(Array("s3cret".utf8))
        try #require(symlink(directory.path("password"), directory.path("link")) == 0)
        #expect(complaint(directory.path("link"))?.hasPrefix(directory.path("link") + ": ") == true)
    }

    @Test func `what is no regular file of a sensible size is refused`() throws {
        #expect(complaint(directory.path)?.hasSuffix("must be a regular file of at most 4096 bytes") == true)
        let large = try file([UInt8](repeating: 65, count: 4097))
        #expect(complaint(large) == "\(large) must be a regular file of at most 4096 bytes")
    }

    @Test(arguments: [[UInt8](), [0xFF, 0xFE]])
    func `an empty file and one that is not UTF-8 are refused`(bytes: [UInt8]) throws {
        let path = try file(bytes)
        #expect(complaint(path) == "\(path) is empty or not UTF-8")
    }

    @Test func `a missing file is named`() {
        #expect(complaint(directory.path("none")) == "\(directory.path("none")): No such file or directory")
    }
}

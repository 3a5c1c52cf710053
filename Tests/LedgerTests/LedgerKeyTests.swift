import Foundation
import TestSupport
import Testing

@testable import Ledger

@Suite struct LedgerKeyTests {
    @Test func `a key is made once, for its owner alone, and read again`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("key")
        let made = try LedgerKey.load(path: path, mayCreate: true)
        let again = try LedgerKey.load(path: path, mayCreate: true)
        #expect(made.checkValue == again.checkValue)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(!FileManager.default.fileExists(atPath: path + ".new"))
        let other = try LedgerKey.load(path: directory.path("other"), mayCreate: true)
        #expect(other.checkValue != made.checkValue)
    }

    @Test(arguments: ["", "ab", String(repeating: "x", count: 64), String(repeating: "ab", count: 33)])
    func `what is no key is refused and kept`(text: String) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(text, to: "key")
        #expect(throws: LedgerError.wrongKey(path: path)) { try LedgerKey.load(path: path, mayCreate: true) }
        #expect(try directory.read("key") == Array(text.utf8))
    }

    @Test func `a link is not followed to a key`() throws {
        let directory = try TemporaryDirectory()
        let target = try directory.write(String(repeating: "ab", count: 32), to: "elsewhere")
        try FileManager.default.createSymbolicLink(atPath: directory.path("key"), withDestinationPath: target)
        #expect(throws: LedgerError.self) { try LedgerKey.load(path: directory.path("key"), mayCreate: true) }
    }

    @Test func `codes differ by use, by text and by key`() {
        let key = LedgerKey(bytes: [UInt8](repeating: 1, count: 32))
        let other = LedgerKey(bytes: [UInt8](repeating: 2, count: 32))
        let codes = [
            key.code(for: "a", "b"), key.code(for: "ab", ""), key.code(for: "a", "c"), key.code(for: "c", "b"),
            other.code(for: "a", "b"), key.subject("b"),
        ]
        #expect(Set(codes).count == codes.count)
        #expect(codes.allSatisfy { $0.count == 32 })
        #expect(key.code(for: "a", "b") == codes[0])
        #expect(hex(codes[0]).hasPrefix(key.token(for: "a", "b", digits: 20)))
        #expect(key.token(for: "a", "b", digits: 20).utf8.count == 20)
    }

    @Test func `bytes are written as two hexadecimal digits each`() {
        #expect(hex([0x00, 0x0F, 0xFF]) == "000fff")
    }
}

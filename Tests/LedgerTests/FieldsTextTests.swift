import Foundation
import TestSupport
import Testing

@testable import Ledger

@Suite struct FieldsTextTests {
    @Test(arguments: [
        ["name": "Jan"], ["name": "Jan", "branch": "Gieten", "fine": "1,50"], ["a": ""], ["": "a"], ["": ""],
        ["a": "\"", "b": "\\", "c": "\n\r\t\u{0}\u{1F}"], ["a": "{\"b\":\"c\"}"], ["a:b": ",", "c": "}"],
        ["na\u{EF}ve": "\u{1F4DA} e\u{301}"], ["a": "\\u0041"], ["a": ":\"", ",": "\",\""],
    ])
    func `fields come back as they were`(fields: [String: String]) throws {
        let text = try #require(FieldsText.encode(fields))
        #expect(try FieldsText.decode(text) == fields)
        #expect(try JSONDecoder().decode([String: String].self, from: Data(text.utf8)) == fields)
    }

    @Test func `no fields are no text`() throws {
        #expect(FieldsText.encode([:]) == nil)
        #expect(try FieldsText.decode(nil).isEmpty)
        #expect(try FieldsText.decode("{}").isEmpty)
    }

    @Test func `random fields come back as they were`() throws {
        var random = SeededGenerator(seed: 5)
        let letters: [Character] = ["a", "b", "\"", "\\", ",", ":", "{", "}", "\n", "\u{E9}", " "]
        for _ in 0..<2000 {
            var fields: [String: String] = [:]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let texts = (0..<2).map { _ in
                    String(
                        (0..<Int.random(in: 0...4, using: &random)).map { _ in
                            letters.randomElement(using: &random) ?? "a"
                        })
                }
                fields[texts[0]] = texts[1]
            }
            #expect(try FieldsText.decode(FieldsText.encode(fields)) == fields)
        }
    }

    @Test(arguments: ["{\"a\": \"b\"}", "{ }", "{\"a\":\"b\" ,\"c\":\"d\"}", " {\"a\":\"b\"}"])
    func `JSON with spaces is read too`(text: String) throws {
        #expect(try FieldsText.decode(text) == JSONDecoder().decode([String: String].self, from: Data(text.utf8)))
    }

    @Test(arguments: [
        "", "{", "[]", "{\"a\"}", "{\"a\":1}", "{\"a\":\"b\"", "x\"a\":\"b\"}", "{\"a\",\"b\"}",
    ])
    func `what is no object of texts is refused`(text: String) {
        #expect(throws: LedgerError.self) { try FieldsText.decode(text) }
    }
}

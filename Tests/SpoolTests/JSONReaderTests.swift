import Spool
import Testing

struct JSONReaderTests {
    private func read(_ text: String) throws(JSONError) -> JSONValue {
        try JSONReader.read(Array(text.utf8), limits: JSONLimits(bytes: 1 << 20))
    }

    private func fault(_ bytes: [UInt8], limits: JSONLimits = JSONLimits(bytes: 1 << 20)) -> JSONError? {
        do {
            _ = try JSONReader.read(bytes, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    /// Where a document fails, as `line:column`.
    private func place(_ text: String) -> String? {
        fault(Array(text.utf8)).map { "\($0.position.line):\($0.position.column)" }
    }

    @Test func `every kind of value is read with the place where it begins`() throws {
        let value = try read("{\n  \"é\": [true, null,\n 1.5],\n\t\"😀\" : \"x\" }")
        guard case .object(let members) = value.content, case .array(let elements) = members[0].value.content else {
            Issue.record("not an object with an array")
            return
        }
        #expect(value.position == JSONPosition(line: 1, column: 1))
        #expect(members.map(\.key) == ["é", "😀"])
        #expect(members.map(\.position) == [JSONPosition(line: 2, column: 3), JSONPosition(line: 4, column: 2)])
        #expect(members[1].value == JSONValue(.string("x"), at: JSONPosition(line: 4, column: 8)))
        #expect(
            elements == [
                JSONValue(.boolean(true), at: JSONPosition(line: 2, column: 9)),
                JSONValue(.null, at: JSONPosition(line: 2, column: 15)),
                JSONValue(.number(1.5), at: JSONPosition(line: 3, column: 2)),
            ])
    }

    @Test(arguments: [
        ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"),
        ("\"\\u00e9\\uD83D\\uDE00\\u20AC\"", "é😀€"),
        ("\"\u{7F}é€😀\u{10FFFD}\"", "\u{7F}é€😀\u{10FFFD}"),
        ("\"\"", ""),
    ])
    func `strings are read with their escapes`(text: String, expected: String) throws {
        #expect(try read(text).content == .string(expected))
    }

    @Test(arguments: [
        ("0", 0), ("-0", 0), ("0.0e5", 0), ("12", 12), ("-1.5e2", -150), ("1E+2", 100),
        ("9007199254740991", 9_007_199_254_740_991), ("-9007199254740991", -9_007_199_254_740_991),
    ])
    func `numbers that a double holds are read`(text: String, expected: Double) throws {
        #expect(try read(text).content == .number(expected))
    }

    @Test(arguments: [
        "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x10", "-01", "NaN", "Infinity", "-Infinity", "1_000",
        "9007199254740992", "-9007199254740992", "9007199254740991.5", "1e16", "1e999", "1e-999",
        "0.123456789012345678", "1e00000000000000000000000000000000000000001",
    ])
    func `other numbers are refused`(text: String) {
        #expect(place(text) != nil)
    }

    @Test(arguments: [
        ("", "1:1"), (" \n ", "2:2"), ("{", "1:2"), ("[1,]", "1:3"), ("{\"a\":1,\n}", "1:7"), ("[1 2]", "1:4"),
        ("[,1]", "1:2"), ("{a:1}", "1:2"), ("{\"a\" 1}", "1:6"), ("{'a':1}", "1:2"), ("{\"a\":}", "1:6"),
        ("[1] x", "1:5"), ("{} {}", "1:4"), ("// x\n1", "1:1"), ("[1,\n # x\n2]", "2:2"), ("[tru]", "1:2"),
        ("[True]", "1:2"), ("[nullx]", "1:2"), ("[1", "1:3"), ("\"abc", "1:5"), ("\"é😀", "1:4"), ("[\"a\nb\"]", "1:4"),
        ("\"a\tb\"", "1:3"), ("\"\u{1F}\"", "1:2"), ("\"\0\"", "1:2"), ("\"\\u0000\"", "1:2"), ("\"\\x\"", "1:2"),
        ("\"\\u12g4\"", "1:2"), ("\"\\u12", "1:2"), ("\"é\\uD83D\"", "1:3"), ("\"\\uDE00\\uD83D\"", "1:2"),
        ("\"\\uD83D\\u0041\"", "1:2"), ("\"\\uFFFE\"", "1:2"), ("\"\\uFDD0\"", "1:2"),
        ("\u{FEFF}{}", "1:1"), ("[1\u{A0}]", "1:3"), ("[1,\r\n\r\n x]", "3:2"), ("[\"é\", x]", "1:7"), ("[01]", "1:2"),
        ("\u{C}1", "1:1"), ("[\"a\\", "1:4"),
    ])
    func `a fault of the syntax is found where it is`(text: String, expected: String) {
        #expect(place(text) == expected, "\(text.debugDescription)")
    }

    @Test(arguments: [
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"é\":1,\"e\u{301}\":2}", "{\"b\":{\"a\":1},\"a\":1,\"a\":1}",
    ])
    func `a key that comes twice is refused where it comes again`(text: String) throws {
        let error = try #require(fault(Array(text.utf8)))
        let scalars = Array(text.unicodeScalars)
        let second = try #require(scalars.lastIndex(of: ","))
        #expect(error.position == JSONPosition(line: 1, column: second + 2))
        #expect(error.message.contains("twice"))
    }

    @Test func `the same key may stand in two objects`() throws {
        #expect(throws: Never.self) { try read("[{\"a\":1},{\"a\":{\"a\":2}}]") }
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x9F, 0x80], [0xED, 0xA0, 0x80],
            [0xF0, 0x8F, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x82], [0xE2, 0x28, 0xA1],
            [0xF0, 0x9F, 0x98, 0x22],
        ] as [[UInt8]])
    func `invalid UTF-8 is refused`(bytes: [UInt8]) {
        let error = fault([0x22, 0x61] + bytes + [0x22])
        #expect(error?.position == JSONPosition(line: 1, column: 3))
        #expect(error?.message.contains("UTF-8") == true)
        #expect(fault([0x22, 0x61] + bytes) != nil)
    }

    @Test(arguments: [[0xEF, 0xBF, 0xBF], [0xEF, 0xB7, 0x90], [0xF4, 0x8F, 0xBF, 0xBE]] as [[UInt8]])
    func `noncharacters are refused`(bytes: [UInt8]) {
        #expect(fault([0x22, 0x61] + bytes + [0x22])?.position == JSONPosition(line: 1, column: 3))
    }

    @Test(arguments: [[0xFF, 0xFE, 0x7B, 0x00], [0xFE, 0xFF, 0x00, 0x7B]] as [[UInt8]])
    func `a file in UTF-16 is told to be UTF-8`(bytes: [UInt8]) {
        #expect(fault(bytes)?.message.contains("UTF-16") == true)
    }

    @Test func `64 levels are read and the 65th is refused where it opens`() {
        let deep = { (levels: Int) in
            Array((String(repeating: "[", count: levels) + String(repeating: "]", count: levels)).utf8)
        }
        #expect(fault(deep(64)) == nil)
        #expect(fault(deep(65))?.position == JSONPosition(line: 1, column: 65))
    }

    @Test(arguments: ["[", "{\"a\":", "[{\"a\":"])
    func `a hundred thousand open brackets are an error and no overflow`(opening: String) {
        let error = fault(Array(String(repeating: opening, count: 100_000).utf8))
        #expect(error?.message.contains("64 levels") == true)
    }

    @Test func `every limit holds at its value and not beyond it`() {
        var limits = JSONLimits(bytes: 20)
        #expect(fault(Array("[1,2,3,4,5,6,7,8,90]".utf8), limits: limits) == nil)
        #expect(fault(Array("[1,2,3,4,5,6,7,8,900]".utf8), limits: limits)?.message.contains("smaller") == true)
        limits.values = 3
        #expect(fault(Array("[1,2]".utf8), limits: limits) == nil)
        #expect(fault(Array("[1,2,3]".utf8), limits: limits)?.position == JSONPosition(line: 1, column: 6))
        limits.stringBytes = 4
        #expect(fault(Array("\"éé\"".utf8), limits: limits) == nil)
        #expect(fault(Array("\"\\n\\n\\n\\n\"".utf8), limits: limits) == nil)
        #expect(fault(Array("[0,\"ééa\"]".utf8), limits: limits)?.position == JSONPosition(line: 1, column: 4))
        limits.keyBytes = 2
        #expect(fault(Array("{\"ab\":\"abcd\"}".utf8), limits: limits) == nil)
        #expect(fault(Array("{\"abc\":1}".utf8), limits: limits)?.position == JSONPosition(line: 1, column: 2))
    }

    @Test func `ten megabytes of anything end in an answer`() {
        let size = 10 << 20
        let whole = Array(repeating: UInt8.min...UInt8.max, count: size >> 8).joined()
        #expect(fault(Array(whole), limits: JSONLimits(bytes: 16 << 20)) != nil)
        let limits = JSONLimits(bytes: 16 << 20)
        #expect(fault(Array(repeating: UInt8(ascii: " "), count: size), limits: limits) != nil)
        #expect(fault(Array(repeating: UInt8(ascii: "\\"), count: size), limits: limits) != nil)
        #expect(fault([0x22] + Array(repeating: UInt8(ascii: "a"), count: size), limits: limits) != nil)
        #expect(fault(Array(repeating: UInt8(ascii: "9"), count: size), limits: limits) != nil)
        let manyValues = Array("[".utf8) + Array(repeating: Array("1,".utf8), count: size / 2).joined()
        #expect(fault(manyValues, limits: limits)?.message.contains("1000000 values") == true)
    }
}

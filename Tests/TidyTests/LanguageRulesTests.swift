import Testing

struct LanguageRulesTests {
    @Test func `nothing is forced, unchecked, printed or answered in shared memory`() throws {
        let findings = try Repository.read().swift.flatMap { LanguageRules.check($0) }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `no type is named like a module`() throws {
        let repository = try Repository.read()
        let imported = repository.swift.flatMap { $0.imports.map(\.module) }
        let findings = repository.swift.flatMap {
            LanguageRules.types($0, modules: repository.modules.union(imported))
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test(arguments: [
        "let a = b!", "f(b[0]!.c)", "a.first!", "let a: Int!", "try! f()", "a as! B", "f()!", "print(a)",
        "Swift.dump(a)", "getgrgid(0)", "getpwuid(getuid())",
        "final class A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1", "let a = \"\\(b!)\"",
    ])
    func `a forbidden line is found`(line: String) {
        let source = SwiftSource(path: "Sources/Daemon/A.swift", text: "\n\(line)\n")
        let found = LanguageRules.check(source).map(\.line)
        #expect(found == (line.hasPrefix("Swift.") ? [] : [2]))
    }

    @Test(arguments: [
        "if !a, b != c, !(d) {}", "let a = \"b!\"", "// print(a!)", "a!=b", "let a = #\"try! \"print(b)\"!\"#",
        "func print(_ text: String) {}", "let a = \"\"\"\n    b!\n    \"\"\"", "/* a! /* b! */ c! */", "return [!a]",
        "getgrgid_r(0, $0, $1, $2, $3)",
    ])
    func `a permitted line is not found`(line: String) {
        #expect(LanguageRules.check(SwiftSource(path: "Sources/Daemon/A.swift", text: line)) == [])
    }

    @Test func `a type named like a module is found`() {
        let source = SwiftSource(path: "Sources/Relay/Relay.swift", text: "package final class Relay {}\n")
        #expect(LanguageRules.types(source, modules: ["Relay"]).map(\.line) == [1])
        #expect(LanguageRules.types(source, modules: ["Spool"]) == [])
    }
}

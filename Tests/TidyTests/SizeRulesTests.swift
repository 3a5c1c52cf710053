import Testing

struct SizeRulesTests {
    @Test func `no file has more than 400 lines and no line more than 120 characters`() throws {
        let findings = try Repository.read().files.flatMap { SizeRules.check($0) }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `no function has more than 60 lines`() throws {
        let repository = try Repository.read()
        let findings = repository.swift.flatMap { SizeRules.functions($0) }
        #expect(findings.isEmpty, "\(findings.report)")
        #expect(repository.swift.flatMap { SizeRules.bodies($0) }.count > 500)
    }

    @Test func `a long file and a long line are found`() {
        let long = Repository.File(path: "Sources/Daemon/A.swift", text: String(repeating: "//\n", count: 401))
        #expect(SizeRules.check(long).map(\.line) == [401])
        let full = Repository.File(path: "Sources/Daemon/A.swift", text: String(repeating: "//\n", count: 400))
        #expect(SizeRules.check(full) == [])
        let wide = Repository.File(path: "a.py", text: String(repeating: "é", count: 121) + "\n")
        #expect(SizeRules.check(wide).map(\.line) == [1])
        let fits = Repository.File(path: "a.py", text: String(repeating: "é", count: 120) + "\n")
        #expect(SizeRules.check(fits) == [])
    }

    @Test func `a long function is found where it begins, one without a body is not one`() {
        let body = String(repeating: "    f(\"}\")\n", count: 59)
        let text = "protocol A {\n    func a()\n    func b() -> Int\n}\nfunc c() {\n\(body)}\nfunc d(\n) {\n\(body)}\n"
        let source = SwiftSource(path: "Sources/Daemon/A.swift", text: text)
        #expect(SizeRules.bodies(source).map(\.name) == ["c", "d"])
        #expect(SizeRules.bodies(source).map(\.length) == [61, 62])
        #expect(SizeRules.functions(source).map(\.line) == [5, 66])
    }
}

import Testing

struct ImportRulesTests {
    let repository: Repository

    init() throws {
        repository = try Repository.read()
    }

    @Test func `Mailing imports nothing, adapters never import one another, only Daemon sees more than one`() {
        let findings = repository.swift.flatMap { ImportRules.check($0, modules: repository.modules) }
        #expect(findings.isEmpty, "\(findings.report)")
        #expect(repository.sources.contains { $0.module == "Mailing" })
        #expect(Repository.adapters.isSubset(of: repository.modules))
    }

    @Test func `each C module is imported by exactly one Swift module`() {
        let findings = ImportRules.doorsAreUsed(repository.sources, modules: repository.modules)
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `no type of C is in a declaration that other modules see`() {
        let findings = repository.swift.flatMap { ImportRules.signatures($0) }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test(arguments: [
        ("Mailing", "import Foundation"), ("Mailing", "import Glibc"), ("Spool", "package import Ledger"),
        ("Ledger", "import CCurl"), ("Daemon", "import CSystemd"), ("campaignd", "import Relay"),
        ("Relay", "@testable import struct Spool.DropName"),
    ])
    func `a forbidden import is found`(module: String, line: String) {
        let source = SwiftSource(path: "Sources/\(module)/A.swift", text: "// A\n\(line)\n")
        let modules = repository.modules
        #expect(ImportRules.check(source, modules: modules).map(\.line) == [2])
    }

    @Test func `a remark or a literal about an import is not an import`() {
        let source = SwiftSource(
            path: "Sources/Mailing/A.swift", text: "// import Foundation\nlet a = \"import Glibc\"\n/* import B */\n")
        #expect(source.imports.isEmpty)
    }

    @Test func `a type of C in a package function is found, also in its second line`() {
        let text = "package func a(\n    _ handle: OpaquePointer\n) -> Int { 1 }\nfunc b(_ c: CInt) {}\n"
        let findings = ImportRules.signatures(SwiftSource(path: "Sources/Relay/A.swift", text: text))
        #expect(findings.map(\.line) == [1])
    }

    @Test func `a C module without a door is found, and a door that nobody uses`() {
        let findings = ImportRules.doorsAreUsed([], modules: ["CZip", "Mailing"])
        #expect(
            findings.map(\.file) == [
                "Sources/CZip", "Sources/CCurl", "Sources/CGMime", "Sources/CSQLite", "Sources/CSystemd",
            ])
    }
}

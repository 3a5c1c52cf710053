import Testing

struct ManifestRulesTests {
    let manifest: String

    init() throws {
        manifest = try Repository.read().text(ManifestRules.file)
    }

    @Test func `every target is compiled with the strict settings, and no adapter depends on another`() {
        let findings = ManifestRules.check(manifest)
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test(arguments: ManifestRules.settings)
    func `a setting that is missing is found`(setting: String) {
        let findings = ManifestRules.check(manifest.replacing(setting, with: ""))
        #expect(findings.map(\.advice) == ["the array “strict” lacks \(setting)"])
    }

    @Test func `a target without the settings is found`() throws {
        let count = manifest.ranges(of: "swiftSettings: strict").count
        #expect(ManifestRules.check(manifest.replacing("swiftSettings: strict", with: "")).count == count)
        #expect(count >= 4)
    }

    @Test func `an adapter that depends on another is found, and Mailing on anything`() {
        let spool = manifest.replacing("module(\"Spool\", [", with: "module(\"Spool\", [\"Ledger\", ")
        #expect(ManifestRules.check(spool).count == 1)
        let mailing = manifest.replacing("module(\"Mailing\")", with: "module(\"Mailing\", [\"Foundations\"])")
        #expect(ManifestRules.check(mailing).count == 1)
    }
}

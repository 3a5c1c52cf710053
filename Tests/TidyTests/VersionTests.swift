import Testing

/// The version stands in one place, and the Debian package has the same.
struct VersionTests {
    @Test func `the first entry of the changelog of the package has the version of the programs`() throws {
        let repository = try Repository.read()
        let entry = try #require(
            repository.text("debian/changelog").firstMatch(of: /^campaignd \(([0-9.]+)\) [a-z]+;/))
        #expect(
            repository.text("Sources/Daemon/ProgramVersion.swift").contains("static let current = \"\(entry.1)\"\n"))
    }

    @Test func `the programs say that version and no other`() throws {
        for path in ["Sources/campaignd/CampaigndCommand.swift", "Sources/Commands/Campaignctl.swift"] {
            let source = try Repository.read().text(path)
            #expect(source.contains(/version: "[a-z]+ \\\(ProgramVersion\.current\)"/), "\(path)")
        }
    }
}

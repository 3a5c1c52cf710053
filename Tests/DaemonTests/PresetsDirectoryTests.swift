import TestSupport
import Testing

@testable import Daemon

struct PresetsDirectoryTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func found() -> String {
        PresetsDirectory.standard(
            beside: directory.path("etc/presets"), program: directory.path("tree/.build/triple/release/campaignd"),
            installed: [directory.path("usr/presets")])
    }

    @Test func `a program in its source tree finds the presets of the tree`() throws {
        _ = try directory.makeDirectory("tree/.build/triple/release")
        _ = try directory.write("", to: "tree/.build/triple/release/campaignd")
        _ = try directory.makeDirectory("tree/config/presets")
        #expect(found().hasSuffix("tree/config/presets"))
    }

    @Test func `what is installed goes before the source tree, and what stands beside the configuration before both`()
        throws
    {
        _ = try directory.makeDirectory("tree/config/presets")
        _ = try directory.makeDirectory("usr/presets")
        #expect(found() == directory.path("usr/presets"))
        _ = try directory.makeDirectory("etc/presets")
        #expect(found() == directory.path("etc/presets"))
    }

    @Test func `without any the place beside the configuration is named`() {
        #expect(found() == directory.path("etc/presets"))
    }
}

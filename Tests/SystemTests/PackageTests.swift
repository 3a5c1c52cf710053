import Foundation
import Glibc
import TestSupport
import Testing

/// What keeps the package from being tried; nil if nothing does. In continuous integration nothing may be skipped.
private enum PackageTrial {
    static var package: String { ProcessInfo.processInfo.environment["CAMPAIGND_PACKAGE"] ?? "" }

    static var obstacle: String? {
        if ProcessInfo.processInfo.environment["CI"] == "true" { return nil }
        if package.isEmpty { return "no package is named in CAMPAIGND_PACKAGE; `make system` makes one and names it" }
        return geteuid() == 0 ? nil : "a private systemd needs root"
    }
}

extension WholeDaemon {
    /// What `dpkg-buildpackage` alone does with the rules.
    @Suite struct PackageRulesTests {
        @Test(arguments: [[], ["campaignd"]])
        func `a package is not made of what was not built, and nothing is installed for it`(built: [String])
            async throws
        {
            let directory = try TemporaryDirectory()
            for program in built {
                let path = try directory.write("", to: program)
                try #require(chmod(path, 0o755) == 0)
            }
            let rules =
                URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().path + "/debian/rules"
            let result = try await runProcess([
                "make", "-f", rules, "override_dh_auto_build", "CAMPAIGND_RELEASE=\(directory.path)",
            ])
            let lacking = built.isEmpty ? "campaignd" : "campaignctl"
            #expect(result.status != 0)
            #expect(result.errorText.contains("there is no \(directory.path)/\(lacking): run `make deb`"))
            #expect(result.outputText.isEmpty, "\(result.outputText)")
        }
    }

    /// The Debian package, on a Debian that has nothing but apt and systemd, under a real systemd.
    @Suite(.enabled(if: PackageTrial.obstacle == nil, "\(PackageTrial.obstacle ?? "")"))
    struct PackageTests {
        @Test(.timeLimit(.minutes(10)))
        func `the package is installed on a bare Debian, upgraded in the middle of a campaign, and purged`()
            async throws
        {
            let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
            let result = try await runProcess(
                ["/bin/bash", folder + "/package/try", PackageTrial.package], timeout: .seconds(540))
            let lines = result.outputText.split(separator: "\n")
            Figures.say("package: \(lines.count { $0.hasPrefix("ok") }) checks hold")
            #expect(result.status == 0, "\(result.outputText)\n\(result.errorText)")
            #expect(lines.contains { $0.hasPrefix("ok") }, "the checks were made")
        }
    }
}

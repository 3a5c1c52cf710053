import Foundation

/// The files of this repository as they are now, without what git ignores.
struct Repository {
    struct File {
        /// From the root.
        var path: String
        var text: String

        /// The lines with their numbers, from 1.
        var lines: [(number: Int, text: Substring)] {
            text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
                ($0.offset + 1, $0.element)
            }
        }

        var ending: String {
            path.split(separator: "/").last?.split(separator: ".").dropFirst().last.map(String.init) ?? ""
        }
    }

    static let adapters: Set<String> = ["RecipientLists", "Spool", "Ledger", "MIME", "Relay", "Systemd"]

    /// Where adapters meet: at work, and at the command line.
    static let meetingPlaces: Set<String> = ["Daemon", "Commands"]

    private static let current = Result { try Repository() }

    /// Read once for all tests.
    static func read() throws -> Repository { try current.get() }

    /// All files that are text.
    let files: [File]
    let swift: [SwiftSource]

    /// - Throws: what the file system says.
    private init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        files = try Repository.files(root)
        swift = files.filter { $0.ending == "swift" && $0.path != "Package.swift" }.map {
            SwiftSource(path: $0.path, text: $0.text)
        }
    }

    /// The same as .gitignore says.
    private static func isIgnored(_ name: String, isTop: Bool) -> Bool {
        name.hasPrefix(".build") || name.hasSuffix(".pyc")
            || [".git", "__pycache__", "Package.resolved"].contains(name) || (isTop && name == "demo")
    }

    private static func files(_ directory: URL, prefix: String = "") throws -> [File] {
        var found: [File] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() {
            if isIgnored(name, isTop: prefix.isEmpty) { continue }
            // What fuzzers are fed with is odd on purpose.
            if prefix + name == "Tests/Fuzzing/corpus" { continue }
            let url = directory.appendingPathComponent(name)
            let values = try url.resourceValues(forKeys: [.isDirectoryKey, .isSymbolicLinkKey])
            if values.isSymbolicLink == true { continue }
            if values.isDirectory == true {
                found += try files(url, prefix: prefix + name + "/")
            } else if let text = String(bytes: try Data(contentsOf: url), encoding: .utf8) {
                found.append(File(path: prefix + name, text: text))
            }
        }
        return found
    }

    /// The modules of the package: the folders of Sources.
    var modules: Set<String> {
        Set(
            files.compactMap { $0.path.hasPrefix("Sources/") ? $0.path.split(separator: "/").dropFirst().first : nil }
                .map(String.init))
    }

    var sources: [SwiftSource] { swift.filter { !$0.isOfTests } }

    func text(_ path: String) -> String {
        files.first { $0.path == path }?.text ?? ""
    }
}

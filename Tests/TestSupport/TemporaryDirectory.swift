import Foundation
import Glibc

/// A new, empty directory (mode 0700) of its own, removed with everything in it when the last reference goes.
package final class TemporaryDirectory: Sendable {
    /// Absolute, without a slash at the end.
    package let path: String

    /// Makes the directory below the system's directory for temporary files.
    package init() throws {
        let base = FileManager.default.temporaryDirectory.path
        var template = Array("\(base)/campaignd-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw TestSupportError.systemCall("could not make a directory in \(base)")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        do { try remove() } catch { FileHandle.standardError.write(Data("\(error)\n".utf8)) }
    }

    /// The absolute path of something inside.
    package func path(_ relative: String) -> String {
        "\(path)/\(relative)"
    }

    /// Makes a directory inside, with those above it, and returns its absolute path.
    @discardableResult
    package func makeDirectory(_ relative: String) throws -> String {
        try FileManager.default.createDirectory(atPath: path(relative), withIntermediateDirectories: true)
        return path(relative)
    }

    /// Writes a file inside and returns its absolute path.
    @discardableResult
    package func write(_ text: String, to relative: String) throws -> String {
        try write(Array(text.utf8), to: relative)
    }

    /// Writes a file inside and returns its absolute path.
    @discardableResult
    package func write(_ bytes: [UInt8], to relative: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(relative)))
        return path(relative)
    }

    /// The bytes of a file inside.
    package func read(_ relative: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(relative))))
    }

    /// Removes everything, also below directories that were made unreadable. Does nothing the second time.
    package func remove() throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        openUp(path)
        try FileManager.default.removeItem(atPath: path)
    }

    private func openUp(_ directory: String) {
        chmod(directory, 0o700)
        let names: [String]
        // What cannot be listed cannot be removed either: `removeItem` will say so.
        do { names = try FileManager.default.contentsOfDirectory(atPath: directory) } catch { return }
        for name in names {
            var status = stat()
            let entry = "\(directory)/\(name)"
            if lstat(entry, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { openUp(entry) }
        }
    }
}

import Foundation
import Glibc

/// A relay password in a file of its own, for a daemon that runs without systemd's credentials.
enum PasswordFile {
    static func read(_ path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            throw RelayFactory.Unusable(description: "\(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= 4096 else {
            throw RelayFactory.Unusable(description: "\(path) must be a regular file of at most 4096 bytes")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw RelayFactory.Unusable(description: "\(path) can be read by others: chmod 600 it")
        }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0, let text = String(validating: buffer[..<count], as: UTF8.self) else {
            throw RelayFactory.Unusable(description: "\(path) is empty or not UTF-8")
        }
        return text.trimmingCharacters(in: .newlines)
    }
}

import Foundation

/// Counts intents outside of the database: a ledger that is behind it was restored from an older copy.
///
/// Twenty digits, overwritten in place without fsync: a power cut can only make it smaller, which says nothing.
final class IntentCounter: Sendable {
    private let descriptor: Int32
    private let path: String

    init(path: String) throws(LedgerError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .file(path: path, reason: currentError()) }
    }

    deinit { close(descriptor) }

    /// The count so far; 0 for a new or torn file.
    func read() -> Int64 {
        var buffer = [UInt8](repeating: 0, count: 20)
        guard pread(descriptor, &buffer, 20, 0) == 20 else { return 0 }
        return Int64(String(decoding: buffer, as: UTF8.self)) ?? 0
    }

    /// The count so far, for somebody who only looks; nil where the file is not there or may not be read.
    static func look(path: String) -> Int64? {
        guard let bytes = FileManager.default.contents(atPath: path) else { return nil }
        // As `read` has it: before the first intent nothing is in it.
        return bytes.count >= 20 ? Int64(String(decoding: bytes.prefix(20), as: UTF8.self)) ?? 0 : 0
    }

    func write(_ count: Int64) throws(LedgerError) {
        let digits = String(count)
        let text = Array((String(repeating: "0", count: 20 - digits.utf8.count) + digits).utf8)
        guard pwrite(descriptor, text, 20, 0) == 20 else { throw .file(path: path, reason: currentError()) }
    }
}

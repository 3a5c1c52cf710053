import Crypto
import Foundation

/// The secret beside the ledger: 32 random bytes, made once.
///
/// Everything that must be recognised without being readable, or must not be forged, is an HMAC-SHA256 (RFC 2104) with
/// it: suppressed addresses, Message-IDs, envelope senders.
package struct LedgerKey: Sendable {
    private let key: SymmetricKey

    init(bytes: [UInt8]) {
        key = SymmetricKey(data: bytes)
    }

    /// For messages that are shown and not sent: what is derived from it proves nothing.
    package static let sample = LedgerKey(bytes: [UInt8](repeating: 0, count: 32))

    /// Reads the key file, or makes it where there is none and `mayCreate` is true.
    ///
    /// The file holds 64 hexadecimal digits and a line end, mode 0600.
    static func load(path: String, mayCreate: Bool) throws(LedgerError) -> LedgerKey {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        if descriptor < 0 {
            guard errno == ENOENT, mayCreate else {
                throw errno == ENOENT ? .wrongKey(path: path) : .file(path: path, reason: currentError())
            }
            return try create(path: path)
        }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 66)
        let count = read(descriptor, &buffer, buffer.count)
        guard count == 65 || count == 64, let bytes = bytes(hex: buffer[..<64]) else { throw .wrongKey(path: path) }
        return LedgerKey(bytes: bytes)
    }

    private static func create(path: String) throws(LedgerError) -> LedgerKey {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let text = Array((hex(bytes) + "\n").utf8)
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .file(path: path, reason: currentError()) }
        let written = write(descriptor, text, text.count) == text.count && fsync(descriptor) == 0
        close(descriptor)
        guard written, rename(temporary, path) == 0, syncDirectory(of: path) else {
            throw .file(path: path, reason: currentError())
        }
        return LedgerKey(bytes: bytes)
    }

    /// The HMAC of a text for one use; different uses never give the same value.
    package func code(for use: String, _ text: String) -> [UInt8] {
        var code = HMAC<SHA256>(key: key)
        code.update(data: Array(use.utf8) + [0])
        code.update(data: Array(text.utf8))
        return Array(code.finalize())
    }

    /// The beginning of `code(for:_:)` as hexadecimal digits.
    package func token(for use: String, _ text: String, digits: Int) -> String {
        String(hex(code(for: use, text)).prefix(digits))
    }

    /// What stands for an address in the list of suppressions and in the chain of consent.
    func subject(_ addressKey: String) -> [UInt8] { code(for: "address", addressKey) }

    var checkValue: String { token(for: "check", "campaignd", digits: 32) }
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

private func bytes(hex digits: ArraySlice<UInt8>) -> [UInt8]? {
    let values = digits.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard values.count == digits.count, values.count % 2 == 0 else { return nil }
    return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] * 16 + values[$0 + 1]) }
}

func currentError() -> String { String(cString: strerror(errno)) }

func syncDirectory(of path: String) -> Bool {
    let directory = (path as NSString).deletingLastPathComponent
    let descriptor = open(directory.isEmpty ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return fsync(descriptor) == 0
}

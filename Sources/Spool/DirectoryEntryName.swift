/// The name of a directory entry: any bytes but NUL and the slash, not necessarily UTF-8.
package struct DirectoryEntryName: Hashable, Comparable, Sendable {
    package let bytes: [UInt8]

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// The name as text, or nil if it is not UTF-8.
    package var text: String? { String(validating: bytes, as: UTF8.self) }

    var isHidden: Bool { bytes.first == UInt8(ascii: ".") }

    package static func < (left: DirectoryEntryName, right: DirectoryEntryName) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    func hasSuffix(_ suffix: String) -> Bool {
        bytes.count >= suffix.utf8.count && bytes.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    /// Calls `body` with the name as C wants it.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
            // An array with at least one element has an address.
            guard let base = buffer.baseAddress else { preconditionFailure("a C string without its NUL") }
            return try body(base)
        }
    }
}

extension DirectoryEntryName: ExpressibleByStringLiteral {
    package init(stringLiteral text: String) { self.init(text) }
}

extension DirectoryEntryName: CustomStringConvertible {
    /// The name for messages: every byte that is not printable ASCII as `%XX`, unless the whole is clean UTF-8.
    package var description: String {
        if let text, text.unicodeScalars.allSatisfy({ !isControl($0) }) { return text }
        return bytes.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : percentEscaped($0) }.joined()
    }
}

/// C0 and C1 control characters, DEL, and the two line separators of Unicode.
func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029: true
    default: false
    }
}

func percentEscaped(_ byte: UInt8) -> String {
    "%" + hexadecimal([byte]).uppercased()
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

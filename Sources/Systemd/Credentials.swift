import Foundation
import Glibc

/// The secrets that systemd hands to the service: `LoadCredential=` and the like, systemd.exec(5) CREDENTIALS.
package enum Credentials {
    /// The largest credential that is read, in bytes; systemd itself allows no more.
    package static let sizeLimit = 1 << 20

    /// The credential called `name`, without the line break at its end.
    ///
    /// It is a regular file, of UTF-8 text without NUL, in `$CREDENTIALS_DIRECTORY`. systemd fills that directory when
    /// the service is started, not when it is reloaded.
    package static func read(
        name: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(CredentialError) -> String {
        guard isName(name) else { throw .badName(name) }
        guard let directory = environment["CREDENTIALS_DIRECTORY"], !directory.isEmpty else {
            throw .notUnderSystemd(name)
        }
        let path = directory + "/" + name
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? .missing(name) : .unreadable(name, errorNumber: errno)
        }
        defer { close(descriptor) }

        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(name, errorNumber: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(name) }
        guard status.st_size <= sizeLimit else { throw .tooLarge(name) }

        var bytes = try readAll(descriptor, name: name)
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw .empty(name) }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else { throw .notText(name) }
        return text
    }

    private static func readAll(_ descriptor: Int32, name: String) throws(CredentialError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(name, errorNumber: errno) }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= sizeLimit else { throw .tooLarge(name) }
        }
    }

    /// `[A-Za-z0-9._-]+`, at most 255 bytes.
    private static func isName(_ name: String) -> Bool {
        (1...255).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
                default: false
                }
            }
    }
}

/// Why a credential could not be had. Each says what to change; none contains any of the secret.
package enum CredentialError: Error, Equatable, CustomStringConvertible {
    /// The name has characters that the name of a credential cannot have.
    case badName(String)
    /// There is no `$CREDENTIALS_DIRECTORY`.
    case notUnderSystemd(String)
    /// systemd gave credentials, but not this one.
    case missing(String)
    /// It is there but cannot be read; the number is an errno(3).
    case unreadable(String, errorNumber: Int32)
    /// It is a directory, a device or the like.
    case notAFile(String)
    /// It is larger than `Credentials.sizeLimit`.
    case tooLarge(String)
    /// There is nothing in it, or a line break only.
    case empty(String)
    /// It is not UTF-8, or has a NUL in it.
    case notText(String)

    package var description: String {
        switch self {
        case .badName(let name):
            "\"\(SingleLine.of(name, limit: 100))\" cannot be the name of a credential: "
                + "use letters, digits, '.', '_' and '-', at most 255 of them"
        case .notUnderSystemd(let name):
            "The credential \"\(name)\" cannot be read because $CREDENTIALS_DIRECTORY is not set: start the service "
                + "through systemd, with LoadCredential=\(name):FILE in its unit, or set that variable to a directory "
                + "that has a file of this name"
        case .missing(let name):
            "systemd passed no credential \"\(name)\": add LoadCredential=\(name):FILE to the unit and restart it"
        case .unreadable(let name, let errorNumber):
            "The credential \"\(name)\" cannot be read: \(String(cString: strerror(errorNumber)))"
        case .notAFile(let name):
            "The credential \"\(name)\" is not a regular file"
        case .tooLarge(let name):
            "The credential \"\(name)\" is larger than \(Credentials.sizeLimit) bytes"
        case .empty(let name):
            "The credential \"\(name)\" is empty: write the secret into its file and restart the service"
        case .notText(let name):
            "The credential \"\(name)\" is not UTF-8 text, or contains a NUL"
        }
    }
}

import Glibc
import Mailing

/// A failed system call, in a sentence.
struct SystemCallFailure: Error, CustomStringConvertible {
    let code: Int32
    let description: String

    init(_ attempt: String, code: Int32 = errno) {
        self.code = code
        description = "\(attempt): \(String(cString: strerror(code)))"
    }
}

/// Names for messages, unique as maildir(5) wants them: time, then microseconds, process, counter and chance, then
/// host.
struct MaildirNames {
    private var counter = 0

    mutating func next() -> String {
        counter += 1
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let chance = String(UInt64.random(in: .min ... .max), radix: 16)
        return "\(time.tv_sec).M\(time.tv_nsec / 1000)P\(getpid())Q\(counter)R\(chance).\(MaildirNames.host)"
    }

    private static let host: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return escaped(buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }()

    /// maildir(5) writes a slash and a colon of a host name in octal.
    static func escaped(_ host: [UInt8]) -> String {
        let name = host.prefix(64).map { byte in
            switch byte {
            case 47: "\\057"
            case 58: "\\072"
            default: String(UnicodeScalar(byte))
            }
        }
        return name.isEmpty ? "localhost" : name.joined()
    }
}

/// The files of a Maildir.
enum MaildirFile {
    /// The message as a file: the envelope in two headers before it, lines ending in LF.
    static func content(_ envelope: Envelope, message: [UInt8]) -> [UInt8] {
        var output = Array("Return-Path: <\(envelope.sender)>\nDelivered-To: \(envelope.recipient)\n".utf8)
        output.reserveCapacity(output.count + message.count)
        for (index, byte) in message.enumerated() {
            if byte == 13, index + 1 < message.count, message[index + 1] == 10 { continue }
            output.append(byte)
        }
        return output
    }

    /// Writes a new file of mode 0600 and makes its content durable.
    static func write(_ bytes: [UInt8], to path: String) throws(SystemCallFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw SystemCallFailure("\(path) cannot be made") }
        var isOpen = true
        defer { if isOpen { close(descriptor) } }
        var position = 0
        while position < bytes.count {
            let count = bytes[position...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemCallFailure("\(path) cannot be written") }
            position += count
        }
        guard fsync(descriptor) == 0 else { throw SystemCallFailure("\(path) cannot be made durable") }
        isOpen = false
        guard close(descriptor) == 0 else { throw SystemCallFailure("\(path) cannot be closed") }
    }

    /// Makes the names in a directory durable.
    static func synchronise(directory: String) throws(SystemCallFailure) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemCallFailure("\(directory) cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemCallFailure("\(directory) cannot be made durable") }
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

import Glibc

/// What the file system refused, as a sentence that says what to do about it.
///
/// It is about the machine, never about the contents of a drop: those faults are `JobError`s.
package struct SpoolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, as in "rename".
    package var operation: String
    package var path: String
    /// The `errno` of the call; 0 where the fault is not a failed call.
    package var code: Int32
    /// What is wrong where `code` is 0.
    package var detail: String?

    init(_ operation: String, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    init(_ path: String, detail: String) {
        operation = "use"
        self.path = path
        code = 0
        self.detail = detail
    }

    package var description: String {
        if let detail { return "\(path) \(detail)" }
        let start = "cannot \(operation) \(path): \(systemMessage(code))"
        guard let advice else { return start }
        return "\(start); \(advice)"
    }

    private var advice: String? {
        switch code {
        case EACCES, EPERM: "give the daemon's user access to it"
        case ENOSPC, EDQUOT: "make room on its file system"
        case EROFS: "its file system must be writable"
        case EXDEV: "the whole spool must be on one file system, in one mount"
        case EMFILE, ENFILE: "raise the limit of open files (LimitNOFILE=)"
        case EIO: "check the disk"
        default: nil
        }
    }
}

/// The system's words for an `errno`.
func systemMessage(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    let length = buffer.firstIndex(of: 0) ?? buffer.count
    return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

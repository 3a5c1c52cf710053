import Glibc

/// A regular file, open for reading as long as the value lives.
struct ListFile: ~Copyable {
    private let descriptor: Int32

    init(path: String) throws(ListError) {
        descriptor = try Self.openRegular(path)
    }

    deinit {
        close(descriptor)
    }

    /// Fills `buffer` from the byte at `offset` on; fewer bytes than it holds only at the end of the file.
    func read(into buffer: inout [UInt8], at offset: Int) throws(ListError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = buffer.withUnsafeMutableBytes { bytes in
                pread(descriptor, bytes.baseAddress?.advanced(by: filled), bytes.count - filled, offset + filled)
            }
            if count > 0 {
                filled += count
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw ListError(message: "the list cannot be read: \(Self.reason(errno))")
            }
        }
        return filled
    }

    private static func openRegular(_ path: String) throws(ListError) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            throw ListError(message: "the list cannot be opened: \(reason(errno))")
        }
        var status = stat()
        let answer = fstat(descriptor, &status)
        if answer == 0 && status.st_mode & S_IFMT == S_IFREG { return descriptor }
        let message = answer == 0 ? "the list is not a regular file" : "the list cannot be examined: \(reason(errno))"
        close(descriptor)
        throw ListError(message: message)
    }

    private static func reason(_ code: Int32) -> String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }
}

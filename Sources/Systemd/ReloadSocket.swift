import CSystemd
import Glibc

/// Where one who has changed the configuration asks the daemon to read it again, and waits for the answer.
///
/// A stream socket in the runtime directory. To connect is to ask; the answer is text, and the end of the connection
/// its end. So no answer is taken for another's, and a daemon that ends meanwhile is noticed at once: the kernel closes
/// what it had open.
package final class ReloadSocket: Sendable {
    /// The name of the socket in the runtime directory.
    package static let name = "reload"
    /// Readable when somebody asks. It belongs to the socket: do not close it.
    package let fileDescriptor: Int32

    /// Makes the socket, in the place of one that an earlier daemon left. Only root and the user of this process may
    /// use it.
    ///
    /// - Parameter directory: `$RUNTIME_DIRECTORY`, at most 100 bytes.
    package init(directory: String) throws(ReloadSocketError) {
        let path = directory + "/" + Self.name
        guard unlink(path) == 0 || errno == ENOENT else { throw ReloadSocketError("remove", path) }
        let descriptor = try Self.socket(path)
        let isListening = Self.withAddress(of: path) { bind(descriptor, $0, $1) } == 0
        guard isListening, chmod(path, 0o600) == 0, listen(descriptor, 16) == 0 else {
            let error = ReloadSocketError("listen at", path)
            close(descriptor)
            throw error
        }
        fileDescriptor = descriptor
    }

    deinit { close(fileDescriptor) }

    /// The next one who asks; nil if there is none now.
    package func next() -> ReloadRequest? {
        while true {
            let descriptor = accept(fileDescriptor, nil, nil)
            if descriptor >= 0 {
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
                return ReloadRequest(descriptor)
            }
            guard errno == EINTR || errno == ECONNABORTED else { return nil }
        }
    }

    /// Asks the daemon that has its socket in this directory, and blocks until it has answered.
    ///
    /// - Parameters:
    ///   - directory: `$RUNTIME_DIRECTORY` of the daemon.
    ///   - seconds: No longer than this, from the call to its end, however much is heard meanwhile.
    ///   - now: Tells the time in nanoseconds, by a clock that nobody sets.
    ///   - heard: Is given each line of the answer, without its end.
    /// - Returns: How it ended.
    package static func ask(
        directory: String, seconds: Int, now: () -> Int64, heard: (String) -> Void
    ) throws(ReloadSocketError) -> Ending {
        let path = directory + "/" + name
        let deadline = now() + Int64(seconds) * 1_000_000_000
        let descriptor = try socket(path, flags: Int32(SOCK_CLOEXEC.rawValue))
        defer { close(descriptor) }
        guard allow(descriptor, SO_SNDTIMEO, nanoseconds: deadline - now()) else { return .late }
        guard withAddress(of: path, { connect(descriptor, $0, $1) }) == 0 else {
            // So many ask already that the daemon, which does not look, has no room for one more.
            if errno == EAGAIN { return .late }
            throw ReloadSocketError("reach the daemon at", path)
        }
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while allow(descriptor, SO_RCVTIMEO, nanoseconds: deadline - now()) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return errno == EAGAIN ? .late : .closed }
            guard count > 0 else { return .closed }
            rest += buffer[..<count]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                heard(String(decoding: rest[..<end], as: UTF8.self))
                rest = Array(rest[(end + 1)...])
            }
        }
        return .late
    }

    /// Lets the next call on a socket block for so long. Returns false if no time is left.
    private static func allow(_ descriptor: Int32, _ option: Int32, nanoseconds: Int64) -> Bool {
        let left = nanoseconds / 1000
        guard left > 0 else { return false }
        var limit = timeval(tv_sec: Int(left / 1_000_000), tv_usec: Int(left % 1_000_000))
        setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        return true
    }

    /// How the wait for an answer ended.
    package enum Ending: Sendable, Equatable {
        /// The daemon closed the connection: it has said all, or has ended.
        case closed
        /// It had not said all when the time was over.
        case late
    }

    private static func socket(
        _ path: String, flags: Int32 = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    ) throws(ReloadSocketError) -> Int32 {
        guard path.utf8.count < 108, !path.utf8.contains(0) else {
            throw ReloadSocketError(description: "\(path) is too long to be the name of a socket")
        }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | flags, 0)
        guard descriptor >= 0 else { throw ReloadSocketError("make", path) }
        return descriptor
    }

    private static func withAddress(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}

/// One who asked. The connection ends with it.
package final class ReloadRequest: Sendable {
    private let descriptor: Int32

    fileprivate init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Sends some lines, never waiting: who does not read loses what there is no room for.
    package func say(_ lines: [String]) {
        let bytes = Array(lines.map { SingleLine.of($0, limit: 4000) + "\n" }.joined().utf8)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}

/// Why nobody can be asked, or nobody can ask.
package struct ReloadSocketError: Error, Equatable, CustomStringConvertible {
    package let description: String
    /// errno(3); 0 where there is none.
    package let code: Int32

    init(description: String) {
        self.description = description
        code = 0
    }

    init(_ what: String, _ path: String) {
        code = errno
        description = "cannot \(what) \(path): \(String(cString: strerror(code)))"
    }
}

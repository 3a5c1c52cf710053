import Foundation
import Glibc
import Synchronization

/// The service manager's end of `sd_notify`: a datagram socket whose messages are read as they come, so that the
/// sender never waits for room.
package final class NotifySocket: Sendable {
    /// What belongs into NOTIFY_SOCKET.
    package let path: String
    private let received: Mutex<[String]>
    private let wake: WakeSignal

    /// - Parameter path: a path of at most 107 bytes; what is there is replaced.
    package init(path: String) throws {
        self.path = path
        received = Mutex([])
        wake = try WakeSignal()
        let descriptor = try Self.bound(to: path)
        // The thread must not hold self: it ends when the last other reference goes.
        let wake = wake
        let append: @Sendable (String) -> Bool = { [weak self] text in
            self?.received.withLock { $0.append(contentsOf: text.split(separator: "\n").map(String.init)) } != nil
        }
        Thread.detachNewThread {
            Self.read(descriptor, wake: wake, append: append)
            close(descriptor)
        }
    }

    deinit {
        wake.fire()
        unlink(path)
    }

    /// All assignments so far, such as `READY=1`, in the order they came.
    package var messages: [String] { received.withLock { $0 } }

    private static func bound(to path: String) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { field in
            guard bytes.count < field.count else { return false }
            field.copyBytes(from: bytes)
            return true
        }
        guard fits else { throw TestSupportError("the path is too long for a socket: \(path)") }
        unlink(path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestSupportError.systemCall("could not make a socket") }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else {
            let error = TestSupportError.systemCall("could not bind \(path)")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func read(_ descriptor: Int32, wake: WakeSignal, append: (String) -> Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var entries = [
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&entries, 2, -1)
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0, entries[0].revents == 0 else { return }
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0, !append(String(decoding: buffer[..<count], as: UTF8.self)) { return }
        }
    }
}

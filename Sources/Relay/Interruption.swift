import Glibc
import Synchronization

/// Lets another thread end what a connection is waiting for.
///
/// It knows the sockets that libcurl opens. An interruption shuts them down, which wakes every poll(2) on them.
///
/// libcurl 7.88 closes a socket that did not become a connection in time without a word to us, and then its number may
/// belong to any other file. So each socket has a second descriptor here, which nobody else closes.
final class Interruption: Sendable {
    private struct State {
        /// Our descriptors, by those of libcurl.
        var sockets: [Int32: Int32] = [:]
        var isListening = false
        var isTripped = false

        func shutDown() {
            for own in sockets.values { shutdown(own, Int32(SHUT_RDWR)) }
        }
    }

    private let state = Mutex(State())

    /// From here to `end`, `trip` counts.
    func begin() {
        state.withLock {
            $0.isListening = true
            $0.isTripped = false
        }
    }

    func end() {
        state.withLock { $0.isListening = false }
    }

    /// Whether the latest call was interrupted.
    var isTripped: Bool { state.withLock { $0.isTripped } }

    /// Ends what is under way between `begin` and `end`; outside of them it does nothing.
    func trip() {
        state.withLock {
            guard $0.isListening else { return }
            $0.isTripped = true
            $0.shutDown()
        }
    }

    /// A new socket for libcurl, or -1 with errno.
    func makeSocket(family: Int32, type: Int32, protocol: Int32) -> Int32 {
        state.withLock {
            guard !$0.isTripped else {
                errno = EINTR
                return -1
            }
            let descriptor = socket(family, type | Int32(SOCK_CLOEXEC.rawValue), `protocol`)
            guard descriptor >= 0 else { return -1 }
            let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard own >= 0 else {
                let code = errno
                close(descriptor)
                errno = code
                return -1
            }
            if let gone = $0.sockets.updateValue(own, forKey: descriptor) { close(gone) }
            return descriptor
        }
    }

    func closeSocket(_ descriptor: Int32) -> Int32 {
        state.withLock {
            if let own = $0.sockets.removeValue(forKey: descriptor) { close(own) }
            return close(descriptor)
        }
    }

    /// The session is over: what libcurl has closed by itself is closed here too.
    func forgetSockets() {
        state.withLock {
            for own in $0.sockets.values { close(own) }
            $0.sockets = [:]
        }
    }

    /// Shuts down whatever is open: nothing more leaves, and closing cannot block.
    func shutDown() {
        state.withLock { $0.shutDown() }
    }
}

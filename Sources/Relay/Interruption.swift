import Glibc
import Synchronization

/// Lets another thread end what a connection is waiting for.
///
/// It knows the sockets that libcurl opens. An interruption shuts them down, which wakes every poll(2) on them; while
/// a socket is known its number cannot be given to another file, since closing happens under the same lock.
final class Interruption: Sendable {
    private struct State {
        var sockets: Set<Int32> = []
        var isListening = false
        var isTripped = false
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
            for socket in $0.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
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
            if descriptor >= 0 { $0.sockets.insert(descriptor) }
            return descriptor
        }
    }

    func closeSocket(_ descriptor: Int32) -> Int32 {
        state.withLock {
            $0.sockets.remove(descriptor)
            return close(descriptor)
        }
    }

    /// Shuts down whatever is open: nothing more leaves, and closing cannot block.
    func shutDown() {
        state.withLock {
            for socket in $0.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
        }
    }
}

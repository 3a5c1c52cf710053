import Glibc

/// Ends every wait of the threads that poll it. Fires once and stays fired.
final class WakeSignal: Sendable {
    let descriptor: Int32
    private let trigger: Int32

    init() throws {
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
            throw TestSupportError.systemCall("could not make a wake signal")
        }
        (descriptor, trigger) = (pair[0], pair[1])
    }

    deinit {
        close(descriptor)
        close(trigger)
    }

    func fire() {
        send(trigger, [1], 1, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    var hasFired: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }
}

/// A listening TCP socket on 127.0.0.1.
struct LoopbackListener {
    let descriptor: Int32
    let port: UInt16

    /// Listens on `port`, or on a free one for 0.
    init(port wanted: UInt16) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestSupportError.systemCall("could not make a socket") }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = wanted.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && listen(descriptor, 128) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard bound else {
            let error = TestSupportError.systemCall("could not listen on 127.0.0.1:\(wanted)")
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
    }

    /// Waits for the next connection; nil when `wake` has fired or the socket is of no more use.
    func nextConnection(wake: WakeSignal) -> Int32? {
        while true {
            var entries = [
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&entries, 2, -1)
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0, entries[0].revents == 0 else { return nil }
            let connection = accept(descriptor, nil, nil)
            if connection < 0 {
                guard [EINTR, ECONNABORTED, EAGAIN].contains(errno) else { return nil }
                continue
            }
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            _ = fcntl(connection, F_SETFL, O_NONBLOCK)
            var yes: Int32 = 1
            setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
            return connection
        }
    }
}

/// Why a connection's dialogue came to its end.
enum ConnectionEnding: Error, Equatable {
    case clientClosed
    case stopped
    case scripted
    case failed(Int32)
}

/// One accepted connection, used by one thread: buffered reading that keeps the moment of each `recv`.
final class ServerConnection {
    /// When the latest `recv` that brought bytes returned, `CLOCK_MONOTONIC` in nanoseconds.
    private(set) var receivedAt: UInt64 = 0
    private var descriptor: Int32
    private let wake: WakeSignal
    private var buffer: [UInt8] = []
    private var chunk = [UInt8](repeating: 0, count: 65_536)

    init(descriptor: Int32, wake: WakeSignal) {
        self.descriptor = descriptor
        self.wake = wake
    }

    deinit {
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    /// The next line without its terminator, and whether that was CRLF (else a bare LF).
    func readLine() throws(ConnectionEnding) -> (bytes: [UInt8], endsInCRLF: Bool) {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let crlf = end > 0 && buffer[end - 1] == 13
                let line = Array(buffer[..<(crlf ? end - 1 : end)])
                buffer.removeFirst(end + 1)
                return (line, crlf)
            }
            try receive()
        }
    }

    /// Everything that has been received and not been read; waits for some if there is none.
    func readSome() throws(ConnectionEnding) -> [UInt8] {
        if buffer.isEmpty { try receive() }
        defer { buffer = [] }
        return buffer
    }

    /// Gives back what was read too much: it will be read first.
    func unread(_ bytes: [UInt8]) {
        buffer.insert(contentsOf: bytes, at: 0)
    }

    /// What the client has already sent and nobody has read, without waiting. A lost connection is not noticed here.
    func waitingBytes() -> [UInt8] {
        while let count = try? receiveOnce(), count {}
        return buffer
    }

    /// Waits until something can be read; false when `deadline` (monotonic ns) came first.
    func waitForInput(until deadline: UInt64) throws(ConnectionEnding) -> Bool {
        if !buffer.isEmpty { return true }
        return try wait(for: POLLIN, until: deadline)
    }

    /// Lets time pass (forever for nil) while the client stays connected; what it sends meanwhile is kept.
    func pause(until deadline: UInt64?) throws(ConnectionEnding) {
        while try wait(for: POLLIN, until: deadline) { _ = try receiveOnce() }
    }

    /// Writes all bytes, in a single `send` if the socket takes them. Returns when the last `send` returned.
    @discardableResult
    func write(_ bytes: [UInt8]) throws(ConnectionEnding) -> UInt64 {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                send(
                    descriptor, raw.baseAddress.map { $0 + written }, raw.count - written, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                _ = try wait(for: POLLOUT, until: nil)
            } else if errno != EINTR {
                throw errno == EPIPE || errno == ECONNRESET ? .clientClosed : .failed(errno)
            }
        }
        return MonotonicClock.now()
    }

    /// Closes with FIN; with `reset`, with RST and whatever was unsent thrown away.
    func close(reset: Bool = false) {
        guard descriptor >= 0 else { return }
        if reset {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        } else {
            // Unread bytes would turn the FIN into a RST, which can overtake our last reply.
            while recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT)) > 0 {}
        }
        Glibc.close(descriptor)
        descriptor = -1
    }

    private func receive() throws(ConnectionEnding) {
        repeat { _ = try wait(for: POLLIN, until: nil) } while try !receiveOnce()
    }

    private func receiveOnce() throws(ConnectionEnding) -> Bool {
        let count = recv(descriptor, &chunk, chunk.count, 0)
        let moment = MonotonicClock.now()
        if count > 0 {
            receivedAt = moment
            buffer.append(contentsOf: chunk[..<count])
            return true
        }
        if count == 0 || errno == ECONNRESET { throw .clientClosed }
        guard errno == EAGAIN || errno == EINTR else { throw .failed(errno) }
        return false
    }

    private func wait(for events: Int32, until deadline: UInt64?) throws(ConnectionEnding) -> Bool {
        while true {
            var entries = [
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor, events: Int16(events), revents: 0),
            ]
            var milliseconds: Int32 = -1
            if let deadline {
                let now = MonotonicClock.now()
                let left = deadline > now ? (deadline - now + 999_999) / 1_000_000 : 0
                milliseconds = Int32(clamping: left)
            }
            let ready = poll(&entries, 2, milliseconds)
            if ready < 0 && errno != EINTR { throw .failed(errno) }
            guard ready > 0 else {
                if ready == 0, let deadline, MonotonicClock.now() >= deadline || deadline == 0 { return false }
                continue
            }
            if entries[0].revents != 0 { throw .stopped }
            return true
        }
    }
}

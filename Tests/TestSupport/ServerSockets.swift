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
    ///
    /// A child process that is just being started holds a copy of the socket that listened there before: so a port
    /// that is in use is asked for again for two seconds.
    init(port wanted: UInt16) throws {
        let deadline = MonotonicClock.now() + 2_000_000_000
        while true {
            do throws(Failure) {
                self = try LoopbackListener(once: wanted)
                return
            } catch {
                guard error.code == EADDRINUSE, MonotonicClock.now() < deadline else {
                    throw TestSupportError.systemCall("could not listen on 127.0.0.1:\(wanted)", error.code)
                }
                poll(nil, 0, 5)
            }
        }
    }

    private struct Failure: Error {
        let code: Int32
    }

    private init(once wanted: UInt16) throws(Failure) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(code: errno) }
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
            let code = errno
            close(descriptor)
            throw Failure(code: code)
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
    /// The TLS handshake came to nothing, in OpenSSL's words.
    case notEncrypted(String)
    case failed(Int32)
}

/// One accepted connection, used by one thread: buffered reading that keeps the moment of each `recv`.
///
/// From `encrypt` on, all that is read and written goes through TLS.
final class ServerConnection {
    /// When the latest `recv` that brought bytes returned, `CLOCK_MONOTONIC` in nanoseconds.
    private(set) var receivedAt: UInt64 = 0
    private var descriptor: Int32
    private let wake: WakeSignal
    private var buffer: [UInt8] = []
    private var chunk = [UInt8](repeating: 0, count: 65_536)
    private var engine: TLSEngine?

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

    /// What has been received and not been read.
    var unreadBytes: [UInt8] { buffer }

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

    /// Reads no more and lets the client's bytes pile up, until the server stops. The client's end goes unnoticed.
    func turnDeaf() throws(ConnectionEnding) {
        var size: Int32 = 4096
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        _ = try wait(for: nil, until: nil)
    }

    /// Waits for the client's first bytes and tells whether they can be those of TLS (RFC 8446 5.1).
    func waitForHello() throws(ConnectionEnding) -> Bool {
        if buffer.isEmpty { try receive() }
        return buffer.first == 22
    }

    /// The server's half of a TLS handshake. What is read but not used yet belongs to it.
    ///
    /// - Parameter certificate: a PEM file with key and certificate.
    func encrypt(certificate: String) throws(ConnectionEnding) {
        let engine: TLSEngine
        do { engine = try TLSEngine(certificate: certificate) } catch { throw .notEncrypted("\(error)") }
        engine.take(buffer)
        buffer = []
        while true {
            let progress = engine.shakeHands()
            try transmit(engine.outgoing())
            switch progress {
            case .finished:
                self.engine = engine
                _ = try takeDecrypted(engine)
                return
            case .failed(let reason): throw .notEncrypted(reason)
            case .unfinished:
                try receive()
                engine.take(buffer)
                buffer = []
            }
        }
    }

    /// Tells the client that nothing more comes, where TLS has a word for it. What goes wrong is of no interest then.
    func sayFarewell() {
        guard let engine else { return }
        engine.sayFarewell()
        do { try transmit(engine.outgoing()) } catch {}
    }

    /// Writes all bytes, in a single `send` if the socket takes them. Returns when the last `send` returned.
    @discardableResult
    func write(_ bytes: [UInt8]) throws(ConnectionEnding) -> UInt64 {
        guard let engine else { return try transmit(bytes) }
        engine.write(bytes)
        return try transmit(engine.outgoing())
    }

    /// Writes bytes past TLS.
    func writeInClear(_ bytes: [UInt8]) throws(ConnectionEnding) {
        try transmit(bytes)
    }

    @discardableResult
    private func transmit(_ bytes: [UInt8]) throws(ConnectionEnding) -> UInt64 {
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
            guard let engine else {
                buffer.append(contentsOf: chunk[..<count])
                return true
            }
            engine.take(chunk[..<count])
            return try takeDecrypted(engine)
        }
        if count == 0 || errno == ECONNRESET { throw .clientClosed }
        guard errno == EAGAIN || errno == EINTR else { throw .failed(errno) }
        return false
    }

    /// Whether anything was decrypted.
    private func takeDecrypted(_ engine: TLSEngine) throws(ConnectionEnding) -> Bool {
        var isSome = false
        while true {
            switch engine.read() {
            case .bytes(let bytes):
                buffer.append(contentsOf: bytes)
                isSome = true
            case .nothing:
                try transmit(engine.outgoing())
                return isSome
            case .ended:
                if isSome { return true }
                throw .clientClosed
            }
        }
    }

    /// - Parameter events: nil for none but the wake signal.
    private func wait(for events: Int32?, until deadline: UInt64?) throws(ConnectionEnding) -> Bool {
        while true {
            var entries = [
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: events == nil ? -1 : descriptor, events: Int16(events ?? 0), revents: 0),
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

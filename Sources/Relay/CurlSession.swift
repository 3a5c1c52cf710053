import CCurl
import Glibc
import Mailing

/// One session with a mail server: a libcurl handle in CONNECT_ONLY mode, which connects, greets, encrypts and
/// authenticates, and then carries bytes.
///
/// Used by one thread at a time. Dropping it closes the connection without another word to the server.
final class CurlSession {
    enum Sent {
        /// So many bytes were taken; at least 1.
        case taken(Int)
        case wouldBlock
        case failed(String)
    }

    enum Received {
        case bytes([UInt8])
        case wouldBlock
        /// The connection is gone, and why.
        case closed(String)
    }

    let isEncrypted: Bool
    private(set) var socket: Int32 = -1
    private let settings: SMTPRelaySettings
    private let handle: UnsafeMutableRawPointer
    private let context: CurlContext
    private let errorText: UnsafeMutablePointer<CChar>
    private var buffer = [UInt8](repeating: 0, count: 16_384)

    /// nil when libcurl cannot be initialised: memory is lacking.
    init?(settings: SMTPRelaySettings, interruption: Interruption) {
        guard CurlLibrary.isReady, let handle = curl_easy_init() else { return nil }
        self.settings = settings
        self.handle = handle
        isEncrypted = settings.security != .plainLoopback
        context = CurlContext(handle: handle, settings: settings, interruption: interruption)
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        // Closing calls back into the context, so the handle goes first.
        curl_easy_cleanup(handle)
        context.interruption.forgetSockets()
        errorText.deallocate()
    }

    /// What the server offered after encryption.
    var extensions: SMTPExtensions { context.trace.extensions }

    /// `host:port [address] TLS version`, as far as known.
    var peer: String {
        var text: UnsafePointer<CChar>?
        campaignd_curl_get_text(handle, CURLINFO_PRIMARY_IP, &text)
        let address = text.map { " [\(String(cString: $0))]" } ?? ""
        return settings.address + address + (context.tlsVersion.map { " \($0)" } ?? "")
    }

    /// The port of this machine, as the server sees it where nobody translates addresses.
    var localPort: Int? {
        var port = 0
        let code = campaignd_curl_get_long(handle, CURLINFO_LOCAL_PORT, &port)
        return code == CURLE_OK && port > 0 ? port : nil
    }

    /// Connects up to the point where mail can be handed over; nil when that succeeded.
    func connect() -> RelayOpening? {
        var options = CurlOptions(handle: handle)
        options.set(settings)
        options.set(context, errorText: errorText)
        guard options.failures.isEmpty else {
            return .failed(.connect, "libcurl refused the settings of \(settings.address): \(options.failures)")
        }
        let code = curl_easy_perform(handle)
        campaignd_curl_set_long(handle, CURLOPT_VERBOSE, 0)
        guard code == CURLE_OK else { return failure(code) }
        if let violation = context.trace.violation {
            return .failed(context.trace.awaited, "\(settings.address) does not speak SMTP: \(violation)")
        }
        if settings.username != nil, !context.trace.isAuthenticated {
            return .failed(
                .authentication,
                "\(settings.address) offers no way to log in, though a user name is configured; nothing was sent")
        }
        var descriptor: curl_socket_t = -1
        campaignd_curl_get_socket(handle, CURLINFO_ACTIVESOCKET, &descriptor)
        guard descriptor >= 0 else {
            return .failed(.connect, "\(settings.address) closed the connection as soon as it stood")
        }
        socket = descriptor
        return nil
    }

    private func failure(_ code: CURLcode) -> RelayOpening {
        let trace = context.trace
        guard !context.interruption.isTripped else {
            return .failed(context.isConnected ? trace.awaited : .connect, "connecting was interrupted")
        }
        if let (phase, reply) = trace.latest, reply.severity == .temporary || reply.severity == .permanent {
            return .refused(phase, reply)
        }
        let detail = String(cString: errorText)
        let reason = CurlFailure(
            code: code, detail: detail.isEmpty ? CurlLibrary.sentence(for: code) : detail,
            awaited: context.isConnected ? trace.awaited : .connect, mechanisms: trace.mechanisms)
        return .failed(reason.phase, reason.sentence(for: settings))
    }

    /// Hands bytes to the connection without waiting. After `wouldBlock` the same bytes must be offered again.
    func send(_ bytes: ArraySlice<UInt8>) -> Sent {
        var count = 0
        let code = bytes.withUnsafeBytes { curl_easy_send(handle, $0.baseAddress, $0.count, &count) }
        if count > 0 { return .taken(count) }
        switch code {
        case CURLE_OK, CURLE_AGAIN: return .wouldBlock
        default: return .failed("writing to \(settings.address) failed: \(CurlLibrary.sentence(for: code))")
        }
    }

    /// What has arrived, without waiting. To be asked until it says `wouldBlock` before `wait`, since TLS buffers.
    func receive() -> Received {
        var count = 0
        let code = buffer.withUnsafeMutableBytes { curl_easy_recv(handle, $0.baseAddress, $0.count, &count) }
        switch code {
        case CURLE_OK where count > 0: return .bytes(Array(buffer[..<count]))
        case CURLE_OK: return .closed("\(settings.address) closed the connection")
        case CURLE_AGAIN: return .wouldBlock
        default:
            return .closed("the connection to \(settings.address) broke: \(CurlLibrary.sentence(for: code))")
        }
    }

    /// Waits until something can be read or written, as asked, or the connection broke; false when `deadline` came
    /// first.
    func wait(reading: Bool, writing: Bool, until deadline: BootInstant) -> Bool {
        while true {
            let events = (reading ? Int16(POLLIN) : 0) | (writing ? Int16(POLLOUT) : 0)
            var entry = pollfd(fd: socket, events: events, revents: 0)
            let ready = poll(&entry, 1, BootClock.millisecondsLeft(until: deadline))
            if ready > 0 { return true }
            if ready == 0, BootClock.now >= deadline { return false }
            // Anything but a signal is a broken descriptor: the next read will say so.
            if ready < 0, errno != EINTR { return true }
        }
    }

    /// Whether bytes can be written without waiting.
    var isWritable: Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, 0) > 0
    }
}

import CCurl
import Glibc
import Mailing

/// What the callbacks of libcurl see and note down while a connection is made.
final class CurlContext {
    let interruption: Interruption
    var trace: GreetingTrace
    /// `TLSv1.3` or the like, once it is known.
    var tlsVersion: String?
    /// Whether the TCP connection stands.
    private(set) var isConnected = false
    private let handle: UnsafeMutableRawPointer
    private let wholeMilliseconds: Int

    init(handle: UnsafeMutableRawPointer, settings: SMTPRelaySettings, interruption: Interruption) {
        self.handle = handle
        self.interruption = interruption
        trace = GreetingTrace(security: settings.security)
        wholeMilliseconds = CurlOptions.wholeMilliseconds(of: settings)
    }

    /// Called by libcurl at least once a second; whether it is to go on.
    ///
    /// CURLOPT_CONNECTTIMEOUT counts up to and including AUTH. So it is that of the TCP connection until this stands,
    /// and then made longer: a greeting may take minutes.
    func mayGoOn() -> Bool {
        if !isConnected {
            var microseconds: curl_off_t = 0
            campaignd_curl_get_microseconds(handle, CURLINFO_CONNECT_TIME_T, &microseconds)
            if microseconds > 0 {
                isConnected = true
                campaignd_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, wholeMilliseconds)
            }
        }
        return !interruption.isTripped
    }

    func noticed(_ text: some Sequence<UInt8>) {
        let line = String(decoding: Array(text), as: UTF8.self)
        let beginning = "SSL connection using "
        guard line.hasPrefix(beginning) else { return }
        tlsVersion = line.dropFirst(beginning.count).split(separator: " ").first.map(String.init)
    }
}

/// The C functions that libcurl calls; each finds its object in the pointer that was given with it.
enum CurlCallbacks {
    static let header: curl_write_callback = { bytes, size, count, user in
        guard let bytes, let user else { return 0 }
        let line = UnsafeRawBufferPointer(start: UnsafeRawPointer(bytes), count: size * count)
        context(user).trace.received(line)
        return size * count
    }

    static let progress: curl_xferinfo_callback = { user, _, _, _, _ in
        guard let user else { return 1 }
        return context(user).mayGoOn() ? 0 : 1
    }

    static let debug: curl_debug_callback = { _, kind, bytes, size, user in
        // Other kinds than text may hold the password.
        guard kind == CURLINFO_TEXT, let bytes, let user else { return 0 }
        context(user).noticed(UnsafeRawBufferPointer(start: UnsafeRawPointer(bytes), count: size))
        return 0
    }

    static let openSocket: curl_opensocket_callback = { user, _, address in
        guard let user, let address = address?.pointee else { return -1 }
        return context(user).interruption.makeSocket(
            family: address.family, type: address.socktype, protocol: address.protocol)
    }

    static let closeSocket: curl_closesocket_callback = { user, descriptor in
        guard let user else { return close(descriptor) }
        return context(user).interruption.closeSocket(descriptor)
    }

    private static func context(_ user: UnsafeMutableRawPointer) -> CurlContext {
        Unmanaged<CurlContext>.fromOpaque(user).takeUnretainedValue()
    }
}

import CCurl
import Mailing

/// Sets the options of one libcurl handle and keeps what libcurl said against them.
struct CurlOptions {
    let handle: UnsafeMutableRawPointer
    private(set) var failures: [String] = []

    init(handle: UnsafeMutableRawPointer) {
        self.handle = handle
    }

    /// How long connecting, greeting, encrypting and authenticating may take together.
    static func wholeMilliseconds(of settings: SMTPRelaySettings) -> Int {
        (settings.connectSeconds + 2 * settings.greetingSeconds) * 1000
    }

    mutating func set(_ settings: SMTPRelaySettings) {
        set(CURLOPT_URL, url(of: settings))
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        set(CURLOPT_CONNECT_ONLY, 1)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectSeconds * 1000)
        set(CURLOPT_SERVER_RESPONSE_TIMEOUT, settings.greetingSeconds)
        // Without it an interrupted look-up of a name would be waited for.
        set(CURLOPT_QUICK_EXIT, 1)
        setEncryption(settings)
        if let username = settings.username, let password = settings.password {
            set(CURLOPT_USERNAME, username)
            set(CURLOPT_PASSWORD, password)
            if let mechanism = settings.authenticationMechanism {
                set(CURLOPT_LOGIN_OPTIONS, "AUTH=\(mechanism)")
            }
        }
    }

    private mutating func setEncryption(_ settings: SMTPRelaySettings) {
        let level = settings.security == .plainLoopback ? CURLUSESSL_NONE : CURLUSESSL_ALL
        set(CURLOPT_USE_SSL, Int(level.rawValue))
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let caFile = settings.caFile {
            set(CURLOPT_CAINFO, caFile)
            // The directory of the system would be believed as well.
            set(CURLOPT_CAPATH, nil)
        }
    }

    mutating func set(_ context: CurlContext, errorText: UnsafeMutablePointer<CChar>) {
        let user = Unmanaged.passUnretained(context).toOpaque()
        note(campaignd_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText), "ERRORBUFFER")
        note(campaignd_curl_set_header_callback(handle, CurlCallbacks.header), "HEADERFUNCTION")
        note(campaignd_curl_set_progress_callback(handle, CurlCallbacks.progress), "XFERINFOFUNCTION")
        note(campaignd_curl_set_debug_callback(handle, CurlCallbacks.debug), "DEBUGFUNCTION")
        note(campaignd_curl_set_open_callback(handle, CurlCallbacks.openSocket), "OPENSOCKETFUNCTION")
        note(campaignd_curl_set_close_callback(handle, CurlCallbacks.closeSocket), "CLOSESOCKETFUNCTION")
        let options = [
            CURLOPT_HEADERDATA, CURLOPT_XFERINFODATA, CURLOPT_DEBUGDATA, CURLOPT_OPENSOCKETDATA,
            CURLOPT_CLOSESOCKETDATA,
        ]
        for option in options {
            note(campaignd_curl_set_pointer(handle, option, user), "option \(option.rawValue)")
        }
        set(CURLOPT_NOPROGRESS, 0)
        set(CURLOPT_VERBOSE, 1)
    }

    /// libcurl takes the name for EHLO from the path of the URL.
    private func url(of settings: SMTPRelaySettings) -> String {
        let scheme = settings.implicitTLS ? "smtps" : "smtp"
        let name = settings.helloName.utf8.reduce(into: "") { text, byte in
            switch byte {
            case 91: text += "%5B"
            case 93: text += "%5D"
            case 58: text += "%3A"
            default: text += String(UnicodeScalar(byte))
            }
        }
        return "\(scheme)://\(settings.address)/\(name)"
    }

    private mutating func set(_ option: CURLoption, _ value: Int) {
        note(campaignd_curl_set_long(handle, option, value), "option \(option.rawValue)")
    }

    private mutating func set(_ option: CURLoption, _ value: String?) {
        note(campaignd_curl_set_text(handle, option, value), "option \(option.rawValue)")
    }

    private mutating func note(_ code: CURLcode, _ name: String) {
        if code != CURLE_OK { failures.append("\(name): \(CurlLibrary.sentence(for: code))") }
    }
}

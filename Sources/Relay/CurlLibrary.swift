import CCurl
import Glibc

/// The process-wide part of libcurl.
enum CurlLibrary {
    /// Initialises libcurl once (curl_global_init(3)) and ignores SIGPIPE: with CURLOPT_NOSIGNAL libcurl leaves that
    /// to the program, and a relay that hangs up must not end it.
    static let isReady: Bool = {
        signal(SIGPIPE, SIG_IGN)
        return curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
    }()

    static func sentence(for code: CURLcode) -> String {
        curl_easy_strerror(code).map { String(cString: $0) } ?? "libcurl error \(code.rawValue)"
    }
}

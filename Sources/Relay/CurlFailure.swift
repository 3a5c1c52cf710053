import CCurl
import Mailing

/// Why libcurl could not connect: the step it belongs to and a sentence for the operator.
struct CurlFailure {
    let code: CURLcode
    /// libcurl's own words.
    let detail: String
    /// The step that was under way.
    let awaited: SMTPPhase
    let mechanisms: [String]

    var phase: SMTPPhase {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_URL_MALFORMAT, CURLE_INTERFACE_FAILED:
            .connect
        case CURLE_USE_SSL_FAILED, CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_ENGINE_INITFAILED:
            .encryption
        case CURLE_LOGIN_DENIED, CURLE_AUTH_ERROR: .authentication
        default: awaited
        }
    }

    func sentence(for settings: SMTPRelaySettings) -> String {
        let server = settings.address
        return switch code {
        case CURLE_COULDNT_RESOLVE_HOST: "the name of \(server) cannot be looked up: \(detail)"
        case CURLE_COULDNT_CONNECT: "\(server) cannot be reached: \(detail)"
        case CURLE_OPERATION_TIMEDOUT where awaited == .connect:
            "\(server) did not accept a connection within \(settings.connectSeconds) s"
        case CURLE_OPERATION_TIMEDOUT:
            "\(server) did not answer in time (\(awaited.rawValue)): \(detail)"
        case CURLE_USE_SSL_FAILED:
            "\(server) does not offer STARTTLS, which is required; nothing was sent"
        case CURLE_PEER_FAILED_VERIFICATION:
            "the certificate of \(server) is not to be trusted: \(detail); name its authority in ca_file if it is ours"
        case CURLE_SSL_CACERT_BADFILE:
            "the certificate authorities for \(server) cannot be read: \(detail)"
        case CURLE_LOGIN_DENIED, CURLE_AUTH_ERROR:
            "\(server) did not let us log in (it offers \(mechanisms.joined(separator: " "))): \(detail)"
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING:
            "\(server) closed the connection (\(awaited.rawValue)): \(detail)"
        default: "connecting to \(server) failed (\(awaited.rawValue)): \(detail)"
        }
    }
}

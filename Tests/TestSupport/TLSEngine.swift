import COpenSSL

/// The server's end of one TLS connection, between bytes that come from the wire and bytes that go to it.
///
/// It has no socket: OpenSSL reads from memory and writes into memory. Used by one thread.
final class TLSEngine {
    enum Handshake {
        case finished
        /// The client has to say more.
        case unfinished
        /// OpenSSL's words.
        case failed(String)
    }

    enum Reading {
        case bytes([UInt8])
        /// No whole record has come.
        case nothing
        /// The client said that it will send nothing more (close_notify), or what it sent is not TLS.
        case ended
    }

    private let context: OpaquePointer
    private let session: OpaquePointer
    /// Both belong to the session.
    private let fromWire: OpaquePointer
    private let toWire: OpaquePointer
    private var chunk = [UInt8](repeating: 0, count: 16_384)

    /// - Parameter certificate: a PEM file with a key and the certificate for it.
    init(certificate: String) throws {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw TestSupportError("OpenSSL makes no context: \(Self.error())")
        }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1,
            SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM) == 1,
            let session = SSL_new(context)
        else {
            let reason = Self.error()
            SSL_CTX_free(context)
            throw TestSupportError("\(certificate) holds no key with its certificate: \(reason)")
        }
        guard let fromWire = BIO_new(BIO_s_mem()), let toWire = BIO_new(BIO_s_mem()) else {
            preconditionFailure("OpenSSL has no memory left")
        }
        SSL_set_bio(session, fromWire, toWire)
        SSL_set_accept_state(session)
        self.context = context
        self.session = session
        self.fromWire = fromWire
        self.toWire = toWire
    }

    deinit {
        SSL_free(session)
        SSL_CTX_free(context)
    }

    /// Takes what came from the wire.
    func take(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        guard !bytes.isEmpty else { return }
        let count = BIO_write(fromWire, bytes, Int32(bytes.count))
        precondition(count == bytes.count, "memory takes everything")
    }

    /// What has to go to the wire now.
    func outgoing() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(BIO_ctrl_pending(toWire)))
        guard !bytes.isEmpty else { return [] }
        let count = BIO_read(toWire, &bytes, Int32(bytes.count))
        return Array(bytes.prefix(Int(max(count, 0))))
    }

    /// Goes on with the handshake as far as what has come allows.
    func shakeHands() -> Handshake {
        ERR_clear_error()
        let code = SSL_do_handshake(session)
        if code == 1 { return .finished }
        return SSL_get_error(session, code) == SSL_ERROR_WANT_READ ? .unfinished : .failed(Self.error())
    }

    /// The next bytes that the client has sent.
    func read() -> Reading {
        ERR_clear_error()
        let count = SSL_read(session, &chunk, Int32(chunk.count))
        if count > 0 { return .bytes(Array(chunk[..<Int(count)])) }
        return SSL_get_error(session, count) == SSL_ERROR_WANT_READ ? .nothing : .ended
    }

    /// Encrypts bytes, as one record up to 16,384; they are in `outgoing` then.
    func write(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        ERR_clear_error()
        let count = SSL_write(session, bytes, Int32(bytes.count))
        precondition(count == bytes.count, "memory takes everything: \(Self.error())")
    }

    /// Says that nothing more will be sent (close_notify); it is in `outgoing` then.
    func sayFarewell() {
        ERR_clear_error()
        SSL_shutdown(session)
    }

    private static func error() -> String {
        let code = ERR_get_error()
        guard code != 0 else { return "no reason given" }
        var text = [CChar](repeating: 0, count: 256)
        ERR_error_string_n(code, &text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A certificate authority of its own, which a client is told to believe, and the certificates that it has signed.
///
/// Made with openssl(1), on the curve P-256, good for two days; removed when the last reference goes, of which each
/// certificate is one.
package final class TestAuthority: Sendable {
    private let directory: TemporaryDirectory

    /// The PEM file of the authority.
    package var file: String { directory.path("ca.pem") }

    /// Makes the authority. Throws if openssl(1) is missing.
    package init() async throws {
        directory = try TemporaryDirectory()
        try await TestAuthority.openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2",
            "-subj", "/CN=Test Authority", "-keyout", directory.path("ca.key"), "-out", file,
        ])
    }

    /// The key and the certificate of a server of this name, such as `DNS:localhost` or `IP:127.0.0.1`.
    ///
    /// - Parameter days: How long it is good for; less than 0 for one that has expired.
    package func certificate(for name: String, days: Int = 2) async throws -> ServerCertificate {
        let base = name.map { $0.isLetter || $0.isNumber ? String($0) : "-" }.joined()
        let (key, request, signed) = ("\(base).key", "\(base).csr", "\(base).crt")
        let extensions = try directory.write("subjectAltName=\(name)\n", to: "\(base).extensions")
        try await TestAuthority.openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=relay",
            "-keyout", directory.path(key), "-out", directory.path(request),
        ])
        try await TestAuthority.openssl([
            "x509", "-req", "-in", directory.path(request), "-CA", file, "-CAkey",
            directory.path("ca.key"),
            "-CAcreateserial", "-days", "\(days)", "-extfile", extensions, "-out", directory.path(signed),
        ])
        let file = try directory.write(try directory.read(key) + directory.read(signed), to: "\(base).pem")
        return ServerCertificate(file: file, authority: self)
    }

    private static func openssl(_ arguments: [String]) async throws {
        let result = try await runProcess(["openssl"] + arguments)
        guard result.status == 0 else { throw TestSupportError(result.errorText) }
    }
}

/// What a server proves its name with.
package struct ServerCertificate: Sendable {
    /// A PEM file with the key and the certificate.
    package let file: String
    /// Who has signed it.
    package let authority: TestAuthority
}

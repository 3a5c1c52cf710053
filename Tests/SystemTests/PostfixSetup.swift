import Foundation
import Glibc
import TestSupport

/// How a private Postfix is set up.
extension PostfixRelay {
    /// Numbers below those that the system gives out, so that no other test gets one before it is used.
    static func freePorts(_ count: Int) async throws -> [Int] {
        let script = """
            import random, socket, sys
            held = []
            while len(held) < int(sys.argv[1]):
                try:
                    held.append(socket.create_server(("127.0.0.1", random.randrange(20000, 32000))))
                except OSError:
                    pass
            print(*(one.getsockname()[1] for one in held))
            """
        return try await command(["python3", "-c", script, "\(count)"]).split(separator: " ").compactMap { Int($0) }
    }

    /// Whether a port of 127.0.0.1 takes connections; makes none.
    static func isListening(_ port: Int) -> Bool {
        guard let table = try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8) else { return false }
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let local = "0100007F:" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        return table.split(separator: "\n").contains { $0.contains(" \(local) 00000000:0000 0A ") }
    }

    /// An authority and a certificate for the server.
    static func makeCertificates(in directory: TemporaryDirectory, names: String) async throws {
        let request = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2",
        ]
        try await command(
            request + [
                "-subj", "/CN=Authority of the test", "-addext", "basicConstraints=critical,CA:TRUE", "-keyout",
                directory.path("ca.key"), "-out", directory.path("ca.pem"),
            ])
        try await command(
            request + [
                "-subj", "/CN=relay", "-addext", "basicConstraints=critical,CA:FALSE", "-addext",
                "subjectAltName=\(names)", "-CA", directory.path("ca.pem"), "-CAkey", directory.path("ca.key"),
                "-keyout", directory.path("server.key"), "-out", directory.path("server.pem"),
            ])
    }

    /// A user for AUTH, in a database of Cyrus SASL.
    static func makeUser(in directory: TemporaryDirectory) async throws {
        let database = directory.path("config/sasl/sasldb2")
        try await command(
            ["saslpasswd2", "-p", "-c", "-f", database, "-u", "relay.example", username], input: password)
        try await command(["chgrp", "postfix", database])
        // Debian's Postfix looks for it beside main.cf, others where cyrus_sasl_config_path says.
        try directory.write(
            """
            pwcheck_method: auxprop
            auxprop_plugin: sasldb
            sasldb_path: \(database)
            mech_list: PLAIN LOGIN

            """, to: "config/sasl/smtpd.conf")
    }

    /// main.cf
    static func mainConfiguration(_ path: String, sink: Int) -> String {
        """
        compatibility_level = 3.6
        queue_directory = \(path)/queue
        data_directory = \(path)/data
        maillog_file = \(path)/mail.log
        maillog_file_prefixes = \(path)
        myhostname = relay.example
        mydestination =
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        relayhost = [127.0.0.1]:\(sink)
        smtpd_peername_lookup = no
        smtpd_tls_security_level = encrypt
        smtpd_tls_cert_file = \(path)/server.pem
        smtpd_tls_key_file = \(path)/server.key
        smtpd_tls_received_header = yes
        smtpd_tls_auth_only = yes
        smtpd_sasl_auth_enable = yes
        smtpd_sasl_local_domain = relay.example
        cyrus_sasl_config_path = \(path)/config/sasl
        smtpd_relay_restrictions = permit_sasl_authenticated, reject
        smtpd_recipient_restrictions =
            check_recipient_access inline:{ { \(unknownReader) = 550 5.1.1 No such reader } }

        """
    }

    /// master.cf
    static func services(port: Int) -> String {
        """
        127.0.0.1:\(port) inet n - n - - smtpd
        cleanup unix n - n - 0 cleanup
        qmgr unix n - n 300 1 qmgr
        tlsmgr unix - - n 1000? 1 tlsmgr
        rewrite unix - - n - - trivial-rewrite
        bounce unix - - n - 0 bounce
        defer unix - - n - 0 bounce
        trace unix - - n - 0 bounce
        smtp unix - - n - - smtp
        error unix - - n - - error
        retry unix - - n - - error
        proxymap unix - - n - - proxymap
        scache unix - - n - 1 scache
        anvil unix - - n - 1 anvil
        postlog unix-dgram n - n - 1 postlogd

        """
    }

    /// Runs a program that must succeed; returns what it wrote, without the spaces around it.
    @discardableResult
    static func command(_ arguments: [String], input: String = "") async throws -> String {
        let result = try await runProcess(arguments, input: Array(input.utf8))
        guard result.status == 0 else {
            throw TestSupportError("\(arguments) ended with \(result.status): \(result.errorText)")
        }
        return result.outputText.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// A program that is killed, with all that it has started, when the last reference goes.
final class OwnedProcess: Sendable {
    private let child: ChildProcess

    init(_ arguments: [String], output: String) throws {
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        child = try ChildProcess(arguments, environment: environment, output: output, error: output)
    }

    deinit {
        child.killAndWait()
    }
}

import Glibc
import Mailing
import Relay
import TestSupport
import Testing

@Suite struct InterruptionTests {
    /// Two ends of a connection that the tests own.
    private final class Stranger {
        let ends: (Int32, Int32)

        init() throws {
            var pair: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
                throw TestSupportError("no socket pair")
            }
            ends = (pair[0], pair[1])
        }

        deinit {
            close(ends.0)
            close(ends.1)
        }

        /// Whether both ends can still speak.
        var isOpen: Bool {
            [ends.0, ends.1].allSatisfy { send($0, [1], 1, Int32(MSG_NOSIGNAL)) == 1 }
        }
    }

    /// libcurl closes a socket that has not become a connection in time without a word to us, and its number goes to
    /// somebody else.
    @Test func `after a connection that did not come about nothing of others is shut down`() async throws {
        for _ in 1...2 {
            var backlog: FullBacklog? = try FullBacklog()
            var settings = settings(port: try #require(backlog?.port))
            settings.connectSeconds = 1
            let connection = SMTPConnection(settings: settings)
            #expect(await connection.open().failure?.phase == .connect)
            // They take the lowest numbers that are free.
            let strangers = try (1...20).map { _ in try Stranger() }
            let port = try #require(backlog?.port)
            backlog = nil
            let server = try CountingSMTPServer(port: port)
            #expect(await connection.open() == .ready(fresh: true))
            await connection.close()
            #expect(server.snapshot.quits == 1)
            #expect(strangers.count { !$0.isOpen } == 0)
        }
    }
}

import Foundation
import Glibc
import Synchronization

/// A real journald of its own, in a mount namespace, with its files in a temporary directory.
package final class PrivateJournal: Sendable {
    private static let program = "/lib/systemd/systemd-journald"
    /// Who may write beside root; not root.
    package static let writer = 65_534

    package static let obstacle: String? = {
        // In continuous integration nothing may be skipped: there the tests run, and fail where they cannot.
        if ProcessInfo.processInfo.environment["CI"] == "true" { return nil }
        if geteuid() != 0 { return "a private journald needs root" }
        return access(program, X_OK) == 0 ? nil : "the package systemd is not installed"
    }()

    private let directory: TemporaryDirectory
    private let child: Mutex<ChildProcess?> = Mutex(nil)

    package init() throws {
        directory = try TemporaryDirectory()
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.path)
    }

    deinit {
        child.withLock { $0?.killAndWait() }
    }

    /// A journald of a namespace ends by itself when nobody has written for half a minute, unless it has to see to it
    /// that nothing is kept for too long.
    private func start() throws {
        _ = try directory.makeDirectory("sockets/journald@test.conf.d")
        try directory.write(
            Array("[Journal]\nMaxRetentionSec=1day\n".utf8), to: "sockets/journald@test.conf.d/retention.conf")
        let script = """
            mount -t tmpfs -o mode=0755 none /run && mount -t tmpfs none /var/log &&
                mkdir -p /var/log/journal /run/systemd &&
                mount --bind "$1" /var/log/journal && mount --bind "$2" /run/systemd && exec "$3" test
            """
        try child.withLock { child in
            if child?.isRunning == true { return }
            child = try ChildProcess(
                [
                    "unshare", "--mount", "--propagation", "private", "bash", "-c", script, "bash",
                    try directory.makeDirectory("files"), try directory.makeDirectory("sockets"), Self.program,
                ], environment: ProcessInfo.processInfo.environment, output: directory.path("output"),
                error: directory.path("output"))
        }
    }

    private var socket: String { directory.path("sockets/journal.test/") }

    /// The directory of the files: below it is one named by the machine.
    package var files: String {
        get throws {
            let names = try FileManager.default.contentsOfDirectory(atPath: directory.path("files"))
            return directory.path("files/\(names.first ?? "")")
        }
    }

    /// Writes entries, each a user and its native fields or, without any field name, a line of syslog; returns when
    /// they can be read. Whoever wrote one lives until then, so that journald can see who it is.
    package func write(_ entries: [(user: Int, String)]) async throws {
        try start()
        let script = #"""
            import os, socket, subprocess, sys, time
            def connect(path):
                end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                for attempt in range(600):
                    try:
                        end.connect(path)
                        return end
                    except (FileNotFoundError, ConnectionRefusedError):
                        time.sleep(0.05)
                sys.exit("nobody listens at " + path)
            sockets, files, marker = sys.argv[1:4]
            ends = [connect(sockets + name) for name in ("socket", "dev-log")]
            ended, end = os.pipe()
            for number in range(4, len(sys.argv), 2):
                sent, said = os.pipe()
                if os.fork() == 0:
                    os.close(end)
                    if int(sys.argv[number]):
                        os.setgroups([])
                        os.setgid(int(sys.argv[number]))
                        os.setuid(int(sys.argv[number]))
                    text = sys.argv[number + 1]
                    connect(sockets + ("dev-log" if text.startswith("<") else "socket")).send(text.encode())
                    os.write(said, b".")
                    os.read(ended, 1)
                    os._exit(0)
                os.close(said)
                if os.read(sent, 1) != b".":
                    sys.exit("the entry was not taken")
            ends[0].send(("MESSAGE=end\nSYSLOG_IDENTIFIER=" + marker + "\n").encode())
            ends[1].send(("<22>" + marker + ": end").encode())
            for attempt in range(600):
                query = ["journalctl", "--quiet", "--output=cat", "SYSLOG_IDENTIFIER=" + marker, "--directory"]
                query += [os.path.join(files, name) for name in os.listdir(files)]
                if subprocess.run(query, capture_output=True, text=True).stdout == "end\nend\n":
                    sys.exit()
                time.sleep(0.1)
            sys.exit("the private journald has not taken the entries")
            """#
        let arguments = [socket, directory.path("files"), UUID().uuidString]
        let result = try await runPython(script, arguments + entries.flatMap { ["\($0.user)", $0.1] })
        guard result.status == 0 else { throw TestSupportError("the journal was not written: \(result.errorText)") }
    }
}

import Foundation
import Glibc
import TestSupport

/// A small file system for the ledger alone, in a mount namespace of the daemon's own: it can be filled, and goes with
/// the daemon. Needs root.
struct LedgerRoom {
    static let mebibytes = 16
    /// Where it is mounted, in the daemon's namespace only.
    let directory: String

    var ledgerPath: String { "\(directory)/ledger.sqlite" }

    /// Nil where a test of this kind cannot run: not as root. Continuous integration runs as root.
    static var isPossible: Bool {
        geteuid() == 0 || !(ProcessInfo.processInfo.environment["CI"] ?? "").isEmpty
    }

    /// Runs a program with the file system mounted. The shell stays: it is what a wrapper of `DaemonProcess` must be.
    var wrapper: [String] {
        let mount = "mount -t tmpfs -o size=\(Self.mebibytes)m,mode=700 tmpfs \"$0\" && \"$@\"; exit $?"
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, directory]
    }

    /// Runs a program with the directory as it is, but not to be written to.
    var readOnlyWrapper: [String] {
        let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && \"$@\"; exit $?"
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, directory]
    }

    /// Runs a program on what it takes for another machine: a file that holds the id is bound over /etc/machine-id.
    static func machine(_ file: String) -> [String] {
        let mount = "mount --bind \"$0\" /etc/machine-id && \"$@\"; exit $?"
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, file]
    }

    /// A path in the room as the test sees it.
    func path(_ name: String, of daemon: DaemonProcess) throws -> String {
        guard let pid = daemon.pid else { throw TestSupportError("the daemon does not run") }
        return "/proc/\(pid)/root\(directory)/\(name)"
    }

    /// Writes a file until there is no room for another byte. Returns how many bytes fitted.
    func fill(_ daemon: DaemonProcess) throws -> Int {
        let descriptor = open(try path("filler", of: daemon), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw TestSupportError("the file system cannot be filled: errno \(errno)") }
        defer { close(descriptor) }
        let block = [UInt8](repeating: 0x78, count: 65_536)
        var all = 0
        var size = block.count
        while size > 0 {
            let written = write(descriptor, block, size)
            if written > 0 { all += written } else { size /= 2 }
        }
        guard errno == ENOSPC else { throw TestSupportError("the file system cannot be filled: errno \(errno)") }
        return all
    }

    func free(_ daemon: DaemonProcess) throws {
        guard unlink(try path("filler", of: daemon)) == 0 else {
            throw TestSupportError("the file system cannot be freed: errno \(errno)")
        }
    }
}

/// Has system calls of a running daemon fail, by strace, and lets go of it again.
final class FailingCalls {
    private let child: ChildProcess
    private let directory: TemporaryDirectory

    /// Returns when strace has taken hold of every thread.
    ///
    /// - Parameters:
    ///   - calls: their names, with commas.
    ///   - error: such as `EROFS`.
    ///   - paths: only calls on these files.
    init(_ pid: Int32, _ calls: String, error: String, paths: [String]) async throws {
        directory = try TemporaryDirectory()
        let arguments =
            ["strace", "-f", "-p", "\(pid)", "-o", directory.path("calls"), "-e", "trace=\(calls)"]
            + ["-e", "inject=\(calls):error=\(error)"] + paths.flatMap { ["-P", $0] }
        child = try ChildProcess(
            arguments, environment: ProcessInfo.processInfo.environment, output: directory.path("output"),
            error: directory.path("output"))
        let isTraced = await eventually(timeout: .seconds(10)) { Self.isTraced(pid) || !child.isRunning }
        guard isTraced, child.isRunning else {
            throw TestSupportError("strace: \(String(decoding: try directory.read("output"), as: UTF8.self))")
        }
    }

    private static func isTraced(_ pid: Int32) -> Bool {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return !tasks.isEmpty
            && tasks.allSatisfy { task in
                let status = try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/status", encoding: .utf8)
                return status.map { !$0.contains("TracerPid:\t0\n") } ?? true
            }
    }

    /// From here on the calls succeed again. Returns how many were struck.
    func end() async throws -> Int {
        child.signal(SIGINT)
        try await child.waitUntilExit(timeout: .seconds(10))
        let calls = String(decoding: try directory.read("calls"), as: UTF8.self)
        return calls.split(separator: "\n").count { $0.contains("INJECTED") }
    }
}

import Foundation
import Glibc
import Synchronization

/// The real daemon on a spool, a ledger and a configuration of its own, all in one temporary directory.
///
/// It can be started, killed and started again as often as a test likes. When the last reference goes, the daemon is
/// killed and the directory removed.
package final class DaemonProcess: Sendable {
    private struct Run {
        let child: ChildProcess
        let notify: NotifySocket
        let isWrapped: Bool
    }

    /// Holds everything.
    package let directory: TemporaryDirectory
    /// Where jobs are dropped and answered.
    package let spool: SpoolDirectory
    /// The executable.
    package let binary: String
    private let run: Mutex<Run?> = Mutex(nil)

    /// Writes the configuration and makes the spool; starts nothing.
    ///
    /// - Parameter binary: nil for what `findBinary()` finds.
    package init(_ configuration: TestConfiguration, binary: String? = nil) throws {
        directory = try TemporaryDirectory()
        self.binary = try binary ?? Self.findBinary()
        spool = try SpoolDirectory(path: directory.path("spool"))
        try write(configuration)
    }

    deinit {
        run.withLock { $0?.child.killAndWait() }
    }

    /// What the daemon gets as `--config`.
    package var configurationPath: String { directory.path("campaignd.toml") }
    /// The database, made by the daemon.
    package var ledgerPath: String { directory.path("ledger.sqlite") }
    /// Standard output and error of all runs.
    package var standardErrorPath: String { directory.path("stderr") }

    /// Replaces the configuration file; a running daemon reads it when it is told to.
    package func write(_ configuration: TestConfiguration) throws {
        try directory.write(configuration.toml(spool: spool.path, ledger: ledgerPath), to: "campaignd.toml")
    }

    /// Starts the daemon and returns at once. Throws if it runs already.
    ///
    /// - Parameters:
    ///   - wrapper: a program with arguments that runs the daemon, such as `["strace", "-f", "-o", FILE]`.
    ///   - isWrapperParent: false if the wrapper becomes the daemon itself, as `strace -D` does.
    ///   - arguments: after `--config FILE`.
    ///   - environment: added to that of the tests, of which what systemd sets for services is left out.
    ///   - credentials: secrets by name, for `CREDENTIALS_DIRECTORY`.
    package func start(
        wrapper: [String] = [], isWrapperParent: Bool = true, arguments: [String] = [],
        environment: [String: String] = [:], credentials: [String: String] = [:]
    ) throws {
        try run.withLock { run in
            if let run, run.child.isRunning { throw TestSupportError("the daemon runs already") }
            run = nil
            let notify = try NotifySocket(path: directory.path("notify"))
            var all = ProcessInfo.processInfo.environment.filter { !Self.isOfServiceManager($0.key) }
            all["NOTIFY_SOCKET"] = notify.path
            if !credentials.isEmpty {
                all["CREDENTIALS_DIRECTORY"] = try directory.makeDirectory("credentials")
                for (name, secret) in credentials { try directory.write(secret, to: "credentials/\(name)") }
            }
            let child = try ChildProcess(
                wrapper + [binary, "--config", configurationPath] + arguments,
                environment: all.merging(environment) { $1 }, output: standardErrorPath, error: standardErrorPath)
            run = Run(child: child, notify: notify, isWrapped: !wrapper.isEmpty && isWrapperParent)
        }
    }

    /// Starts the daemon and waits for its READY=1.
    package func startAndWait(timeout: Duration = .seconds(20), credentials: [String: String] = [:]) async throws {
        try start(credentials: credentials)
        try await waitUntilReady(timeout: timeout)
    }

    /// Waits for READY=1. Throws, with what the daemon wrote, if it ends before or `timeout` passes.
    package func waitUntilReady(timeout: Duration = .seconds(20)) async throws {
        let decided = await eventually(timeout: timeout) { notifications.contains("READY=1") || !isRunning }
        guard notifications.contains("READY=1") else {
            let what = decided ? "ended with status \(exitStatus ?? 0)" : "was not ready within \(timeout)"
            throw TestSupportError("the daemon \(what). It wrote: \(standardErrorTail)")
        }
    }

    /// What the present run has told the service manager, such as `READY=1` and `STATUS=…`.
    package var notifications: [String] { run.withLock { $0?.notify.messages ?? [] } }

    /// Whether the latest run has not ended; false before the first.
    package var isRunning: Bool { run.withLock { $0?.child.isRunning ?? false } }

    /// The exit status of the latest run, or the negative number of the signal that ended it.
    package var exitStatus: Int32? { run.withLock { $0?.child.exitStatus } }

    /// The process id of the daemon itself, below a wrapper too; nil if it does not run.
    package var pid: Int32? {
        run.withLock { run in
            guard let run, run.child.isRunning else { return nil }
            if !run.isWrapped { return run.child.pid }
            let children = try? String(
                contentsOfFile: "/proc/\(run.child.pid)/task/\(run.child.pid)/children", encoding: .utf8)
            return children?.split(separator: " ").first.flatMap { Int32($0) }
        }
    }

    /// SIGKILL to the daemon and its wrapper; returns when they have ended.
    package func kill() async throws {
        run.withLock { $0?.child.signal(SIGKILL, group: true) }
        try await waitUntilExit()
    }

    /// SIGTERM to the daemon; returns at once.
    package func terminate() {
        signal(SIGTERM)
    }

    /// Any signal to the daemon itself.
    package func signal(_ number: Int32) {
        let isWrapped = run.withLock { $0?.isWrapped ?? false }
        if !isWrapped {
            run.withLock { $0?.child.signal(number) }
        } else if let pid {
            _ = Glibc.kill(pid, number)
        }
    }

    /// SIGKILL to the program that traces the daemon, which then goes on by itself; nothing if none does.
    package func endTracer() {
        if let tracer = status("TracerPid"), tracer > 0 { _ = Glibc.kill(Int32(tracer), SIGKILL) }
    }

    /// Waits for the end. Returns the exit status, or the negative number of the signal that ended it. Throws when
    /// `timeout` passes.
    @discardableResult
    package func waitUntilExit(timeout: Duration = .seconds(30)) async throws -> Int32 {
        guard let child = run.withLock({ $0?.child }) else { throw TestSupportError("the daemon was never started") }
        return try await child.waitUntilExit(timeout: timeout)
    }

    /// The most memory the daemon ever held, VmHWM, in KiB; nil if it does not run.
    package var peakResidentKiB: Int? { status("VmHWM") }

    /// How many threads the daemon has; nil if it does not run.
    package var threads: Int? { status("Threads") }

    private func status(_ field: String) -> Int? {
        guard let pid, let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else {
            return nil
        }
        let line = text.split(separator: "\n").first { $0.hasPrefix(field + ":") }
        return line?.split(whereSeparator: { $0 == "\t" || $0 == " " }).dropFirst().first.flatMap { Int($0) }
    }

    /// All that the runs have written so far.
    package var standardError: String {
        (try? directory.read("stderr")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private var standardErrorTail: String { String(standardError.suffix(4000)) }

    private static func isOfServiceManager(_ name: String) -> Bool {
        [
            "NOTIFY_SOCKET", "JOURNAL_STREAM", "INVOCATION_ID", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY",
            "RUNTIME_DIRECTORY",
        ].contains(name)
            || name.hasPrefix("WATCHDOG_") || name.hasPrefix("LISTEN_")
    }

    /// The daemon's executable: the one that CAMPAIGND_BINARY names, else the one in the build products, looked for
    /// beside the running test program and above it.
    package static func findBinary() throws -> String {
        if let named = ProcessInfo.processInfo.environment["CAMPAIGND_BINARY"], !named.isEmpty { return named }
        let starts = [CommandLine.arguments[0], "/proc/self/exe", FileManager.default.currentDirectoryPath + "/."]
        for start in starts {
            var place = URL(fileURLWithPath: start).resolvingSymlinksInPath().deletingLastPathComponent()
            while place.path != "/" && !place.path.isEmpty {
                for candidate in ["campaignd", "debug/campaignd", ".build/debug/campaignd"] {
                    let path = place.appendingPathComponent(candidate).path
                    if isProgram(path) { return path }
                }
                place = place.deletingLastPathComponent()
            }
        }
        throw TestSupportError("the executable campaignd was not found: build it, or name it in CAMPAIGND_BINARY")
    }

    private static func isProgram(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}

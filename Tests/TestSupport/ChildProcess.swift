import Dispatch
import Foundation
import Glibc
import Synchronization

/// A program started by a test, in a process group of its own, with its output in files.
package final class ChildProcess: Sendable {
    /// The process id, also of the group; of no use once the process has ended.
    package let pid: Int32
    /// nil while the process runs. Guards the pid: it is signalled only while it is certainly ours.
    private let ending: Mutex<Int32?> = Mutex(nil)
    private let reaping = DispatchGroup()

    /// Starts `arguments[0]`, looked up in the PATH of `environment` if it has no slash: a program may look itself up
    /// there, too, and must find itself.
    ///
    /// - Parameters:
    ///   - input: a file for the standard input; nil for /dev/null.
    ///   - output: a file that is made or appended to.
    ///   - error: a file that is made or appended to; may be the same as `output`.
    package init(
        _ arguments: [String], environment: [String: String], input: String? = nil, output: String, error: String
    ) throws {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        let append = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, append, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, error, append, 0o600)
        // Descriptors of the tests that some library left inheritable; closing one that is not open is no error here.
        for descriptor in Int32(3)..<512 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var argumentPointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var environmentPointers: [UnsafeMutablePointer<CChar>?] =
            environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
        var child: pid_t = 0
        let code = posix_spawn(
            &child, Self.find(arguments.first ?? "", in: environment["PATH"] ?? "/usr/bin:/bin"), &actions, &attributes,
            &argumentPointers, &environmentPointers)
        guard code == 0 else { throw TestSupportError.systemCall("could not start \(arguments)", code) }
        pid = child
        reaping.enter()
        Thread.detachNewThread { [self] in
            reap()
            reaping.leave()
        }
    }

    private static func find(_ program: String, in path: String) -> String {
        if program.contains("/") { return program }
        let candidates = path.split(separator: ":").map { "\($0)/\(program)" }
        return candidates.first { access($0, X_OK) == 0 } ?? program
    }

    private func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        ending.withLock { ending in
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            let signal = status & 0x7f
            ending = signal == 0 ? (status >> 8) & 0xff : -signal
        }
    }

    /// The exit status, or the negative number of the signal that ended the process; nil while it runs.
    package var exitStatus: Int32? { ending.withLock { $0 } }

    /// Whether the process has not ended.
    package var isRunning: Bool { exitStatus == nil }

    /// Sends a signal to the process, or with `group` to all of its group. Does nothing once it has ended.
    package func signal(_ number: Int32, group: Bool = false) {
        ending.withLock { ending in
            if ending == nil { _ = Glibc.kill(group ? -pid : pid, number) }
        }
    }

    /// SIGKILL to the whole group; returns when the process has ended, or after five seconds.
    package func killAndWait() {
        signal(SIGKILL, group: true)
        _ = reaping.wait(timeout: .now() + .seconds(5))
    }

    /// Blocks this thread until the end and returns `exitStatus`.
    package func waitHere() -> Int32 {
        reaping.wait()
        return exitStatus ?? 0
    }

    /// Waits for the end and returns `exitStatus`. Throws if `timeout` passes; the process is left running then.
    @discardableResult
    package func waitUntilExit(timeout: Duration) async throws -> Int32 {
        _ = await eventually(timeout: timeout) { !isRunning }
        guard let exitStatus else { throw TestSupportError("process \(pid) has not ended within \(timeout)") }
        return exitStatus
    }
}

/// What a program that has ended left behind.
package struct ProcessResult: Sendable {
    /// The exit status, or the negative number of the signal that ended it.
    package let status: Int32
    /// All of the standard output.
    package let output: [UInt8]
    /// All of the standard error.
    package let error: [UInt8]

    /// The standard output as text.
    package var outputText: String { String(decoding: output, as: UTF8.self) }
    /// The standard error as text.
    package var errorText: String { String(decoding: error, as: UTF8.self) }
}

/// Runs a program to its end.
///
/// - Parameters:
///   - arguments: the program first, looked up in the PATH of its environment if it has no slash.
///   - input: its standard input.
///   - environment: added to that of the tests.
///   - timeout: after it the program and its children are killed, and an error with its standard error is thrown.
package func runProcess(
    _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:],
    timeout: Duration = .seconds(60)
) async throws -> ProcessResult {
    let directory = try TemporaryDirectory()
    let inputPath = try directory.write(input, to: "input")
    let child = try ChildProcess(
        arguments, environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
        input: inputPath, output: directory.path("output"), error: directory.path("error"))
    do {
        let status = try await child.waitUntilExit(timeout: timeout)
        return ProcessResult(status: status, output: try directory.read("output"), error: try directory.read("error"))
    } catch {
        child.signal(SIGKILL, group: true)
        let said = String(decoding: try directory.read("error"), as: UTF8.self)
        throw TestSupportError("\(arguments) did not end within \(timeout). It said: \(said)")
    }
}

/// Runs a Python script with the system's `python3`; the arguments are `sys.argv[1:]`.
package func runPython(
    _ script: String, _ arguments: [String] = [], input: [UInt8] = [], timeout: Duration = .seconds(60)
) async throws -> ProcessResult {
    try await runProcess(["python3", "-c", script] + arguments, input: input, timeout: timeout)
}

/// Runs a program to its end on this thread.
///
/// For helpers that are no asynchronous functions; otherwise as `runProcess`, but without a time limit.
package func runHere(_ arguments: [String], environment: [String: String] = [:]) throws -> ProcessResult {
    let directory = try TemporaryDirectory()
    let child = try ChildProcess(
        arguments, environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
        output: directory.path("output"), error: directory.path("error"))
    let status = child.waitHere()
    return ProcessResult(status: status, output: try directory.read("output"), error: try directory.read("error"))
}

import Foundation
import Glibc
import TestSupport
import Testing

/// The real campaignctl beside a real spool, with or without a daemon.
struct CommandRunner {
    let daemon: DaemonProcess
    let binary: String

    /// - Parameters:
    ///   - relays: Names of further relays.
    ///   - lines: Further lines of the configuration.
    init(relays: [String] = [], lines: [String] = []) throws {
        let all = (["default"] + relays).map { TestConfiguration.Relay(name: $0, url: "maildir:outbox") }
        daemon = try DaemonProcess(TestConfiguration(relays: all, lines: lines))
        binary = URL(fileURLWithPath: daemon.binary).deletingLastPathComponent().path + "/campaignctl"
    }

    /// With a daemon that is ready.
    static func serving(relays: [String] = [], lines: [String] = []) async throws -> CommandRunner {
        let line = try CommandRunner(relays: relays, lines: lines)
        try await line.daemon.startAndWait()
        return line
    }

    var spool: SpoolDirectory { daemon.spool }

    /// Runs campaignctl to its end, on the configuration of the daemon.
    func run(_ arguments: String..., timeout: Duration = .seconds(60)) async throws -> ProcessResult {
        try await runProcess([binary] + arguments + ["--config", daemon.configurationPath], timeout: timeout)
    }

    /// Starts campaignctl and does not wait for it; what it writes is in the files `output` and `error`.
    func start(_ arguments: String...) throws -> ChildProcess {
        try ChildProcess(
            [binary] + arguments + ["--config", daemon.configurationPath],
            environment: ProcessInfo.processInfo.environment, output: daemon.directory.path("output"),
            error: daemon.directory.path("error"))
    }

    /// The JSON document that a command printed.
    func json(_ result: ProcessResult) throws -> JSONValue { try JSONValue(parsing: Data(result.output)) }

    /// Writes a job of one file outside of the spool and returns its path.
    func file(_ name: String, _ json: String) throws -> String {
        _ = try daemon.directory.makeDirectory("jobs")
        return try daemon.directory.write(json, to: "jobs/\(name)")
    }

    /// Writes a bundle outside of the spool and returns its path.
    func bundle(_ name: String, _ json: String, files: [String: String]) throws -> String {
        let path = try daemon.directory.makeDirectory("jobs/\(name)")
        try daemon.directory.write(json, to: "jobs/\(name)/job.json")
        for (file, text) in files { try daemon.directory.write(text, to: "jobs/\(name)/\(file)") }
        return path
    }

    /// A campaign that needs no consent, to these addresses.
    static func service(_ id: String, to addresses: [String], extra: [String: JSONValue] = [:]) -> String {
        JobText.campaign(id, to: addresses.map { .address($0) }, basis: "service", extra: extra)
    }

    /// What is in one of the spool's directories.
    func names(_ directory: String) -> [String] { spool.names(in: directory) }
}

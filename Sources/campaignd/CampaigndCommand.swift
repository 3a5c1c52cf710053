import ArgumentParser
import Daemon

/// Arguments in, daemon out.
@main
struct CampaigndCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "campaignd",
        abstract: "Sends campaigns that other programs drop into a spool directory, never a message twice.",
        discussion: """
            Exit status: 0 after an orderly stop, 1 if --reload was refused, 78 for a configuration that cannot be \
            used, 75 for trouble that may pass, 64 for wrong arguments.
            """,
        version: "campaignd \(ProgramVersion.current)")

    @Option(help: "The configuration file.")
    var config = "/etc/campaignd/campaignd.toml"

    @Flag(help: "Check the configuration and exit.")
    var check = false

    @Flag(
        help: "Let the running daemon read its configuration again, and wait for the answer (ExecReload= of the unit).")
    var reload = false

    func validate() throws {
        if check, reload { throw ValidationError("--check and --reload are two things: do one after the other.") }
    }

    func run() throws {
        if reload { throw ExitCode(Launch.reload()) }
        if check { throw ExitCode(Launch.check(configuration: config)) }
        Launch.serve(configuration: config)
    }
}

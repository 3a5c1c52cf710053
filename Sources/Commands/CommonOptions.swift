import ArgumentParser
import Daemon

/// What every command that looks at the daemon's files takes.
struct CommonOptions: ParsableArguments {
    @Option(help: "The configuration file of the daemon.")
    var config = "/etc/campaignd/campaignd.toml"

    @Flag(help: "Print JSON instead of text.")
    var json = false

    /// The configuration that the daemon has, or would have.
    func configuration() throws(CommandFailure) -> Configuration {
        do throws(ConfigurationFile.Invalid) {
            return try ConfigurationFile.load(config)
        } catch {
            throw CommandFailure(error.description, status: .configuration)
        }
    }
}

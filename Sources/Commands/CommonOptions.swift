import ArgumentParser
import Daemon

/// What every command that looks at the daemon's files takes.
struct CommonOptions: ParsableArguments {
    static let standardConfiguration = "/etc/campaignd/campaignd.toml"

    @Option(help: "The configuration file of the daemon.", completion: .file(extensions: ["toml"]))
    var config = CommonOptions.standardConfiguration

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

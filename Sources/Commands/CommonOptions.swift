import ArgumentParser
import Daemon

/// What every command that looks at the daemon's files takes.
struct CommonOptions: ParsableArguments {
    static let standardConfiguration = "/etc/campaignd/campaignd.toml"

    @Option(help: "The configuration file of the daemon.", completion: .file(extensions: ["toml"]))
    var config = CommonOptions.standardConfiguration

    @Flag(help: "Print JSON instead of text.")
    var json = false

    /// The configuration file that an unfinished command line names.
    static func configurationFile(of words: [String]) -> String {
        let place = words.firstIndex(of: "--config").map { words.index(after: $0) }
        return place.flatMap { words.indices.contains($0) ? words[$0] : nil } ?? standardConfiguration
    }

    /// The configuration that the daemon has, or would have.
    func configuration() throws(CommandFailure) -> Configuration {
        do throws(ConfigurationFile.Invalid) {
            return try ConfigurationFile.load(config)
        } catch {
            throw CommandFailure(error.mistakes, status: error.mayPass ? .temporary : .configuration)
        }
    }
}

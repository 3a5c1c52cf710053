package import ArgumentParser
import Daemon

/// What operators type. It reads the ledger read-only, and changes things only by dropping jobs.
package struct Campaignctl: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "campaignctl",
        abstract: "Shows and controls the campaigns of campaignd.",
        discussion: """
            Exit status: 0 done, 1 refused or something is wrong, 64 wrong arguments, 75 trouble that may pass, 77 not \
            permitted, 78 a configuration that cannot be used.
            """,
        version: "campaignctl \(ProgramVersion.current)",
        subcommands: [
            SubmitCommand.self,
            CheckCommand.self,
            PreviewCommand.self,
            PauseCommand.self,
            ResumeCommand.self,
            CancelCommand.self,
            ApproveCommand.self,
            SettleCommand.self,
            RerouteCommand.self,
            ConsentCommand.self,
            ListCommand.self,
            StatusCommand.self,
            WatchCommand.self,
            UncertainCommand.self,
            RelayCommand.self,
            LedgerCommand.self,
            DoctorCommand.self,
        ])

    package init() {}

    /// Does what the arguments of this process say, and exits with its status where that is not 0.
    package static func serve() async {
        await main()
    }
}

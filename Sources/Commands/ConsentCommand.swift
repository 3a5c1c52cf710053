import ArgumentParser

/// What is known of people's will.
struct ConsentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "consent", abstract: "Shows and records what people agreed to.",
        subcommands: [
            ConsentShowCommand.self,
            ConsentHistoryCommand.self,
            ConsentWithdrawCommand.self,
        ])
}

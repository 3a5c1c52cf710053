import Ledger
import Logging
import Mailing

/// What the daemon has from outside of it. All else is its own.
struct Surroundings: Sendable {
    var clocks: any Clocks
    var logger: Logger
    /// Makes the connection to a relay.
    var connection: @Sendable (Configuration.Relay) throws -> any RelayConnection = {
        try RelayFactory.connection($0)
    }
    /// What a part of the daemon runs on; the text says which one.
    var executor: @Sendable (String) -> any SerialExecutor = { QueueExecutor(label: $0) }
    /// The same for a part that has something to do every half minute.
    var steadyExecutor: @Sendable (String) -> any SerialExecutor = { QueueExecutor(label: $0, keepsThread: true) }
    /// Whether this process is the daemon alone, so that its memory may be looked after.
    var keepsSmall = false
    /// The decisions that are taken inside the ledger's transactions.
    var rules = HandOverRules()
    /// Whether the kernel tells of drops; if not, incoming/ is looked at every 30 s, and whenever `wake` is called.
    var watchesIncoming = true
    /// What tells this machine apart from all others; nil if that is not known.
    var machine: String?
    /// The directory of the service for what lives as long as it runs, such as the socket on which `campaignd --reload`
    /// finds the daemon; nil if there is none.
    var runtimeDirectory: String?
    /// What the local Postfix wrote into the journal since a moment; its user is the first argument.
    var postfixReading: JournalSettler.Reading?
    /// What the system's user database says of a user; may block.
    var account: @Sendable (UInt32) throws -> Account = { try SystemAccounts.account(of: $0) }
    /// The highest number of an intent that the journal knows of the ledger of this identity; nil if it knows none.
    var intentsInJournal: @Sendable (String) -> Int64? = { _ in nil }
}

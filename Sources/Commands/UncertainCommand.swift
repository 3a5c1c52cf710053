import ArgumentParser
import Daemon
import Ledger
import Mailing
import Spool

struct UncertainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uncertain",
        abstract: "Lists the messages of which nobody knows whether they were taken, and what settles that.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "Only those of this campaign.", completion: CampaignCompletion.kind)
    var campaign: String?

    /// More are not read: whoever settles so many does it for a whole campaign.
    private static let limit = 100_000

    func run() async throws {
        try await CommandFailure.reported {
            let job = try campaign.map(CommandFailure.job)
            let configuration = try common.configuration()
            let ledger = try common.ledger(of: configuration.ledgerPath)
            let doubts = try CommandFailure.asking { () throws(LedgerError) -> [DoubtRecord]? in
                if let job, try ledger.campaign(job) == nil { return nil }
                return try ledger.doubts(campaign: job, limit: UncertainCommand.limit)
            }
            guard let doubts else { throw CommandFailure("there is no campaign “\(campaign ?? "")”") }
            common.show(DoubtList(doubts: doubts, configuration: configuration, now: try Moment.now()))
        }
    }
}

struct DoubtList: Report {
    let doubts: [DoubtRecord]
    let configuration: Configuration
    let now: Timestamp

    var lines: [String] {
        guard !doubts.isEmpty else { return ["nothing is uncertain"] }
        return doubts.flatMap { doubt in
            [
                "\(doubt.address.text)  in \(doubt.job)\(doubt.isTest ? " (test mail)" : "")",
                "  since \(ReportText.time(doubt.since)), relay \(doubt.relay), Message-ID \(doubt.messageID)",
                "  because: \(doubt.reason ?? "no reply to the final dot")", "  settled by: \(settledBy(doubt))",
            ]
        }
    }

    var json: JSONText {
        .object([
            (
                "uncertain",
                .array(
                    doubts.map { doubt in
                        .object([
                            ("job", .string(doubt.job.text)), ("address", .string(doubt.address.text)),
                            ("test", .bool(doubt.isTest)), ("relay", .string(doubt.relay)),
                            ("since", .time(doubt.since)), ("messageId", .string(doubt.messageID)),
                            ("reason", .text(doubt.reason)), ("endsByItself", .bool(endsByItself(doubt))),
                            ("keyUntil", .time(doubt.keyUntil)), ("settledBy", .string(settledBy(doubt))),
                        ])
                    })
            )
        ])
    }

    private func hasKey(_ doubt: DoubtRecord) -> Bool {
        guard let until = doubt.keyUntil, let scope = doubt.keyScope else { return false }
        return !doubt.isExamined && until > now && doubt.campaignState == .running
            && configuration.relays[doubt.relay]?.keyScope == scope
    }

    private func endsByItself(_ doubt: DoubtRecord) -> Bool {
        hasKey(doubt)
            || (!doubt.isExamined && doubt.keyUntil == nil
                && configuration.relays[doubt.relay]?.settlesByJournal == true)
    }

    private func settledBy(_ doubt: DoubtRecord) -> String {
        if hasKey(doubt) {
            return "a second hand-over under its idempotency key, tried until \(ReportText.time(doubt.keyUntil))"
        }
        if endsByItself(doubt) { return "the journal of the local Postfix, which is being searched" }
        let isOver = doubt.campaignState.reopened(now: now, expires: doubt.expires) == nil
        let ways = isOver ? "--as sent" : "--as sent or --as resend"
        return "a person: look in the relay's log for the Message-ID, then campaignctl settle \(doubt.job) "
            + "--address \(doubt.address.text) \(ways)"
    }
}

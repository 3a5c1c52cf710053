import ArgumentParser
import Daemon
import Mailing
import Spool

/// Ids of campaigns for the shell, from the receipts that this user may read; none where there is any trouble.
enum CampaignCompletion {
    static let kind = CompletionKind.custom { words, _, prefix in
        ids(beginning: prefix, configuration: CommonOptions.configurationFile(of: words))
    }

    private static let limit = 300

    static func ids(beginning prefix: String, configuration path: String) -> [String] {
        guard let configuration = try? ConfigurationFile.load(path),
            let reader = try? ReceiptReader(spool: configuration.spoolDirectory),
            let names = try? reader.names(beginning: prefix, limit: limit)
        else { return [] }
        return names.compactMap { name in
            // What was rejected is no campaign, and may call itself anything.
            guard let receipt = try? reader.receipt(name)?.receipt, receipt.kind == "campaign",
                receipt.state != .rejected, let job = receipt.job, JobID.isValid(job)
            else { return nil }
            return job
        }
    }
}

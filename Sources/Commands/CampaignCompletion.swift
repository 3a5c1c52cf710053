import ArgumentParser
import Daemon
import Mailing
import Spool

/// Ids of campaigns for the shell, from the receipts that this user may read; none where there is any trouble.
enum CampaignCompletion {
    static let kind = CompletionKind.custom { words, _, prefix in
        let place = words.firstIndex(of: "--config").map { words.index(after: $0) }
        let file = place.flatMap { words.indices.contains($0) ? words[$0] : nil }
        return ids(beginning: prefix, configuration: file ?? CommonOptions.standardConfiguration)
    }

    private static let limit = 300

    static func ids(beginning prefix: String, configuration path: String) -> [String] {
        guard let configuration = try? ConfigurationFile.load(path),
            let reader = try? ReceiptReader(spool: configuration.spoolDirectory),
            let names = try? reader.names(beginning: prefix, limit: limit)
        else { return [] }
        return names.compactMap { name in
            guard let receipt = try? reader.receipt(name)?.receipt, receipt.kind == "campaign" else { return nil }
            return receipt.job
        }
    }
}

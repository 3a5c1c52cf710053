import Glibc
package import Mailing

/// A new recipients.csv of a receipt, written page by page and put in place as a whole by `finish`.
package struct RecipientPages {
    private let directory: SpoolDescriptor
    private let file: SpoolDescriptor
    private static let draft: DirectoryEntryName = ".recipients.csv.tmp"

    package init(spool: SpoolDirectory, name: ReceiptName) throws(SpoolError) {
        let entry = DirectoryEntryName(name.text)
        _ = try spool.receipts.makeDirectory(entry, mode: 0o750)
        directory = try spool.receipts.openDirectory(entry)
        file = try directory.open(RecipientPages.draft, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o640)
        try file.setMode(0o640)
        try file.write(Array(RecipientRecord.header.utf8))
    }

    package func add(_ records: [RecipientRecord]) throws(SpoolError) {
        var bytes: [UInt8] = []
        for record in records { record.append(to: &bytes) }
        try file.write(bytes)
    }

    /// Replaces recipients.csv atomically and durably.
    package func finish() throws(SpoolError) {
        try file.synchronize()
        try directory.replace("recipients.csv", by: RecipientPages.draft)
        try directory.synchronize()
    }
}

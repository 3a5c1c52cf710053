import Glibc
package import Mailing

/// A new recipients.csv of a receipt, written page by page and put in place as a whole by `finish`. Until then, and if
/// it never comes to that, what was there stays.
///
/// RFC 4180, in UTF-8; control characters become spaces, so that one row is one line.
package struct RecipientPages {
    private let directory: SpoolDescriptor
    private let file: SpoolDescriptor
    private static let draft: DirectoryEntryName = ".recipients.csv.tmp"

    package init(spool: SpoolDirectory, name: ReceiptName) throws(SpoolError) {
        directory = try spool.directory(of: name)
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

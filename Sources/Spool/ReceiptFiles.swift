import Glibc
package import Mailing
import Synchronization

/// The name of a directory under receipts/, made by `SpoolDirectory.reserveReceipt`.
package struct ReceiptName: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// Nil unless the text can be such a name: 1 to 200 letters, digits and `.`, `_`, `-`, `%`, and no dot first.
    package init?(_ text: String) {
        let isPlain = text.utf8.allSatisfy { byte in
            JobID.isValid("x" + String(UnicodeScalar(byte))) || byte == UInt8(ascii: "%")
        }
        guard (1...200).contains(text.utf8.count), isPlain, !text.hasPrefix(".") else { return nil }
        self.text = text
    }

    package var description: String { text }
}

extension SpoolDirectory {
    private static let ownerFile: DirectoryEntryName = ".owner"

    /// Reserves receipts/NAME, or NAME.2, NAME.3 … if another has it.
    ///
    /// - Parameters:
    ///   - name: as `Inspection.name` or `PendingDrop.receiptName` gives it.
    ///   - owner: for whom, as the id of the claim. Asked again for the same owner, for instance after a crash, it
    ///     gives the same name.
    ///   - isTaken: whether the ledger has a name for another job, though somebody may have removed its directory.
    package func reserveReceipt(
        _ name: String, owner: String, isTaken: (ReceiptName) throws -> Bool = { _ in false }
    ) throws -> ReceiptName {
        let text = try firstFree(name) { candidate in
            guard let receipt = ReceiptName(candidate), try !isTaken(receipt) else { return false }
            return try reserve(DirectoryEntryName(candidate), owner: owner)
        }
        guard let receipt = ReceiptName(text) else {
            throw SpoolError(receipts.path(of: DirectoryEntryName(name)), detail: "cannot be the name of a receipt")
        }
        return receipt
    }

    private func reserve(_ name: DirectoryEntryName, owner: String) throws(SpoolError) -> Bool {
        if try !receipts.makeDirectory(name, mode: 0o750) {
            guard try receipts.status(of: name)?.kind == .directory else { return false }
            let directory = try receipts.openDirectory(name)
            if try directory.status(of: SpoolDirectory.ownerFile) != nil {
                let found = try directory.open(SpoolDirectory.ownerFile, O_RDONLY).contents(limit: 1024)
                // Empty: a power cut took what was written, and left the name.
                guard found.isEmpty else { return found == Array(owner.utf8) }
                try replaceFile(SpoolDirectory.ownerFile, of: directory, with: Array(owner.utf8), durable: true)
                return true
            }
            // Empty: a crash came between the two steps. Anything else is somebody's.
            guard try directory.entries(limit: 1, where: { !$0.hasSuffix(".tmp") }).isEmpty else { return false }
        }
        let directory = try receipts.openDirectory(name)
        try replaceFile(SpoolDirectory.ownerFile, of: directory, with: Array(owner.utf8), durable: false)
        return true
    }

    /// Replaces receipts/NAME/receipt.json atomically. Makes the directory again if somebody removed it.
    ///
    /// - Parameter durable: whether it must survive a power cut. Receipts can be derived again from the ledger.
    package func write(_ receipt: Receipt, to name: ReceiptName, durable: Bool = false) throws(SpoolError) {
        try replaceFile("receipt.json", of: directory(of: name), with: receipt.document, durable: durable)
        if durable { try receipts.synchronize() }
    }

    /// Path of a receipt's directory, for messages.
    package func path(of name: ReceiptName) -> String { "\(path)/receipts/\(name)" }

    /// Paths of the files that tell of an ended campaign, for messages.
    package func files(of name: ReceiptName) -> [String] {
        ["receipt.json", "recipients.csv"].map { "\(path(of: name))/\($0)" }
    }

    func directory(of name: ReceiptName) throws(SpoolError) -> SpoolDescriptor {
        let entry = DirectoryEntryName(name.text)
        _ = try receipts.makeDirectory(entry, mode: 0o750)
        return try receipts.openDirectory(entry)
    }

    func replaceFile(
        _ name: DirectoryEntryName, of directory: SpoolDescriptor, with contents: [UInt8], durable: Bool
    ) throws(SpoolError) {
        let draft = DirectoryEntryName(bytes: Array(".".utf8) + name.bytes + Array(".tmp".utf8))
        try drafts.oneAtATime { () throws(SpoolError) in
            let file = try directory.open(draft, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o640)
            try file.setMode(0o640)
            try file.write(contents)
            if durable { try file.synchronize() }
            try directory.replace(name, by: draft)
        }
        if durable { try directory.synchronize() }
    }

    /// The first of NAME, NAME.2, NAME.3 … that `take` could take.
    func firstFree(_ name: String, take: (String) throws -> Bool) throws -> String {
        if try take(name) { return name }
        for number in 2...100_000 where try take("\(name).\(number)") { return "\(name).\(number)" }
        throw SpoolError("\(path)/receipts/\(name)", detail: "exists 100000 times; remove old receipts")
    }
}

/// The drafts of all files that are replaced. Those of one file have one name, so that a crash leaves one at the most;
/// two who replace the same file must not write into it together.
final class Drafts: Sendable {
    private let turn = Mutex(())

    func oneAtATime(_ write: () throws(SpoolError) -> Void) throws(SpoolError) {
        try turn.withLock { _ throws(SpoolError) in try write() }
    }
}

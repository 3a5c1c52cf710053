import Glibc
package import Mailing

/// Reads the answers in receipts/, as a producer may. All calls block, none waits.
package struct ReceiptReader: Sendable {
    private let receipts: SpoolDescriptor
    /// Most bytes of a receipt.json.
    private static let limit = 16 << 20

    /// Opens the spool of a daemon; makes nothing.
    package init(spool path: String) throws(SpoolError) {
        receipts = try SpoolDescriptor.passage(path: path).openDirectory("receipts")
    }

    /// A receipt as it was when it was read.
    package struct Found: Sendable {
        package let name: ReceiptName
        package let receipt: Receipt
        /// The whole document.
        package let document: JSONValue
        /// The same for as long as nobody writes the receipt again.
        let stamp: Stamp
    }

    struct Stamp: Hashable, Sendable {
        let inode: UInt64
        let modified: Int64
    }

    /// Path of a receipt's directory, for messages.
    package func path(of name: ReceiptName) -> String { receipts.path(of: DirectoryEntryName(name.text)) }

    /// Nil if there is none of this name yet.
    package func receipt(_ name: ReceiptName) throws(SpoolError) -> Found? {
        do throws(SpoolError) {
            let directory = try receipts.openDirectory(DirectoryEntryName(name.text))
            let file = try directory.open("receipt.json", O_RDONLY)
            let status = try file.status()
            let bytes = try file.contents(limit: ReceiptReader.limit)
            guard let document = try? JSONReader.read(bytes, limits: JSONLimits(bytes: ReceiptReader.limit)),
                let receipt = Receipt(document: document)
            else { throw SpoolError(file.path, detail: "is no receipt") }
            return Found(name: name, receipt: receipt, document: document, stamp: Stamp(status))
        } catch  where error.code == ENOENT {
            return nil
        }
    }

    /// Names of receipts that begin like this, sorted, so many at most.
    package func names(beginning: String, limit: Int) throws(SpoolError) -> [ReceiptName] {
        let entries = try receipts.entries(limit: limit) { entry in
            !entry.isHidden && entry.bytes.starts(with: beginning.utf8)
        }
        return entries.compactMap { $0.text.flatMap { ReceiptName($0) } }.sorted { $0.text < $1.text }
    }

    /// When something was last added to receipts/ or taken away.
    func changed() throws(SpoolError) -> Stamp { Stamp(try receipts.status()) }

    func stamp(_ name: ReceiptName) throws(SpoolError) -> Stamp? {
        do throws(SpoolError) {
            return try receipts.openDirectory(DirectoryEntryName(name.text)).status(of: "receipt.json").map(Stamp.init)
        } catch  where error.code == ENOENT {
            return nil
        }
    }

    /// NAME, NAME.2, NAME.3 and so on, as far as they are there.
    func family(of name: String) throws(SpoolError) -> [ReceiptName] {
        try names(beginning: name, limit: .max).filter { candidate in
            let rest = candidate.text.dropFirst(name.count)
            return rest.isEmpty || (rest.first == "." && rest.count > 1 && rest.dropFirst().allSatisfy(\.isNumber))
        }
    }
}

extension ReceiptReader.Stamp {
    init(_ status: FileStatus) {
        self.init(inode: status.inode, modified: status.modified)
    }
}

/// Finds the answer to one drop among the receipts of its name.
///
/// A name that is taken becomes NAME.2, NAME.3 and so on, and the same job dropped again is counted in its first
/// receipt. So the receipts of the name are remembered before the drop: the answer is one of the drop's contents, or a
/// rejection that was not there before.
package struct ReceiptSearch: Sendable {
    private let reader: ReceiptReader
    private let name: String
    private let job: String?
    private let sha256: String?
    private var known: [ReceiptName: ReceiptReader.Stamp] = [:]
    private let before: Set<ReceiptName>
    private var family: [ReceiptName]
    private var listed: ReceiptReader.Stamp

    /// Begin it before the drop.
    ///
    /// - Parameters:
    ///   - drop: How it will be called.
    ///   - job: The job's id; nil if it has none.
    ///   - sha256: Identity of its contents; nil if nobody else has the id.
    package init(reader: ReceiptReader, drop: DropName, job: String?, sha256: String?) throws(SpoolError) {
        self.reader = reader
        self.job = job
        self.sha256 = sha256
        name = drop.receiptName
        listed = try reader.changed()
        family = try reader.family(of: name)
        before = Set(family)
        for name in family { known[name] = try reader.stamp(name) }
    }

    /// The answer; nil if there is none yet. Ask once the daemon has taken the drop.
    package mutating func find() throws(SpoolError) -> ReceiptReader.Found? {
        let changed = try reader.changed()
        if changed != listed {
            listed = changed
            family = try reader.family(of: name)
        }
        for name in family {
            guard let stamp = try reader.stamp(name), stamp != known[name] else { continue }
            guard let found = try reader.receipt(name) else { continue }
            if isAnswer(found) { return found }
            known[name] = found.stamp
        }
        return nil
    }

    /// Whether the same job was answered before, under the name at which its answer is now.
    package func wasThere(_ found: ReceiptReader.Found) -> Bool { before.contains(found.name) }

    private func isAnswer(_ found: ReceiptReader.Found) -> Bool {
        let receipt = found.receipt
        if let sha256, receipt.sha256 == sha256 { return receipt.job == nil || receipt.job == job }
        if sha256 == nil, let job, receipt.job == job { return true }
        return receipt.state == .rejected && receipt.sha256 == nil && !before.contains(found.name)
            && (receipt.job == nil || receipt.job == job)
    }
}

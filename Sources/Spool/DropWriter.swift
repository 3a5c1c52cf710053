import Glibc
import Mailing

/// A producer's way into a spool: a job is written in tmp/, made durable there, and renamed into incoming/, never over
/// anything that is there.
///
/// It needs the right to make entries in both directories, and none to list them. All calls block, none waits.
package struct DropWriter: Sendable {
    private let root: SpoolDescriptor
    private let incoming: SpoolDescriptor
    private let temporary: SpoolDescriptor

    /// Opens the spool of a daemon; makes nothing.
    package init(spool path: String) throws(SpoolError) {
        root = try SpoolDescriptor.passage(path: path)
        incoming = try root.openPassage("incoming")
        temporary = try root.openPassage("tmp")
    }

    /// The daemon's own way in, to a spool that it serves.
    package init(_ spool: SpoolDirectory) {
        root = spool.root
        incoming = spool.incoming
        temporary = spool.temporary
    }

    /// A job that is being written. It is its maker's until it is dropped; what is forgotten is removed by the daemon
    /// after 36 hours.
    package struct Draft: Sendable {
        let entry: DirectoryEntryName
        let inode: UInt64
        /// What it will be called.
        package let drop: DropName
    }

    /// What was dropped, as long as the daemon has not taken it.
    package struct Dropped: Sendable {
        let entry: DirectoryEntryName
        let inode: UInt64
        /// Where it waits for the daemon.
        package let path: String
        /// Why it may not be on the disk yet, though it is dropped and may have been taken; nil if nothing is known.
        package let doubt: SpoolError?
    }

    /// The user that the daemon runs as: owner of what it alone may empty.
    package func daemonUser() throws(SpoolError) -> UInt32 { try incoming.status().owner }

    /// Group of those who may drop.
    package func submitGroup() throws(SpoolError) -> UInt32 { try temporary.status().group }

    /// Whether something of this name waits for the daemon.
    package func isTaken(_ drop: DropName) throws(SpoolError) -> Bool { try incoming.status(of: drop.entry) != nil }

    /// Writes a job of one file.
    ///
    /// - Parameter name: Of the drop, without suffix.
    package func draft(_ json: [UInt8], name: String) throws(SpoolError) -> Draft {
        let entry = freshName(".json")
        let file = try temporary.open(entry, O_WRONLY | O_CREAT | O_EXCL, mode: 0o666)
        do throws(SpoolError) {
            try file.write(json)
            try file.synchronize()
            return Draft(
                entry: entry, inode: try file.status().inode, drop: DropName(DirectoryEntryName(name + ".json")))
        } catch {
            try? temporary.remove(entry)
            throw error
        }
    }

    /// Copies a job that lies elsewhere, and judges it on the way: what was judged is what will be dropped.
    ///
    /// - Returns: no draft if there are errors in it.
    package func draft(
        _ source: JobSource, limits: DropLimits = DropLimits()
    ) throws(SpoolError) -> (draft: Draft?, job: ExaminedJob) {
        let isBundle = source.drop.form == .bundle
        let entry = freshName(isBundle ? ".job" : ".json")
        var copy = DropCopy(directory: temporary, single: entry)
        if isBundle, source.drop.error == nil {
            guard try temporary.makeUsualDirectory(entry) else {
                throw SpoolError("make the directory", temporary.path(of: entry), code: EEXIST)
            }
        }
        do throws(SpoolError) {
            if isBundle, source.drop.error == nil { copy = DropCopy(directory: try temporary.openDirectory(entry)) }
            let job = try source.examine(as: geteuid(), limits: limits, copyTo: copy)
            guard job.inspection.errors.isEmpty, let made = try temporary.status(of: entry) else {
                try? remove(entry)
                return (nil, job)
            }
            if isBundle { try copy.directory.synchronize() }
            return (Draft(entry: entry, inode: made.inode, drop: source.drop), job)
        } catch {
            try? remove(entry)
            throw error
        }
    }

    /// Gives a draft to the daemon.
    ///
    /// - Throws: If it was not dropped, with `EEXIST` if something of its name waits there already; the draft is as it
    ///   was then. What fails behind the rename is the `doubt` of what was dropped.
    package func drop(_ draft: Draft) throws(SpoolError) -> Dropped {
        try temporary.move(draft.entry, to: incoming, as: draft.drop.entry)
        var doubt: SpoolError?
        do throws(SpoolError) {
            try root.openDirectory("incoming").synchronize()
        } catch {
            // Submitters have no right to open the directory; then the receipt is what says that it is on the disk.
            if error.code != EACCES { doubt = error }
        }
        return Dropped(
            entry: draft.drop.entry, inode: draft.inode, path: incoming.path(of: draft.drop.entry), doubt: doubt)
    }

    /// Removes a draft that is not to be dropped.
    package func discard(_ draft: Draft) throws(SpoolError) { try remove(draft.entry) }

    /// Whether the daemon has not taken it yet.
    package func isWaiting(_ dropped: Dropped) throws(SpoolError) -> Bool {
        try incoming.status(of: dropped.entry)?.inode == dropped.inode
    }

    private func remove(_ entry: DirectoryEntryName) throws(SpoolError) {
        try temporary.removeTree(entry)
    }

    private func freshName(_ suffix: String) -> DirectoryEntryName {
        DirectoryEntryName("draft-\(unguessableName())\(suffix)")
    }
}

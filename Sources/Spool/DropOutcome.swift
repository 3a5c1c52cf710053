import Glibc
package import Mailing

extension SpoolDirectory {
    // MARK: Kept copies

    /// Gives the copy of an inspected drop to a job, durably. Call it before the plan is committed, and only for an id
    /// that the ledger does not know: a copy that an earlier, uncommitted attempt left under the id is replaced.
    package func keep(_ drop: ClaimedDrop, as id: JobID) throws(SpoolError) {
        let name = DirectoryEntryName(id.text)
        do throws(SpoolError) {
            try kept.move(drop.copy, to: kept, as: name)
        } catch  where error.code == EEXIST {
            try kept.exchange(drop.copy, with: name)
            try dispose(drop.copy, of: kept)
        }
        try kept.synchronize()
    }

    /// Ends a claim whose plan is committed: its copy belongs to the job, the original is removed. May be repeated.
    ///
    /// - Returns: what could not be removed of the original. The claim is over all the same; `sweep` tries again.
    @discardableResult
    package func accept(_ drop: ClaimedDrop, as id: JobID) throws(SpoolError) -> SpoolError? {
        if try kept.status(of: drop.copy) != nil { try keep(drop, as: id) }
        return try discard(drop)
    }

    /// Ends a claim of which nothing is wanted any more, such as a drop that came before. May be repeated.
    ///
    /// - Returns: what could not be removed. The claim is over all the same; `sweep` tries again.
    @discardableResult
    package func discard(_ drop: ClaimedDrop) throws(SpoolError) -> SpoolError? {
        do throws(SpoolError) {
            // First one rename: a claim that was removed by halves would be a different drop after a crash.
            try claims.move(drop.directory, to: removed, as: drop.directory)
            try claims.synchronize()
        } catch  where error.code == ENOENT {
            return nil
        }
        do throws(SpoolError) {
            try dispose(drop.copy, of: kept)
            try removeTree(drop.directory, of: removed)
            return nil
        } catch {
            return error
        }
    }

    /// Path of a job's copy of its drop.
    package func keptDirectory(of id: JobID) -> String { "\(path)/work/kept/\(id)" }

    /// The job.json of a job's copy.
    package func keptJob(of id: JobID) throws(SpoolError) -> [UInt8] {
        try kept.openDirectory(DirectoryEntryName(id.text)).open("job.json", O_RDONLY)
            .contents(limit: Int(max(limits.singleFile, limits.jobFile)))
    }

    /// Path of a file of a job's drop, by the name that job.json gives it; nil if there is no such regular file, or
    /// the name would leave the drop.
    package func keptFile(_ name: String, of id: JobID) throws(SpoolError) -> String? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.utf8.contains(0) })
        else { return nil }
        do throws(SpoolError) {
            var directory = try kept.openDirectory(DirectoryEntryName(id.text))
            for part in parts.dropLast() { directory = try directory.openDirectory(DirectoryEntryName(String(part))) }
            let last = DirectoryEntryName(String(parts[parts.count - 1]))
            guard try directory.status(of: last)?.kind == .regular else { return nil }
            return "\(keptDirectory(of: id))/\(name)"
        } catch  where [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG].contains(error.code) {
            return nil
        }
    }

    /// The jobs that have a copy: those that the ledger does not know may be removed when nothing is claimed.
    package func keptJobs() throws(SpoolError) -> [JobID] {
        try kept.entries(where: { !$0.isHidden }).compactMap { $0.text.flatMap { JobID($0) } }.sorted()
    }

    /// Removes a job's copy, if there is one.
    package func removeKept(_ id: JobID) throws(SpoolError) {
        try dispose(DirectoryEntryName(id.text), of: kept)
    }

    // MARK: Rejecting

    /// Moves what was dropped, untouched, to rejected/NAME beside its receipt; NAME.2, NAME.3 … if that is taken.
    /// Write the receipt under receipts/ first: this ends the claim.
    ///
    /// - Returns: the name under rejected/.
    @discardableResult
    package func reject(_ drop: ClaimedDrop, receipt: Receipt, as name: ReceiptName) throws -> String {
        let claim = try claims.openDirectory(drop.directory)
        let draft: DirectoryEntryName = ".receipt.json"
        try replaceFile(draft, of: claim, with: receipt.document, durable: true)
        try planned(drop)
        // Best effort: a daemon that is not in the group cannot give it away, and root can read it in any case.
        _ = fchown(claim.number, uid_t.max, try rejected.status().group)
        try claim.setMode(0o750)
        let target = try firstFree(name.text) { candidate in
            do throws(SpoolError) {
                try claims.move(drop.directory, to: rejected, as: DirectoryEntryName(candidate))
                return true
            } catch  where error.code == EEXIST {
                return false
            }
        }
        // A drop may itself be called receipt.json.
        let final: DirectoryEntryName = drop.name == "receipt.json" ? "rejection.json" : "receipt.json"
        try claim.replace(final, by: draft)
        try rejected.synchronize()
        try dispose(drop.copy, of: kept)
        return target
    }
}

import Glibc
package import Mailing

extension SpoolDirectory {
    /// Removes what submitters left in tmp/ and nothing inside of which has changed for 36 hours, as maildir(5) does.
    ///
    /// - Returns: the names of what was removed, and what could not be.
    package func removeStale(now: Timestamp) throws(SpoolError) -> (removed: [DirectoryEntryName], left: [SpoolError]) {
        var gone: [DirectoryEntryName] = []
        var left: [SpoolError] = []
        for name in try temporary.entries(limit: 10_000).sorted() {
            guard let status = try temporary.status(of: name) else { continue }
            let age = now.milliseconds - lastChange(of: name, in: temporary, status) / 1_000_000
            guard age > 36 * 3_600_000 else { continue }
            do throws(SpoolError) {
                try dispose(name, of: temporary)
                gone.append(name)
            } catch {
                left.append(error)
            }
        }
        return (gone, left)
    }

    /// Removes what earlier runs could not: call it once at start. Returns what still cannot be removed.
    package func sweep() throws(SpoolError) -> [SpoolError] {
        var failures: [SpoolError] = []
        func attempt(_ body: () throws(SpoolError) -> Void) {
            do throws(SpoolError) { try body() } catch { failures.append(error) }
        }
        for name in try removed.entries() {
            attempt { () throws(SpoolError) in try removeTree(name, of: removed) }
        }
        for name in try claims.entries() {
            guard let claim = try? claims.openDirectory(name), try claim.entries(where: { !$0.isHidden }).isEmpty
            else { continue }
            attempt { () throws(SpoolError) in try removeTree(name, of: claims) }
        }
        for copy in try kept.entries(where: \.isHidden)
        where try claims.status(of: DirectoryEntryName(bytes: Array(copy.bytes.dropFirst()))) == nil {
            attempt { () throws(SpoolError) in try dispose(copy, of: kept) }
        }
        return failures
    }

    /// Removes an entry so that it is either whole or gone: renamed first, then taken apart.
    func dispose(_ name: DirectoryEntryName, of parent: SpoolDescriptor) throws(SpoolError) {
        let aside = DirectoryEntryName(uniqueName())
        do throws(SpoolError) {
            try parent.move(name, to: removed, as: aside)
        } catch  where error.code == ENOENT {
            return
        }
        try removeTree(aside, of: removed)
    }
}

extension SpoolDirectory {
    func removeTree(_ name: DirectoryEntryName, of parent: SpoolDescriptor, depth: Int = 16) throws(SpoolError) {
        try parent.removeTree(name, depth: depth)
    }
}

extension SpoolDescriptor {
    /// Removes an entry and everything in it, links not followed. Its owner may still add to it: what lies deeper than
    /// any drop may is left, with an error.
    func removeTree(_ name: DirectoryEntryName, depth: Int = 16) throws(SpoolError) {
        guard let status = try status(of: name) else { return }
        guard status.kind == .directory else {
            try remove(name)
            return
        }
        guard depth > 0 else { throw SpoolError(path(of: name), detail: "lies too deep; remove it by hand") }
        // A submitter's directory may be closed to writing; it is opened if it is ours.
        _ = name.withCString { fchmodat(number, $0, 0o700, AT_SYMLINK_NOFOLLOW) }
        let directory = try openDirectory(name)
        while true {
            let names = try directory.entries(limit: 1000)
            if names.isEmpty { break }
            for name in names { try directory.removeTree(name, depth: depth - 1) }
        }
        try removeDirectory(name)
    }
}

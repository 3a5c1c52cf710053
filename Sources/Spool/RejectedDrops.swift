import Glibc

/// How much of the disk drops take that nobody wants to carry out.
extension SpoolDirectory {
    /// Whose a claimed drop is, and how many bytes its files have, as far as the daemon may read it. It looks at 2000
    /// files and directories at most.
    package func weight(of drop: ClaimedDrop) throws(SpoolError) -> (owner: UInt32, bytes: Int64) {
        let claim = try claims.openDirectory(drop.directory)
        guard let status = try claim.status(of: drop.name) else {
            throw SpoolError("examine", claim.path(of: drop.name), code: ENOENT)
        }
        return (status.owner, try claim.weight(of: drop.name))
    }

    /// How many drops of one user lie in rejected/, and how many bytes their files have. It looks at all that is there.
    package func rejected(of owner: UInt32) throws(SpoolError) -> (drops: Int, bytes: Int64) {
        var found: (drops: Int, bytes: Int64) = (0, 0)
        for name in try rejected.entries() {
            guard try rejected.status(of: name)?.kind == .directory else { continue }
            let directory = try rejected.openDirectory(name)
            // The receipt beside a drop is the daemon's.
            for entry in try directory.entries() where try directory.status(of: entry)?.owner == owner {
                found.drops += 1
                found.bytes += try directory.weight(of: entry)
            }
        }
        return found
    }
}

extension SpoolDescriptor {
    /// Bytes of an entry and everything in it, links not followed; what may not be looked at counts for nothing.
    fileprivate func weight(of name: DirectoryEntryName) throws(SpoolError) -> Int64 {
        // Ten times what a drop may hold. What holds more was not accepted, and is looked at no further.
        var left = 2000
        return try weight(of: name, depth: 16, left: &left)
    }

    private func weight(of name: DirectoryEntryName, depth: Int, left: inout Int) throws(SpoolError) -> Int64 {
        do throws(SpoolError) {
            guard let status = try status(of: name) else { return 0 }
            guard status.kind == .directory, depth > 0 else { return status.size }
            let directory = try openDirectory(name)
            var bytes: Int64 = 0
            for entry in try directory.entries(limit: left) where left > 0 {
                left -= 1
                bytes += try directory.weight(of: entry, depth: depth - 1, left: &left)
            }
            return bytes
        } catch  where [EACCES, EPERM, ENOENT, ENOTDIR, ELOOP].contains(error.code) {
            return 0
        }
    }
}

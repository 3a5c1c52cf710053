package import Mailing

import Glibc

/// An entry of incoming/ that is complete and may be claimed. It need not be a good one: that is judged later.
package struct PendingDrop: Hashable, Sendable {
    package var name: DirectoryEntryName
    /// The same for as long as the entry stays what it is; owner of the receipt if it cannot even be claimed.
    package var identity: String
    /// When it got its name, in nanoseconds since 1970.
    var arrival: Int64

    /// What its receipt is called, if that name is free.
    package var receiptName: String { DropName(name).receiptName }
}

/// What a scan of incoming/ found.
package struct IncomingScan: Sendable {
    /// In order of arrival.
    package var drops: [PendingDrop]
    /// How long until an entry that was still being written may be quiet; nil if there is none. Not zero.
    package var nextLook: Duration?
    /// Whether the scan stopped at its limit: claim these, then scan again.
    package var isPartial: Bool
}

extension SpoolDirectory {
    /// How long what is written in place must be left alone before it is taken.
    static let quietNanoseconds: Int64 = 5_000_000_000

    /// Looks through incoming/ for what may be claimed.
    ///
    /// What came by rename is taken at once. Anything else is taken when nobody is known to have it open and it was
    /// last changed (`st_ctime`, for a directory the latest of everything inside) five seconds before `now`. A change
    /// in the future means that the clock was set back, so it is an old one.
    ///
    /// Where there was nothing before, and nothing tells of a change, it is not read again for ten minutes.
    ///
    /// - Parameter limit: how many entries are looked at.
    package func pending(
        hints: inout IncomingHints, now: Timestamp, limit: Int = 10_000
    ) throws(SpoolError) -> IncomingScan {
        // While it is open, the kernel tells nothing of its removal.
        // Opened anew: of a directory that is open a network file system tells late.
        let before = try incoming.openDirectory(".").status()
        if try root.status(of: "incoming")?.inode != before.inode { hints.mustRearm = true }
        if !hints.isWorthAScan, hints.nothing.isStill(before, now: now) {
            hints.keep(only: [])
            return IncomingScan(drops: [], nextLook: nil, isPartial: false)
        }
        let names = try incoming.entries(limit: limit, where: DropName.isLookedAt)
        let isPartial = names.count == limit
        if !isPartial { hints.keep(only: Set(names)) }
        hints.nothing.wasRead(before, isEmpty: names.isEmpty, now: now)
        var drops: [PendingDrop] = []
        var nextLook: Int64?
        for name in names {
            // Nil: its owner took it back meanwhile.
            guard let status = try incoming.status(of: name) else { continue }
            let drop = PendingDrop(
                name: name, identity: "\(status.device)-\(status.inode)-\(status.changed)", arrival: status.changed)
            if hints.renamed[name] != nil {
                drops.append(drop)
            } else if status.kind != .regular || !hints.isBeingWritten(name, size: status.size) {
                let wait = remainingWait(lastChange(of: name, in: incoming, status), now: now)
                if wait > 0 { nextLook = min(wait, nextLook ?? wait) } else { drops.append(drop) }
            }
        }
        hints.isWorthAScan = false
        // The clock of the file system stands still for some milliseconds, and for a few drops.
        let turns = hints.renamed
        let turn = { (drop: PendingDrop) in turns[drop.name] ?? .max }
        drops.sort { ($0.arrival, turn($0), $0.name) < ($1.arrival, turn($1), $1.name) }
        return IncomingScan(drops: drops, nextLook: nextLook.map { .nanoseconds($0) }, isPartial: isPartial)
    }

    private func remainingWait(_ changed: Int64, now: Timestamp) -> Int64 {
        let age = now.milliseconds * 1_000_000 - changed
        // The file system's clock ticks coarsely, and `now` was taken before the files were looked at.
        let isInTheFuture = age < -SpoolDirectory.quietNanoseconds
        return isInTheFuture ? 0 : SpoolDirectory.quietNanoseconds - age
    }

    /// The latest change of an entry of `parent` and of everything in it, in nanoseconds since 1970.
    func lastChange(of name: DirectoryEntryName, in parent: SpoolDescriptor, _ status: FileStatus) -> Int64 {
        guard status.kind == .directory else { return status.changed }
        var budget = 4 * limits.files
        return max(status.changed, lastChange(inside: name, of: parent, depth: limits.depth, budget: &budget))
    }

    /// The latest change of anything in a directory. What cannot be looked at, or is more than any drop may hold, is
    /// left out: the inspection will refuse it.
    private func lastChange(
        inside name: DirectoryEntryName, of parent: SpoolDescriptor, depth: Int, budget: inout Int
    ) -> Int64 {
        guard depth > 0, let directory = try? parent.openDirectory(name),
            let names = try? directory.entries(limit: max(budget, 0))
        else { return 0 }
        budget -= names.count
        var latest: Int64 = 0
        for name in names {
            guard let status = try? directory.status(of: name) else { continue }
            latest = max(latest, status.changed)
            if status.kind == .directory {
                latest = max(latest, lastChange(inside: name, of: directory, depth: depth - 1, budget: &budget))
            }
        }
        return latest
    }
}

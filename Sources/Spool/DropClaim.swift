package import Mailing

import Glibc
import Synchronization

/// A drop that the daemon has made its own by one rename. It stays claimed, also over a crash, until it is discarded
/// or rejected.
package struct ClaimedDrop: Hashable, Sendable {
    /// Never used for another claim. Record it with the plan: a claim that comes back after a crash is then known from
    /// a job that was dropped twice.
    package let id: String
    package let name: DirectoryEntryName
    /// How often its inspection was begun before, without `planned` having been reached.
    package let attempts: Int

    /// What its receipt is called, if that name is free.
    package var receiptName: String { DropName(name).receiptName }

    var directory: DirectoryEntryName { DirectoryEntryName(id) }
    /// Where its copy is made before it belongs to a job. Job ids do not begin with a dot.
    var copy: DirectoryEntryName { DirectoryEntryName("." + id) }
}

/// What became of the attempt to claim.
package enum ClaimOutcome: Hashable, Sendable {
    case claimed(ClaimedDrop)
    /// It is not there any more: taken back by its owner, or claimed already.
    case gone
    /// The daemon may not move it. Answer it under the drop's `identity`, then put it aside with `refuse`.
    case unclaimable(JobError)
}

extension SpoolDirectory {
    static let attemptsFile: DirectoryEntryName = ".attempts"
    static let planningFile: DirectoryEntryName = ".planning"

    /// Takes a drop out of incoming/ into the daemon's own directory.
    package func claim(_ drop: PendingDrop) throws(SpoolError) -> ClaimOutcome {
        let id = nextClaimID()
        let claim = ClaimedDrop(id: id, name: drop.name, attempts: 0)
        guard try claims.makeDirectory(claim.directory, mode: 0o700) else {
            throw SpoolError(claims.path(of: claim.directory), detail: "exists already; claims must be new")
        }
        do throws(SpoolError) {
            // Before the rename: a power cut must not lose the drop with the directory that it is in.
            try claims.synchronize()
            try incoming.move(drop.name, to: claims.openDirectory(claim.directory), as: drop.name)
            return .claimed(claim)
        } catch {
            try claims.removeDirectory(claim.directory)
            switch error.code {
            case ENOENT: return .gone
            case EACCES, EPERM, EBUSY, ETXTBSY:
                return .unclaimable(
                    JobError(
                        "\(drop.name)",
                        "the daemon may not move it (\(systemMessage(error.code))); give the daemon's user write "
                            + "permission on the directory, as files made in the spool's tmp/ have, and drop it again"))
            default: throw error
            }
        }
    }

    /// Puts a drop that cannot be claimed out of sight, in place, as `.refused-NAME`. Answer it first.
    package func refuse(_ drop: PendingDrop) throws(SpoolError) {
        do throws(SpoolError) {
            try incoming.move(
                drop.name, to: incoming, as: DirectoryEntryName(bytes: Array(".refused-".utf8) + drop.name.bytes))
        } catch {
            switch error.code {
            case ENOENT: return
            case EEXIST, ENAMETOOLONG:
                try incoming.move(drop.name, to: incoming, as: DirectoryEntryName(".refused-" + uniqueName()))
            default: throw error
            }
        }
    }

    /// What is claimed and not ended, in the order in which it was claimed: at start, what a crash left behind.
    package func claimed() throws(SpoolError) -> [ClaimedDrop] {
        var found: [(order: Int64, drop: ClaimedDrop)] = []
        for entry in try claims.entries(where: { !$0.isHidden }) {
            guard let id = entry.text else { continue }
            let directory: SpoolDescriptor
            do {
                directory = try claims.openDirectory(entry)
            } catch {
                // It ended since the names were read, or is a stray file. A claim that cannot be opened for another
                // reason must not be forgotten.
                guard [ENOENT, ENOTDIR, ELOOP].contains(error.code) else { throw error }
                continue
            }
            guard let name = try directory.entries(where: { !$0.isHidden }).first,
                let status = try directory.status(of: name)
            else { continue }
            let reading = try directory.status(of: SpoolDirectory.attemptsFile)?.size ?? 0
            let planning = try directory.status(of: SpoolDirectory.planningFile)?.size ?? 0
            let attempts = max(reading, planning)
            found.append((status.changed, ClaimedDrop(id: id, name: name, attempts: Int(attempts))))
        }
        return found.sorted { ($0.order, $0.drop.id) < ($1.order, $1.drop.id) }.map(\.drop)
    }

    /// Notes durably that an inspection begins, one byte an attempt: if reading the drop kills the daemon, the next
    /// start can tell.
    func beginAttempt(
        _ directory: SpoolDescriptor, counter: DirectoryEntryName = attemptsFile
    ) throws(SpoolError) {
        let file = try directory.open(counter, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        try file.write([UInt8(ascii: "+")])
        try file.synchronize()
    }

    /// Undoes one `beginAttempt`.
    func takeBackAttempt(_ directory: SpoolDescriptor) throws(SpoolError) {
        let file = try directory.open(SpoolDirectory.attemptsFile, O_WRONLY)
        let size = try file.status().size
        guard ftruncate(file.number, off_t(max(size - 1, 0))) == 0 else {
            throw SpoolError("write", file.path, code: errno)
        }
    }

    /// Notes durably that planning begins, as `inspect` does for reading.
    package func beginPlanning(_ drop: ClaimedDrop) throws(SpoolError) {
        try beginAttempt(try claims.openDirectory(drop.directory), counter: SpoolDirectory.planningFile)
    }

    /// Notes that a drop was read without harm; it may now wait as long as it has to.
    package func wasRead(_ drop: ClaimedDrop) throws(SpoolError) {
        try forget(SpoolDirectory.attemptsFile, of: drop)
    }

    /// Notes that a drop was read and planned without harm, or put off by an orderly stop: its attempts begin again
    /// at 0.
    package func planned(_ drop: ClaimedDrop) throws(SpoolError) {
        try forget(SpoolDirectory.attemptsFile, of: drop)
        try forget(SpoolDirectory.planningFile, of: drop)
    }

    private func forget(_ counter: DirectoryEntryName, of drop: ClaimedDrop) throws(SpoolError) {
        do throws(SpoolError) {
            try claims.openDirectory(drop.directory).remove(counter)
        } catch  where error.code == ENOENT {
            return
        }
    }

    func uniqueName() -> String { unguessableName() }

    /// One that was made later sorts later, for as long as the process lives.
    private func nextClaimID() -> String {
        let turn = UInt64(claimCount.add(1, ordering: .relaxed).newValue).bigEndian
        return hexadecimal(withUnsafeBytes(of: turn) { Array($0) }) + uniqueName()
    }
}

/// The clock of the file system stands still for some milliseconds, so it cannot tell which of two claims came first.
private let claimCount = Atomic<Int>(0)

/// 128 random bits, in hexadecimal.
func unguessableName() -> String {
    let bits = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
    return hexadecimal(withUnsafeBytes(of: bits) { Array($0) })
}

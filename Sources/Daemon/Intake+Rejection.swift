import Mailing
import Spool

/// Of one submitter no more is kept in rejected/ than may be under way: who drops again and again what there is no room
/// for must not fill the disk with it.
struct RejectedShare {
    var drops: Int
    var bytes: Int64
    /// The administrator may have removed some of it since.
    var countedAt: BootInstant

    /// In nanoseconds: a share that is full is counted anew after so long.
    static let lifetime: Int64 = 60_000_000_000
}

extension Intake {
    /// Why a rejected drop is removed, in words for its receipt; nil if there is room for it.
    func whyNotKept(_ claim: ClaimedDrop) throws -> String? {
        let (owner, bytes) = try context.spool.weight(of: claim)
        if owner == 0 || owner == ownUser { return nil }
        var share = try rejectedShares[owner] ?? count(owner)
        defer { rejectedShares[owner] = share }
        func hasRoom(_ quota: Submitters.Quota) -> Bool {
            share.drops < quota.pendingJobs && bytes <= quota.pendingBytes - share.bytes
        }
        let tables = context.settings.current.submitters
        // Nobody has to be looked up for what fits everywhere.
        if !hasRoom(Intake.least(tables)), let quota = quota(of: owner, among: tables), !hasRoom(quota) {
            if context.clocks.boot.nanoseconds - share.countedAt.nanoseconds >= RejectedShare.lifetime {
                share = try count(owner)
            }
            guard hasRoom(quota) else {
                return "what was dropped is removed and not kept in rejected/: it has \(bytes) bytes, \(share.drops) "
                    + "drops of the user \(owner) with \(share.bytes) bytes lie there already, and there is room for "
                    + "\(quota.pendingJobs) with \(quota.pendingBytes) (pending_jobs, pending_bytes)"
            }
        }
        share.drops += 1
        share.bytes += bytes
        return nil
    }

    private func count(_ owner: UInt32) throws -> RejectedShare {
        context.progress.rests("intake")
        defer { context.progress.beat("intake", at: context.clocks.boot) }
        let (drops, bytes) = try context.spool.rejected(of: owner)
        return RejectedShare(drops: drops, bytes: bytes, countedAt: context.clocks.boot)
    }

    private static func least(_ tables: [Submitters]) -> Submitters.Quota {
        tables.map(\.quota).reduce(into: Submitters.Quota()) { least, quota in
            least.pendingJobs = min(least.pendingJobs, quota.pendingJobs)
            least.pendingBytes = min(least.pendingBytes, quota.pendingBytes)
        }
    }

    /// The widest that any table gives; nil if it cannot be found out now, and nothing may be removed for that.
    private func quota(of owner: UInt32, among tables: [Submitters]) -> Submitters.Quota? {
        guard let account = try? submitter(owner) else { return nil }
        let quotas = tables.filter { $0.means(account) }.map(\.quota)
        var widest = Submitters.Quota()
        widest.pendingJobs = quotas.map(\.pendingJobs).max() ?? widest.pendingJobs
        widest.pendingBytes = quotas.map(\.pendingBytes).max() ?? widest.pendingBytes
        return widest
    }
}

import Foundation
import Glibc
import TestSupport

/// In which order drops came and were claimed is told by the times of their files, which are those of the real clock.
enum DropOrder {
    /// Gives the copies of what waits in a spool times in the order of the originals, and returns the latest.
    static func keep(from spool: String, to copy: String) throws -> Int64 {
        var latest: Int64 = 0
        for place in ["work/claimed", "incoming"] {
            let inOrder = try entries("\(spool)/\(place)", isOfClaims: place == "work/claimed").map { name in
                (changed: try status("\(spool)/\(place)/\(name)").changed, name: name)
            }.sorted { ($0.changed, $0.name) < ($1.changed, $1.name) }
            for (_, name) in inOrder { latest = try settle("\(copy)/\(place)/\(name)", after: latest) }
        }
        return latest
    }

    /// Gives an entry a time that is later than another one, also where the clock has not ticked since or was set back.
    /// Returns that time.
    static func settle(_ path: String, after earlier: Int64) throws -> Int64 {
        while true {
            let (changed, mode) = try status(path)
            if changed > earlier { return changed }
            usleep(200)
            guard chmod(path, mode) == 0 else { throw TestSupportError("\(path): errno \(errno)") }
        }
    }

    /// A claim is a directory with the drop in it.
    private static func entries(_ directory: String, isOfClaims: Bool) throws -> [String] {
        guard FileManager.default.fileExists(atPath: directory) else { return [] }
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        guard isOfClaims else { return names }
        return try names.flatMap { name in
            try FileManager.default.contentsOfDirectory(atPath: "\(directory)/\(name)").map { "\(name)/\($0)" }
        }
    }

    private static func status(_ path: String) throws -> (changed: Int64, mode: mode_t) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw TestSupportError("\(path): errno \(errno)") }
        return (Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec), status.st_mode & 0o7777)
    }
}

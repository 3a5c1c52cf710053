import Foundation
import Glibc
import Mailing
import Testing

@testable import Spool

/// Returns when the clock that file systems use has moved on.
func awaitTick() {
    var start = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &start)
    var now = start
    while now.tv_nsec == start.tv_nsec && now.tv_sec == start.tv_sec { clock_gettime(CLOCK_REALTIME_COARSE, &now) }
}

/// A spool in a directory of its own, removed with the value.
final class SpoolFixture {
    let path: String
    let spool: SpoolDirectory

    init(limits: DropLimits = DropLimits()) throws {
        path = FileManager.default.temporaryDirectory.path + "/spool-test-\(UUID().uuidString)"
        spool = try SpoolDirectory(path: path, limits: limits)
    }

    deinit {
        do {
            let parent = try SpoolDescriptor.directory(path: path + "/..")
            let name = DirectoryEntryName(String(path.split(separator: "/").last ?? ""))
            try spool.removeTree(name, of: parent, depth: 400)
        } catch {
            Issue.record("the test's spool could not be removed: \(error)")
        }
    }

    /// The same spool after a crash: nothing but the files is remembered.
    func reopened() throws -> SpoolDirectory { try SpoolDirectory(path: path, limits: spool.limits) }

    func write(_ text: String, to file: String) throws {
        let whole = "\(path)/\(file)"
        let parent = String(whole[..<(whole.lastIndex(of: "/") ?? whole.endIndex)])
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: whole))
    }

    func read(_ file: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(file)")), as: UTF8.self)
    }

    /// Names in a directory of the spool, sorted.
    func list(_ directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(directory)").sorted()
    }

    func exists(_ file: String) -> Bool { access("\(path)/\(file)", F_OK) == 0 }

    /// Drops files as the protocol says: written in tmp/, then one rename. A name ending in .job is a bundle.
    func drop(_ name: String, _ files: [String: String]) throws {
        for (file, text) in files {
            try write(text, to: name.hasSuffix(".job") ? "tmp/\(name)/\(file)" : "tmp/\(name)")
        }
        try rename("tmp/\(name)", "incoming/\(name)")
    }

    func rename(_ old: String, _ new: String) throws {
        try #require(Glibc.rename("\(path)/\(old)", "\(path)/\(new)") == 0)
    }

    /// A moment so late that everything in incoming/ has been quiet for long.
    var later: Timestamp { moment(secondsFromNow: 60) }

    func moment(secondsFromNow seconds: Double) -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let now = Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        return Timestamp(milliseconds: now + Int64(seconds * 1000))
    }

    func pending(_ hints: IncomingHints = IncomingHints()) throws -> [PendingDrop] {
        var hints = hints
        return try spool.pending(hints: &hints, now: later).drops
    }

    /// Claims the only drop in incoming/.
    func claim() throws -> ClaimedDrop {
        let all = try pending()
        try #require(all.count == 1)
        guard case .claimed(let drop) = try spool.claim(all[0]) else {
            throw SpoolError(path, detail: "had a drop that could not be claimed")
        }
        return drop
    }

    /// Claims and inspects the only drop in incoming/.
    func inspect() throws -> Inspection { try spool.inspect(claim()) }
}

let isRoot = geteuid() == 0

/// Makes a file of `size` bytes that takes no room.
func makeSparse(_ path: String, size: Int64) throws {
    let number = open(path, O_WRONLY | O_CREAT, 0o644)
    try #require(number >= 0)
    defer { close(number) }
    try #require(ftruncate(number, off_t(size)) == 0)
}

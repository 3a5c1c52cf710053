import Mailing

/// What is known of a directory that had nothing in it: it need not be read again before it changes.
///
/// The kernel notes the time of every change of a directory's names (POSIX, open() and rename()). What the directory
/// holds it may have to read from the disk, again and again if that is seldom asked for.
package struct EmptyDirectory: Hashable, Sendable {
    private struct Version: Hashable {
        var device: UInt64
        var inode: UInt64
        var changed: Int64

        init(_ status: FileStatus) { (device, inode, changed) = (status.device, status.inode, status.changed) }
    }

    private var known: Version?
    private var readAt = Timestamp(milliseconds: 0)

    /// Milliseconds after which it is read in any case: a network file system may tell late of a change.
    private static let trust: Int64 = 600_000

    /// Nothing is known yet.
    package init() {}

    /// Whether it is as it was when nothing was found in it, ten minutes ago at most.
    func isStill(_ status: FileStatus, now: Timestamp) -> Bool {
        guard known == Version(status) else { return false }
        return (0..<EmptyDirectory.trust).contains(now.milliseconds - readAt.milliseconds)
    }

    /// Notes what reading it has found.
    ///
    /// - Parameters:
    ///   - status: The directory's, from before it was read.
    ///   - now: The time of that. The kernel's clock ticks coarsely: of a directory that had just changed, another
    ///     change may bear the same time, so nothing is known of it.
    mutating func wasRead(_ status: FileStatus, isEmpty: Bool, now: Timestamp) {
        let age = now.milliseconds * 1_000_000 - status.changed
        known = isEmpty && age >= SpoolDirectory.quietNanoseconds ? Version(status) : nil
        readAt = now
    }
}

import Glibc

/// Watches incoming/ by inotify(7). Make it before the first scan, so that nothing falls between the two.
///
/// Network file systems send no events, and a queue that is full drops them: scan now and then all the same.
package final class IncomingWatcher: Sendable {
    private let queue: SpoolDescriptor

    package init(_ spool: SpoolDirectory) throws(SpoolError) {
        let number = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard number >= 0 else { throw SpoolError("watch", spool.incoming.path, code: errno) }
        queue = SpoolDescriptor(number: number, path: spool.incoming.path)
        // Through /proc, so that the directory that is watched is the one that is open.
        let interest = IN_MOVED_TO | IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF
        let directory = "/proc/self/fd/\(spool.incoming.number)"
        guard inotify_add_watch(number, directory, UInt32(interest) | UInt32(IN_ONLYDIR)) >= 0 else {
            throw SpoolError("watch", spool.incoming.path, code: errno)
        }
    }

    /// Readable when `drain` has something to tell. It belongs to the watcher: do not close it.
    package var fileDescriptor: Int32 { queue.number }

    /// Adds what has happened to the hints, in order, without waiting. Takes a bounded number of events, so the
    /// descriptor may still be readable afterwards.
    package func drain(into hints: inout IncomingHints) throws(SpoolError) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        for _ in 0..<16 {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(queue.number, $0.baseAddress, $0.count) }
            guard count > 0 else {
                if count == 0 || errno == EAGAIN { return }
                if errno == EINTR { continue }
                throw SpoolError("watch", queue.path, code: errno)
            }
            buffer[..<count].withUnsafeBytes { read($0, into: &hints) }
        }
    }

    /// Reads a block of `struct inotify_event`: wd, mask, cookie and len, 4 bytes each, then len bytes of name and
    /// NULs.
    private func read(_ block: UnsafeRawBufferPointer, into hints: inout IncomingHints) {
        var offset = 0
        while offset + 16 <= block.count {
            let mask = block.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
            let length = Int(block.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
            let end = min(offset + 16 + length, block.count)
            let name = DirectoryEntryName(bytes: Array(block[(offset + 16)..<end].prefix { $0 != 0 }))
            read(mask: mask, name: name, into: &hints)
            offset = end
        }
    }

    private func read(mask: UInt32, name: DirectoryEntryName, into hints: inout IncomingHints) {
        func has(_ bits: Int32) -> Bool { mask & UInt32(bitPattern: bits) != 0 }
        if has(IN_Q_OVERFLOW) { hints.overflowed() }
        if has(IN_IGNORED) || has(IN_UNMOUNT) || has(IN_MOVE_SELF) || has(IN_DELETE_SELF) {
            hints.mustRearm = true
            hints.isWorthAScan = true
        }
        guard DropName.isLookedAt(name) else { return }
        if has(IN_CREATE) { hints.wasCreated(name, isDirectory: has(IN_ISDIR)) }
        if has(IN_MODIFY) { hints.wasModified(name) }
        if has(IN_CLOSE_WRITE) { hints.wasClosed(name) }
        if has(IN_MOVED_TO) { hints.arrivedByRename(name) }
    }
}

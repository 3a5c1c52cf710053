/// What inotify told about incoming/ since it was last scanned. Hints only: the scan decides.
package struct IncomingHints: Hashable, Sendable {
    /// Arrived by a rename, so complete; with its place in their order.
    var renamed: [DirectoryEntryName: Int] = [:]
    private var arrivals = 0
    /// Made in place and not closed since, as far as is known.
    var created: Set<DirectoryEntryName> = []
    /// Written to and not closed since.
    var modified: Set<DirectoryEntryName> = []
    /// incoming/ as it was when it was read and had nothing in it: known also where the kernel sends no events.
    var nothing = EmptyDirectory()

    /// Whether anything came that a scan could act on. `SpoolDirectory.pending` clears it.
    package internal(set) var isWorthAScan = true
    /// incoming/ itself was moved, removed or unmounted: make a new `SpoolDirectory` and a new `IncomingWatcher`.
    package internal(set) var mustRearm = false

    /// Nothing is known yet, so the first scan is due.
    package init() {}

    mutating func arrivedByRename(_ name: DirectoryEntryName) {
        forgetWriting(name)
        arrivals += 1
        renamed[name] = arrivals
        isWorthAScan = true
    }

    mutating func wasCreated(_ name: DirectoryEntryName, isDirectory: Bool) {
        renamed[name] = nil
        forgetWriting(name)
        if !isDirectory { created.insert(name) }
        isWorthAScan = true
    }

    mutating func wasModified(_ name: DirectoryEntryName) {
        modified.insert(name)
    }

    mutating func wasClosed(_ name: DirectoryEntryName) {
        forgetWriting(name)
        isWorthAScan = true
    }

    /// Events were lost: what seemed to be open may have been closed. What came by rename still did.
    mutating func overflowed() {
        created = []
        modified = []
        isWorthAScan = true
    }

    /// Keeps only what is known of these entries.
    mutating func keep(only present: Set<DirectoryEntryName>) {
        renamed = renamed.filter { present.contains($0.key) }
        created.formIntersection(present)
        modified.formIntersection(present)
    }

    /// Whether a program still has the file open for writing. One that was only linked to its name is never written,
    /// and closed by nobody: it counts as open while it is empty.
    func isBeingWritten(_ name: DirectoryEntryName, size: Int64) -> Bool {
        modified.contains(name) || (created.contains(name) && size == 0)
    }

    private mutating func forgetWriting(_ name: DirectoryEntryName) {
        created.remove(name)
        modified.remove(name)
    }
}

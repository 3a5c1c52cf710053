import Glibc
import Mailing

/// A job as it lies somewhere on this machine before it is dropped: a file, or a directory with job.json in it.
package struct JobSource: Sendable {
    /// What the drop would be called.
    package let drop: DropName
    let parent: SpoolDescriptor
    let entry: DirectoryEntryName
    let status: FileStatus

    /// - Parameters:
    ///   - path: Of the file or directory; relative to the working directory, slashes at its end do not matter.
    ///   - name: The name of the drop, without its suffix; nil for that of the file or directory.
    /// - Throws: with `ENOENT` if there is nothing of that name.
    package init(path: String, name: String? = nil) throws(SpoolError) {
        var whole = path
        while whole.utf8.count > 1, whole.hasSuffix("/") { whole.removeLast() }
        if whole == "." || whole == "/" || whole.hasSuffix("/.") || whole == ".." || whole.hasSuffix("/..") {
            whole = try JobSource.resolved(whole)
        }
        let slash = whole.utf8.lastIndex(of: UInt8(ascii: "/"))
        let last = slash.map { String(whole[whole.utf8.index(after: $0)...]) } ?? whole
        let above = slash.map { $0 == whole.startIndex ? "/" : String(whole[..<$0]) } ?? "."
        entry = DirectoryEntryName(last)
        parent = try SpoolDescriptor.passage(path: above)
        guard !last.isEmpty, let status = try parent.status(of: entry) else {
            throw SpoolError("open", path, code: ENOENT)
        }
        self.status = status
        let suffix = status.kind == .directory ? ".job" : ".json"
        drop = DropName(name.map { DirectoryEntryName($0 + suffix) } ?? entry)
    }

    private static func resolved(_ path: String) throws(SpoolError) -> String {
        guard let found = realpath(path, nil) else { throw SpoolError("open the directory", path, code: errno) }
        defer { free(found) }
        return String(cString: found)
    }

    /// Judges its files, as the daemon will, and changes nothing. Owners and hard links do not matter: what is dropped
    /// is a copy.
    package func examine(as user: UInt32, limits: DropLimits = DropLimits()) throws(SpoolError) -> ExaminedJob {
        try examine(as: user, limits: limits, copyTo: nil)
    }

    func examine(
        as user: UInt32, limits: DropLimits, copyTo copy: DropCopy?
    ) throws(SpoolError) -> ExaminedJob {
        var inspector = DropInspector(drop: drop, entry: entry, owner: nil, device: status.device, limits: limits)
        try inspector.inspect(in: parent, copyTo: copy)
        let isBundle = drop.form == .bundle
        let place = copy?.directory ?? parent
        let found = inspector.inspection(
            owner: user, directory: copy != nil || !isBundle ? place.path : place.path(of: entry))
        guard found.errors.isEmpty else { return ExaminedJob(inspection: found, jobFile: []) }
        let directory = copy == nil && isBundle ? try parent.openDirectory(entry) : place
        let file = isBundle ? "job.json" : copy?.single ?? entry
        let bytes = try directory.open(file, O_RDONLY).contents(limit: Int(max(limits.singleFile, limits.jobFile)))
        return ExaminedJob(inspection: found, jobFile: bytes)
    }
}

/// What a job turned out to be before it was dropped.
package struct ExaminedJob: Sendable {
    /// Its `directory` is where the files of a bundle are.
    package var inspection: Inspection
    /// The text of the job; empty if there are errors.
    package var jobFile: [UInt8]
}

import Crypto
import Glibc
import Mailing

/// Walks through one drop, copies what is good and collects what is not.
///
/// What was dropped stays under the hands of its owner, so every judgement is made on an open descriptor, and a file
/// that changes while it is copied is an error.
struct DropInspector {
    let drop: DropName
    /// What it is called where it lies now.
    let entry: DirectoryEntryName
    /// Whose all of it must be; nil before it is dropped, when nobody's rights are at stake: owners and hard links are
    /// not looked at then.
    let owner: UInt32?
    let device: UInt64
    let limits: DropLimits

    private(set) var files: [Inspection.File] = []
    private(set) var errors: [JobError] = []
    private var directories = 0
    private var bytes: Int64 = 0
    private var isTooMuch = false
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)

    init(
        drop: DropName, entry: DirectoryEntryName? = nil, owner: UInt32?, device: UInt64, limits: DropLimits
    ) {
        self.drop = drop
        self.entry = entry ?? drop.entry
        self.owner = owner
        self.device = device
        self.limits = limits
    }

    /// - Parameter copy: Where what is good is copied to; nil if it is only to be judged.
    mutating func inspect(in claim: SpoolDescriptor, copyTo copy: DropCopy?) throws(SpoolError) {
        if let error = drop.error {
            errors.append(error)
            return
        }
        let name = "\(drop.entry)"
        switch drop.form {
        case .single:
            try inspectFile(entry, of: claim, path: name, limit: limits.singleFile, copyTo: copy, as: copy?.single)
        case .bundle:
            guard let directory = try openDirectory(entry, of: claim, path: name) else { return }
            try inspectDirectory(directory, path: name, components: [], copyTo: copy)
            files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
            if errors.isEmpty, !files.contains(where: { $0.path == "job.json" }) {
                errors.append(JobError(name, "a bundle must have a file job.json right inside it"))
            }
        case nil: return
        }
    }

    // MARK: Directories

    private mutating func openDirectory(
        _ name: DirectoryEntryName, of parent: SpoolDescriptor, path: String
    ) throws(SpoolError) -> SpoolDescriptor? {
        guard let found = try look(at: name, of: parent, path: path, expecting: .directory) else { return nil }
        do throws(SpoolError) {
            let directory = try parent.openDirectory(name)
            let status = try directory.status()
            guard status.inode == found.inode, status.device == device else {
                errors.append(JobError(path, changedMessage))
                return nil
            }
            return directory
        } catch {
            try note(error, path: path)
            return nil
        }
    }

    private mutating func inspectDirectory(
        _ directory: SpoolDescriptor, path: String, components: [String], copyTo copy: DropCopy?
    ) throws(SpoolError) {
        guard let names = try list(directory, path: path) else { return }
        for entry in names {
            guard !isTooMuch else { return }
            guard let name = entry.text, name.unicodeScalars.allSatisfy({ !isControl($0) && $0 != "\\" }) else {
                errors.append(
                    JobError(
                        (components + ["\(entry)"]).joined(separator: "/"),
                        "the name must be UTF-8 without control characters and backslashes; rename it"))
                continue
            }
            let relative = (components + [name]).joined(separator: "/")
            if try directory.status(of: entry)?.kind == .directory {
                try inspectSubdirectory(entry, of: directory, components: components + [name], copyTo: copy)
            } else if count(files.count + 1, "files") {
                let limit = relative == "job.json" ? limits.jobFile : limits.otherFile
                try inspectFile(entry, of: directory, path: relative, limit: limit, copyTo: copy)
            }
        }
    }

    private mutating func inspectSubdirectory(
        _ entry: DirectoryEntryName, of parent: SpoolDescriptor, components: [String], copyTo copy: DropCopy?
    ) throws(SpoolError) {
        let path = components.joined(separator: "/")
        guard components.count < limits.depth else {
            errors.append(
                JobError(path, "lies too deep; a path in a bundle has at most \(limits.depth) parts"))
            return
        }
        directories += 1
        guard count(directories, "directories"),
            let directory = try openDirectory(entry, of: parent, path: path)
        else { return }
        guard let copy else {
            return try inspectDirectory(directory, path: path, components: components, copyTo: nil)
        }
        guard let target = try copy.subdirectory(entry) else {
            errors.append(JobError(path, changedMessage))
            return
        }
        try inspectDirectory(directory, path: path, components: components, copyTo: target)
        try target.directory.synchronize()
    }

    private mutating func list(
        _ directory: SpoolDescriptor, path: String
    ) throws(SpoolError) -> [DirectoryEntryName]? {
        do throws(SpoolError) {
            let names = try directory.entries(limit: 2 * limits.files + 1)
            if names.isEmpty { errors.append(JobError(path, "is an empty directory; remove it or fill it")) }
            return names.sorted()
        } catch {
            try note(error, path: path)
            return nil
        }
    }

    private mutating func count(_ number: Int, _ what: String) -> Bool {
        guard number > limits.files else { return true }
        isTooMuch = true
        errors.append(JobError("\(drop.entry)", "holds more than \(limits.files) \(what); split it or leave some out"))
        return false
    }

    // MARK: Files

    private mutating func inspectFile(
        _ entry: DirectoryEntryName, of parent: SpoolDescriptor, path: String, limit: Int64,
        copyTo copy: DropCopy?, as name: DirectoryEntryName? = nil
    ) throws(SpoolError) {
        guard try look(at: entry, of: parent, path: path, expecting: .regular) != nil else { return }
        let source: SpoolDescriptor
        let status: FileStatus
        do throws(SpoolError) {
            source = try parent.open(entry, O_RDONLY)
            status = try source.status()
        } catch {
            try note(error, path: path)
            return
        }
        // Not by device: on an overlay files and directories of one bundle have different ones.
        guard status.kind == .regular, status.owner == owner ?? status.owner else {
            errors.append(JobError(path, changedMessage))
            return
        }
        guard status.links == 1 || owner == nil else {
            errors.append(JobError(path, "has \(status.links) hard links; drop a copy of it instead"))
            return
        }
        guard status.size <= limit else {
            errors.append(JobError(path, "has \(status.size) bytes, and \(limit) are allowed; make it smaller"))
            return
        }
        bytes += status.size
        guard drop.form == .single || bytes <= limits.bundle else {
            isTooMuch = true
            errors.append(
                JobError("\(drop.entry)", "has more than \(limits.bundle) bytes in all; make it smaller or split it"))
            return
        }
        let target = try copy?.file(name ?? entry)
        guard let sha256 = try copyContents(of: source, status: status, path: path, to: target) else { return }
        try target?.synchronize()
        let keptPath = drop.form == .single ? "job.json" : path
        files.append(Inspection.File(path: keptPath, size: status.size, sha256: sha256))
    }

    /// The hash of what was copied; nil if the file changed meanwhile.
    private mutating func copyContents(
        of source: SpoolDescriptor, status: FileStatus, path: String, to target: SpoolDescriptor?
    ) throws(SpoolError) -> String? {
        var hash = SHA256()
        var copied: Int64 = 0
        while copied <= status.size {
            let step = buffer.withUnsafeMutableBytes { whole -> Result<Int, SpoolError> in
                // One byte more than there should be, to see a file that grows.
                let most = min(Int64(whole.count), status.size - copied + 1)
                let part = UnsafeMutableRawBufferPointer(rebasing: whole[..<Int(most)])
                do throws(SpoolError) {
                    let count = try source.read(into: part)
                    let filled = UnsafeRawBufferPointer(rebasing: part[..<count])
                    hash.update(bufferPointer: filled)
                    try target?.write(filled)
                    return .success(count)
                } catch {
                    return .failure(error)
                }
            }
            let count = try step.get()
            if count == 0 { break }
            copied += Int64(count)
        }
        guard copied == status.size, try source.status() == status else {
            errors.append(JobError(path, changedMessage))
            return nil
        }
        return hexadecimal(hash.finalize())
    }

    // MARK: Judging

    /// Judges an entry before it is opened, since opening some devices does something. Nil if it is an error.
    private mutating func look(
        at name: DirectoryEntryName, of parent: SpoolDescriptor, path: String, expecting kind: FileStatus.Kind
    ) throws(SpoolError) -> FileStatus? {
        do throws(SpoolError) {
            guard let status = try parent.status(of: name) else {
                errors.append(JobError(path, changedMessage))
                return nil
            }
            guard status.kind == kind else {
                let wanted = kind == .directory ? "a directory" : "a regular file"
                errors.append(JobError(path, "must be \(wanted), and is \(status.kind.article)"))
                return nil
            }
            guard let owner, status.owner != owner else { return status }
            errors.append(
                JobError(
                    path,
                    "belongs to uid \(status.owner) and the drop to uid \(owner); all of it must have one owner"))
            return nil
        } catch {
            try note(error, path: path)
            return nil
        }
    }

    /// Refusals that the submitter can mend become errors of the job; the rest is trouble of the machine.
    private mutating func note(_ error: SpoolError, path: String) throws(SpoolError) {
        switch error.code {
        case EACCES, EPERM:
            let advice =
                owner == nil
                ? "cannot be read by you; ask its owner for permission"
                : "cannot be read by the daemon; give its user or group permission (chmod 640, directories 750)"
            errors.append(JobError(path, advice))
        case ELOOP, ENXIO, ENODEV, ENOTDIR, ENOENT, EISDIR: errors.append(JobError(path, changedMessage))
        default: throw error
        }
    }

    private var changedMessage: String {
        "changed while it was being read; write it elsewhere in the spool's file system, and rename it once it is "
            + "complete"
    }
}

/// Where an inspection copies to.
struct DropCopy {
    let directory: SpoolDescriptor
    /// What a `NAME.json` is called there.
    var single: DirectoryEntryName = "job.json"
    /// Nil for the rights that a program's files usually have.
    var modes: (file: mode_t, directory: mode_t)?

    /// For the daemon alone.
    static func secret(_ directory: SpoolDescriptor) -> DropCopy {
        DropCopy(directory: directory, modes: (0o600, 0o700))
    }

    fileprivate func file(_ name: DirectoryEntryName) throws(SpoolError) -> SpoolDescriptor {
        try directory.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: modes?.file ?? 0o666)
    }

    /// Nil if the name is taken.
    fileprivate func subdirectory(_ name: DirectoryEntryName) throws(SpoolError) -> DropCopy? {
        let isNew: Bool
        if let modes {
            isNew = try directory.makeDirectory(name, mode: modes.directory)
        } else {
            isNew = try directory.makeUsualDirectory(name)
        }
        guard isNew else { return nil }
        return DropCopy(directory: try directory.openDirectory(name), single: single, modes: modes)
    }
}

extension FileStatus.Kind {
    var article: String {
        switch self {
        case .regular: "a regular file"
        case .directory: "a directory"
        case .symbolicLink: "a symbolic link"
        case .pipe: "a named pipe"
        case .socket: "a socket"
        case .device: "a device"
        }
    }
}

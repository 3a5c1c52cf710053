import Crypto
import Glibc
package import Mailing

/// What a claimed drop turned out to be, and the copy that everything later is made from.
package struct Inspection: Sendable {
    /// One file of the copy.
    package struct File: Hashable, Sendable {
        /// Relative to the copy, with slashes.
        package var path: String
        package var size: Int64
        /// Of its contents, in hexadecimal.
        package var sha256: String
    }

    /// What the receipt is called, if that name is free: the drop's name without its suffix.
    package var name: String
    /// Nil if the name does not tell.
    package var form: DropName.Form?
    /// Owner of what was dropped, who decides what it may do.
    package var owner: UInt32
    /// Identity of the contents; nil if there are errors.
    ///
    /// It is the SHA-256 of what `sha256sum` prints for all files, sorted by the bytes of their paths: for each file
    /// the SHA-256 of its contents in lower-case hexadecimal, two spaces, its path in the bundle, a line feed. A
    /// `NAME.json` counts as a bundle that holds it as job.json, so that both forms of the same job are the same. In
    /// a bundle: `find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum`.
    package var sha256: String?
    /// Sorted by the bytes of their paths; a `NAME.json` is called job.json.
    package var files: [File]
    /// Path of the copy. It moves with `keep` and `accept`.
    package var directory: String
    /// Why the drop cannot be a job. Empty if its files are good; what is in job.json is judged elsewhere.
    package var errors: [JobError]

    /// Under which name errors speak of the job's file.
    package var jobFileName: String { form == .single ? name + ".json" : "job.json" }
}

extension SpoolDirectory {
    /// Copies a claimed drop into private storage, every file hashed and synchronised, and judges what kind of files
    /// it holds. Throws only for trouble of the machine, such as a full disk.
    package func inspect(_ drop: ClaimedDrop) throws(SpoolError) -> Inspection {
        let claim = try claims.openDirectory(drop.directory)
        try beginAttempt(claim)
        do throws(SpoolError) {
            return try inspect(drop, in: claim)
        } catch {
            // The machine failed, not the drop: only what ends the process counts.
            try takeBackAttempt(claim)
            throw error
        }
    }

    private func inspect(_ drop: ClaimedDrop, in claim: SpoolDescriptor) throws(SpoolError) -> Inspection {
        // The rename that claimed it, and the attempt: a job is recorded under this claim, and must not come back as
        // another one after a power cut.
        try claim.synchronize()
        try dispose(drop.copy, of: kept)
        guard try kept.makeDirectory(drop.copy, mode: 0o700) else {
            throw SpoolError(kept.path(of: drop.copy), detail: "cannot be replaced; remove it")
        }
        let copy = try kept.openDirectory(drop.copy)
        let name = DropName(drop.name)
        guard let status = try claim.status(of: drop.name) else {
            throw SpoolError("examine", claim.path(of: drop.name), code: ENOENT)
        }
        var inspector = DropInspector(drop: name, owner: status.owner, device: status.device, limits: limits)
        try inspector.inspect(in: claim, copyTo: .secret(copy))
        try copy.synchronize()
        try kept.synchronize()
        return inspector.inspection(owner: status.owner, directory: "\(path)/work/kept/\(drop.copy)")
    }

    /// The job.json of an inspection's copy.
    package func jobFile(of inspection: Inspection) throws(SpoolError) -> [UInt8] {
        let directory = try SpoolDescriptor.directory(path: inspection.directory)
        return try directory.open("job.json", O_RDONLY).contents(limit: Int(max(limits.singleFile, limits.jobFile)))
    }
}

extension DropInspector {
    /// What was found, as the drop of this user.
    func inspection(owner: UInt32, directory: String) -> Inspection {
        var hash = SHA256()
        for file in files { hash.update(data: Array("\(file.sha256)  \(file.path)\n".utf8)) }
        return Inspection(
            name: drop.receiptName, form: drop.form, owner: owner,
            sha256: errors.isEmpty ? hexadecimal(hash.finalize()) : nil, files: files, directory: directory,
            errors: errors)
    }
}

import Glibc

/// An open file or directory, closed with its last reference. Names are resolved relative to it, one component at a
/// time, so that no symbolic link on the way is ever followed.
final class SpoolDescriptor: Sendable {
    let number: Int32
    /// For messages only.
    let path: String

    init(number: Int32, path: String) {
        self.number = number
        self.path = path
    }

    deinit {
        close(number)
    }

    /// Opens a directory by its path, links followed: for the root of the spool only.
    static func directory(path: String) throws(SpoolError) -> SpoolDescriptor {
        let number = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SpoolError("open the directory", path, code: errno) }
        return SpoolDescriptor(number: number, path: path)
    }

    /// Opens a directory by its path, links followed, only to go through it: that needs no right to list it.
    static func passage(path: String) throws(SpoolError) -> SpoolDescriptor {
        let number = Glibc.open(path, pathOnly | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SpoolError("open the directory", path, code: errno) }
        return SpoolDescriptor(number: number, path: path)
    }

    func path(of name: DirectoryEntryName) -> String { "\(path)/\(name)" }

    // MARK: Opening

    /// Opens an entry, never through a symbolic link, and never waiting for the other end of a pipe.
    func open(_ name: DirectoryEntryName, _ flags: Int32, mode: mode_t = 0) throws(SpoolError) -> SpoolDescriptor {
        let all = flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY
        let number = name.withCString { openat(self.number, $0, all, mode) }
        guard number >= 0 else { throw SpoolError("open", path(of: name), code: errno) }
        return SpoolDescriptor(number: number, path: path(of: name))
    }

    func openDirectory(_ name: DirectoryEntryName) throws(SpoolError) -> SpoolDescriptor {
        try open(name, O_RDONLY | O_DIRECTORY)
    }

    /// Opens a directory only to go through it.
    func openPassage(_ name: DirectoryEntryName) throws(SpoolError) -> SpoolDescriptor {
        try open(name, pathOnly | O_DIRECTORY)
    }

    // MARK: Entries

    /// Makes a directory with the rights that a program's usually have: the umask decides, or the access control list
    /// of the parent. False if the name is taken.
    func makeUsualDirectory(_ name: DirectoryEntryName) throws(SpoolError) -> Bool {
        guard name.withCString({ mkdirat(number, $0, 0o777) }) == 0 else {
            if errno == EEXIST { return false }
            throw SpoolError("make the directory", path(of: name), code: errno)
        }
        return true
    }

    /// Makes a directory with exactly this mode; false if the name is taken.
    func makeDirectory(_ name: DirectoryEntryName, mode: mode_t) throws(SpoolError) -> Bool {
        guard name.withCString({ mkdirat(number, $0, mode & 0o777) }) == 0 else {
            if errno == EEXIST { return false }
            throw SpoolError("make the directory", path(of: name), code: errno)
        }
        // The umask may have taken bits away. A hardened service may not set the set-group-ID bit; the kernel passes
        // it on from the parent by itself, and chmod would take it away.
        let made = try openDirectory(name)
        let inherited = try made.mode() & 0o2000
        if try made.mode() != mode | inherited { try made.setMode(mode | inherited) }
        return true
    }

    /// Nil if there is no such entry.
    func status(of name: DirectoryEntryName) throws(SpoolError) -> FileStatus? {
        var raw = stat()
        guard name.withCString({ fstatat(number, $0, &raw, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            if errno == ENOENT { return nil }
            throw SpoolError("examine", path(of: name), code: errno)
        }
        return FileStatus(raw)
    }

    /// Renames an entry; fails with EEXIST rather than replace another.
    func move(
        _ name: DirectoryEntryName, to target: SpoolDescriptor, as newName: DirectoryEntryName
    ) throws(SpoolError) {
        try rename(name, to: target, as: newName, flags: 1)  // RENAME_NOREPLACE
    }

    /// Swaps two entries in one step.
    func exchange(_ name: DirectoryEntryName, with other: DirectoryEntryName) throws(SpoolError) {
        try rename(name, to: self, as: other, flags: 2)  // RENAME_EXCHANGE
    }

    /// Renames an entry over whatever has the new name.
    func replace(_ target: DirectoryEntryName, by name: DirectoryEntryName) throws(SpoolError) {
        try rename(name, to: self, as: target, flags: 0)
    }

    private func rename(
        _ name: DirectoryEntryName, to target: SpoolDescriptor, as newName: DirectoryEntryName, flags: UInt32
    ) throws(SpoolError) {
        guard let renameat2 else { throw SpoolError(path, detail: "needs a C library that has renameat2") }
        let result = name.withCString { old in
            newName.withCString { new in renameat2(number, old, target.number, new, flags) }
        }
        guard result == 0 else { throw SpoolError("rename", path(of: name), code: errno) }
    }

    func remove(_ name: DirectoryEntryName) throws(SpoolError) {
        guard name.withCString({ unlinkat(number, $0, 0) }) == 0 else {
            throw SpoolError("remove", path(of: name), code: errno)
        }
    }

    func removeDirectory(_ name: DirectoryEntryName) throws(SpoolError) {
        guard name.withCString({ unlinkat(number, $0, AT_REMOVEDIR) }) == 0 else {
            throw SpoolError("remove the directory", path(of: name), code: errno)
        }
    }

    /// Names in no order, at most `limit` of those that `included` accepts.
    func entries(
        limit: Int = .max, where included: (DirectoryEntryName) -> Bool = { _ in true }
    ) throws(SpoolError) -> [DirectoryEntryName] {
        // A descriptor of its own, since the position in the listing belongs to the open file.
        let own = openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard own >= 0 else { throw SpoolError("list", path, code: errno) }
        guard let listing = fdopendir(own) else {
            let code = errno
            close(own)
            throw SpoolError("list", path, code: code)
        }
        defer { closedir(listing) }
        var names: [DirectoryEntryName] = []
        while names.count < limit {
            errno = 0
            guard let entry = readdir(listing) else {
                if errno != 0 { throw SpoolError("list", path, code: errno) }
                break
            }
            let name = DirectoryEntryName(bytes: bytes(of: entry))
            if name != ".", name != "..", included(name) { names.append(name) }
        }
        return names
    }

    // MARK: The open file itself

    func status() throws(SpoolError) -> FileStatus {
        var raw = stat()
        guard fstat(number, &raw) == 0 else { throw SpoolError("examine", path, code: errno) }
        return FileStatus(raw)
    }

    func mode() throws(SpoolError) -> mode_t {
        var raw = stat()
        guard fstat(number, &raw) == 0 else { throw SpoolError("examine", path, code: errno) }
        return raw.st_mode & 0o7777
    }

    func setMode(_ mode: mode_t) throws(SpoolError) {
        guard fchmod(number, mode) == 0 else { throw SpoolError("set the mode of", path, code: errno) }
    }

    /// Makes contents and, for a directory, its entries survive a power cut.
    func synchronize() throws(SpoolError) {
        guard fsync(number) == 0 else { throw SpoolError("write to disk", path, code: errno) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SpoolError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = Glibc.write(number, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            guard written >= 0 else {
                if errno == EINTR { continue }
                throw SpoolError("write", path, code: errno)
            }
            rest = rest.dropFirst(written)
        }
    }

    func write(_ bytes: [UInt8]) throws(SpoolError) {
        let failure = bytes.withUnsafeBytes { buffer -> SpoolError? in
            do throws(SpoolError) { try write(buffer) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    /// How many bytes were read into the buffer; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SpoolError) -> Int {
        while true {
            let count = Glibc.read(number, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if errno != EINTR { throw SpoolError("read", path, code: errno) }
        }
    }

    /// The first `limit` bytes of a file, all of it if it is shorter.
    func beginning(limit: Int) throws(SpoolError) -> [UInt8] {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while all.count < limit {
            var outcome = Result<Int, SpoolError>.success(0)
            part.withUnsafeMutableBytes { buffer in
                do throws(SpoolError) { outcome = .success(try read(into: buffer)) } catch { outcome = .failure(error) }
            }
            let count = try outcome.get()
            if count == 0 { break }
            all += part[..<min(count, limit - all.count)]
        }
        return all
    }

    /// The whole of a file of at most `limit` bytes.
    func contents(limit: Int) throws(SpoolError) -> [UInt8] {
        let size = try status().size
        guard size <= limit else { throw SpoolError(path, detail: "is longer than \(limit) bytes") }
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            var outcome = Result<Int, SpoolError>.success(0)
            part.withUnsafeMutableBytes { buffer in
                do throws(SpoolError) { outcome = .success(try read(into: buffer)) } catch { outcome = .failure(error) }
            }
            let count = try outcome.get()
            if count == 0 { return all }
            all += part[..<count]
            guard all.count <= limit else { throw SpoolError(path, detail: "is longer than \(limit) bytes") }
        }
    }
}

/// What `fstat` says.
struct FileStatus: Equatable {
    enum Kind: Equatable {
        case regular, directory, symbolicLink, pipe, socket, device
    }

    var kind: Kind
    var size: Int64
    var links: UInt64
    var owner: UInt32
    var group: UInt32
    var device: UInt64
    var inode: UInt64
    /// Nanoseconds since 1970.
    var modified: Int64
    var changed: Int64

    init(_ raw: stat) {
        switch raw.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symbolicLink
        case S_IFIFO: kind = .pipe
        case S_IFSOCK: kind = .socket
        default: kind = .device
        }
        size = Int64(raw.st_size)
        links = UInt64(raw.st_nlink)
        owner = raw.st_uid
        group = raw.st_gid
        device = UInt64(raw.st_dev)
        inode = UInt64(raw.st_ino)
        modified = nanoseconds(raw.st_mtim)
        changed = nanoseconds(raw.st_ctim)
    }
}

private func nanoseconds(_ time: timespec) -> Int64 {
    Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

private func bytes(of entry: UnsafeMutablePointer<dirent>) -> [UInt8] {
    let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19
    let name = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: UInt8.self)
    let length = strlen((UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self))
    return Array(UnsafeBufferPointer(start: name, count: length))
}

/// `O_PATH`, which the C library declares only for _GNU_SOURCE.
private let pathOnly: Int32 = 0o10_000_000

private typealias RenameFunction =
    @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32

/// The C library declares it only for _GNU_SOURCE, which Swift's Glibc module does not set.
private let renameat2: RenameFunction? = dlsym(nil, "renameat2").map { unsafeBitCast($0, to: RenameFunction.self) }

import Foundation
import Glibc
package import Mailing

/// Something about the directories of a spool that is not as it should be.
package struct SpoolFault: Sendable, Equatable {
    package var path: String
    package var problem: String
    /// What mends it.
    package var remedy: String
}

/// Looks at a spool from outside, and changes nothing.
package struct SpoolExamination: Sendable {
    /// One directory as it should be.
    struct Expectation: Sendable, Equatable {
        /// Below the spool; empty for the spool itself.
        var name: String
        var mode: UInt32
        /// Whose it is; nil if it is the administrator's.
        var owner: UInt32?
        /// Nil where the group makes no difference.
        var group: UInt32?
        /// Who has what by the default ACL; nil where none is needed.
        var defaultACL: [DirectoryACL.Entry]?
    }

    private let path: String
    private let owner: UInt32
    private let submitters: UInt32?
    private let administrator: UInt32

    /// - Parameters:
    ///   - owner: The user as whom the daemon runs.
    ///   - submitters: The group whose members drop jobs; nil if nobody else does.
    ///   - administrator: Whose the top of the spool is.
    package init(path: String, owner: UInt32, submitters: UInt32?, administrator: UInt32 = 0) {
        self.path = path
        self.owner = owner
        self.submitters = submitters
        self.administrator = administrator
    }

    /// As systemd-tmpfiles makes them.
    static func layout(owner: UInt32, submitters: UInt32) -> [Expectation] {
        let door: [DirectoryACL.Entry] = [
            .init(.owner, 7), .init(.user, 7, id: owner), .init(.group, 0), .init(.mask, 7), .init(.others, 0),
        ]
        let answers: [DirectoryACL.Entry] = [
            .init(.owner, 7), .init(.group, 0), .init(.namedGroup, 5, id: submitters), .init(.mask, 5),
            .init(.others, 0),
        ]
        let own = ["work", "rejected", "inbound", "inbound/tmp", "inbound/new", "inbound/cur", "outbox"]
        return [
            Expectation(name: "", mode: 0o755, owner: nil),
            Expectation(name: "tmp", mode: 0o3730, owner: owner, group: submitters, defaultACL: door),
            Expectation(name: "incoming", mode: 0o3730, owner: owner, group: submitters, defaultACL: door),
            Expectation(name: "receipts", mode: 0o2750, owner: owner, group: submitters, defaultACL: answers),
        ] + own.map { Expectation(name: $0, mode: 0o700, owner: owner) }
    }

    /// What is wrong with the directories; without a group of submitters only what keeps the daemon from its work.
    package func faults() -> [SpoolFault] {
        var root = stat()
        guard stat(path, &root) == 0, root.st_mode & S_IFMT == S_IFDIR else {
            return [
                SpoolFault(
                    path: path, problem: "the directory is not there",
                    remedy: "run systemd-tmpfiles --create campaignd.conf, or make it for the daemon's user")
            ]
        }
        return SpoolExamination.layout(owner: owner, submitters: submitters ?? root.st_gid).flatMap {
            faults(of: $0, device: UInt64(root.st_dev))
        }
    }

    private func faults(of expected: Expectation, device: UInt64) -> [SpoolFault] {
        let place = expected.name.isEmpty ? path : "\(path)/\(expected.name)"
        let mend = "run systemd-tmpfiles --create campaignd.conf"
        var status = stat()
        // The spool itself may be a link; the directory above is told of if it is not there.
        guard (expected.name.isEmpty ? stat(place, &status) : lstat(place, &status)) == 0 else {
            // Whoever may not look into the directory above knows nothing of it.
            if errno == EACCES { return [] }
            let above = place[..<(place.lastIndex(of: "/") ?? place.endIndex)]
            // Where the daemon may make it, it does at its next start.
            return submitters == nil || access(String(above), F_OK) != 0
                ? [] : [SpoolFault(path: place, problem: "the directory is not there", remedy: mend)]
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return [SpoolFault(path: place, problem: "is not a directory", remedy: "remove it, then \(mend)")]
        }
        var faults: [SpoolFault] = []
        func add(_ problem: String, _ remedy: String) {
            faults.append(SpoolFault(path: place, problem: problem, remedy: remedy))
        }
        if UInt64(status.st_dev) != device {
            add(
                "is on another file system than the rest of the spool, so that nothing can be renamed into it",
                "unmount it, so that the whole spool is on one file system")
        }
        if let owner = expected.owner, status.st_uid != owner {
            add("belongs to the user \(status.st_uid) and not to \(owner), as whom the daemon runs", mend)
        }
        guard submitters != nil else { return faults }
        let mode = status.st_mode & 0o7777
        if expected.owner == nil, status.st_uid != administrator {
            add("belongs to the user \(status.st_uid), who could put something else in a directory's place", mend)
        }
        if let group = expected.group, status.st_gid != group {
            add("belongs to the group \(status.st_gid) and not to \(group), whose members drop jobs", mend)
        }
        if mode != expected.mode {
            add("has mode \(SpoolExamination.octal(mode)) and not \(SpoolExamination.octal(expected.mode))", mend)
        }
        if let acl = expected.defaultACL, DirectoryACL.ofNewEntries(in: place) != acl {
            add("has not the default ACL that lets the daemon and the submitters reach what is made in it", mend)
        }
        return faults
    }

    static func octal(_ mode: UInt32) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }

    /// What lies in a directory for longer than it should: how many, and the name of the oldest.
    package struct Backlog: Sendable, Equatable {
        package var path: String
        package var count: Int
        package var oldest: String
    }

    /// Jobs that have waited in incoming/ for that long, those that could not be taken included; nil if it may not be
    /// read.
    package func waiting(longerThan seconds: Int64, now: Timestamp) -> Backlog? {
        backlog("incoming", seconds, now: now)
    }

    /// What lies in tmp/ for that long, and so was left behind; nil if it may not be read.
    package func leftBehind(longerThan seconds: Int64, now: Timestamp) -> Backlog? {
        backlog("tmp", seconds, now: now)
    }

    private func backlog(_ name: String, _ seconds: Int64, now: Timestamp) -> Backlog? {
        let place = "\(path)/\(name)"
        guard let listing = opendir(place) else { return nil }
        defer { closedir(listing) }
        let limit = now.adding(seconds: -seconds).milliseconds
        var found = Backlog(path: place, count: 0, oldest: "")
        var oldest = Int64.max
        while let entry = readdir(listing) {
            let bytes = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            let file = String(decoding: bytes, as: UTF8.self)
            var status = stat()
            guard file != ".", file != "..", lstat("\(place)/\(file)", &status) == 0 else { continue }
            let changed = Int64(status.st_ctim.tv_sec) * 1000
            guard changed <= limit else { continue }
            found.count += 1
            if changed < oldest { (oldest, found.oldest) = (changed, file) }
        }
        return found
    }
}

/// The ACL that entries of a directory get, as acl(5) has it.
enum DirectoryACL {
    enum Tag: UInt16, Sendable {
        case owner = 0x01
        case user = 0x02
        case group = 0x04
        case namedGroup = 0x08
        case mask = 0x10
        case others = 0x20
    }

    struct Entry: Sendable, Equatable {
        var tag: Tag
        var rights: UInt16
        var id: UInt32?

        init(_ tag: Tag, _ rights: UInt16, id: UInt32? = nil) {
            self.tag = tag
            self.rights = rights
            self.id = id
        }
    }

    /// Nil where there is none. The kernel's form: a version, then tag, rights and id of each entry, little endian.
    static func ofNewEntries(in directory: String) -> [Entry]? {
        // Under this key Foundation gives what listxattr(2) and getxattr(2) tell, for which Glibc has no Swift names.
        let attributes = try? FileManager.default.attributesOfItem(atPath: directory)
        let extended = attributes?[FileAttributeKey(rawValue: "NSFileExtendedAttributes")] as? [String: Data]
        guard let bytes = extended?["system.posix_acl_default"].map(Array.init), bytes.count >= 4,
            (bytes.count - 4) % 8 == 0
        else { return nil }
        func number(_ at: Int, _ width: Int) -> UInt32 {
            (0..<width).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * $1) }
        }
        return stride(from: 4, to: bytes.count, by: 8).compactMap { at in
            guard let tag = Tag(rawValue: UInt16(number(at, 2))) else { return nil }
            let hasID = tag == .user || tag == .namedGroup
            return Entry(tag, UInt16(number(at + 2, 2)), id: hasID ? number(at + 4, 4) : nil)
        }
    }
}

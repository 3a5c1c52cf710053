import Glibc

/// A user of this machine, as the system's user database knows it.
package struct Account: Sendable, Hashable {
    package var uid: UInt32
    /// Nil if the database does not know the number.
    package var name: String?
    /// The primary and all supplementary groups that the database gives the user.
    package var groups: Set<UInt32>

    package init(uid: UInt32, name: String? = nil, groups: Set<UInt32> = []) {
        self.uid = uid
        self.name = name
        self.groups = groups
    }
}

/// The door to the system's users and groups. Every call may ask a directory service, and so block for long.
///
/// Nil means that nobody was found. Of a service that is down, glibc passes on what that service's module says, and for
/// some that is the same as “there is none” (`ENOENT` where its socket is gone, `NSS_STATUS_NOTFOUND` in builds of
/// SSSD): so nil is no proof. Only what cannot mean “there is none” is `Unanswered`.
package enum SystemAccounts {
    /// The database cannot be asked now; that says nothing about whether somebody exists.
    package struct Unanswered: Error, CustomStringConvertible {
        package let description: String
    }

    /// The number of a user; nil if there is none of that name.
    package static func user(named name: String) throws(Unanswered) -> UInt32? {
        try find("the user \(name)", passwd(), by: { getpwnam_r(name, $0, $1, $2, $3) }, take: \.pw_uid)
    }

    /// The number of a group; nil if there is none of that name.
    package static func group(named name: String) throws(Unanswered) -> UInt32? {
        try find("the group \(name)", Glibc.group(), by: { getgrnam_r(name, $0, $1, $2, $3) }, take: \.gr_gid)
    }

    /// The name of a group; nil if the number has none.
    package static func name(ofGroup gid: UInt32) throws(Unanswered) -> String? {
        try find(
            "the gid \(gid)", Glibc.group(), by: { getgrgid_r(gid, $0, $1, $2, $3) },
            take: { String(cString: $0.gr_name) })
    }

    /// What is known of a user. Groups that only a process was given, as by SupplementaryGroups= of a unit, are none of
    /// the user's.
    package static func account(of uid: UInt32) throws(Unanswered) -> Account {
        let found = try find(
            "the uid \(uid)", passwd(), by: { getpwuid_r(uid, $0, $1, $2, $3) },
            take: { (name: String(cString: $0.pw_name), group: $0.pw_gid) })
        guard let found else { return Account(uid: uid) }
        return Account(uid: uid, name: found.name, groups: groups(of: found.name, primary: found.group))
    }

    private static func groups(of name: String, primary: gid_t) -> Set<UInt32> {
        var capacity: Int32 = 64
        while true {
            var groups = [gid_t](repeating: primary, count: Int(capacity))
            var count = capacity
            if getgrouplist(name, primary, &groups, &count) >= 0 { return Set(groups.prefix(Int(count))) }
            // The count that is needed stands there now; should it not have grown, twice as much is tried.
            capacity = max(count, capacity * 2)
        }
    }

    /// Calls one of the `…_r` functions with as much room as it wants.
    private static func find<Record, Value>(
        _ what: String, _ empty: Record,
        by call: (
            UnsafeMutablePointer<Record>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<Record>?>
        ) -> Int32,
        take: (Record) -> Value
    ) throws(Unanswered) -> Value? {
        var record = empty
        var size = 4096
        while true {
            let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
            defer { buffer.deallocate() }
            var found: UnsafeMutablePointer<Record>?
            let code = call(&record, buffer, size, &found)
            switch code {
            case 0: return found.map { take($0.pointee) }
            case ERANGE where size < 64 << 20: size *= 4
            case EINTR: continue
            // All these mean “there is none” in one service or another, says getpwnam(3), and “it is down” in a third.
            case ENOENT, ESRCH, EBADF, EPERM: return nil
            default:
                let why = String(cString: strerror(code))
                throw Unanswered(description: "the system's user database does not tell of \(what): \(why)")
            }
        }
    }
}

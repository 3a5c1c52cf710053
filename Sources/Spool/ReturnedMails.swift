package import Mailing

import Glibc

/// The Maildir to which the mail system delivers what comes back.
///
/// The directories are opened anew at each look: whoever delivers may replace them.
extension SpoolDirectory {
    /// Names of messages that nobody has looked at yet, in no order.
    ///
    /// - Parameters:
    ///   - limit: At most so many.
    ///   - included: Names that are wanted now. Hidden ones never are.
    package func newReturnedMails(
        limit: Int, where included: (DirectoryEntryName) -> Bool = { _ in true }
    ) throws(SpoolError) -> [DirectoryEntryName] {
        try returnedMails("new").entries(limit: limit) { !$0.isHidden && included($0) }
    }

    /// Whether anything is new. Does not read what was empty and did not change.
    package func hasNewReturnedMail(
        knowing nothing: inout EmptyDirectory, now: Timestamp
    ) throws(SpoolError) -> Bool {
        let new = try returnedMails("new")
        let before = try new.status()
        if nothing.isStill(before, now: now) { return false }
        let names = try new.entries(limit: 1) { !$0.isHidden }
        nothing.wasRead(before, isEmpty: names.isEmpty, now: now)
        return !names.isEmpty
    }

    /// The first `limit` bytes of a new message: what says why it came back stands at its beginning.
    ///
    /// Fails for what is no regular file. A link is not followed, and nobody is waited for at a pipe.
    package func beginningOfReturnedMail(
        _ name: DirectoryEntryName, limit: Int
    ) throws(SpoolError) -> [UInt8] {
        let file = try returnedMails("new").open(name, O_RDONLY)
        guard try file.status().kind == .regular else {
            throw SpoolError(file.path, detail: "is no message but another kind of file; remove it")
        }
        return try file.beginning(limit: limit)
    }

    /// Moves a message from `new` to `cur`, as maildir(5) wants it from who has looked at it.
    ///
    /// - Parameter isSeen: Whether it is done with; else a mail reader shows it as unread.
    package func keepReturnedMail(_ name: DirectoryEntryName, isSeen: Bool) throws(SpoolError) {
        let (new, current) = (try returnedMails("new"), try returnedMails("cur"))
        let unique = Array(name.bytes.prefix { $0 != UInt8(ascii: ":") })
        let information = Array((isSeen ? ":2,S" : ":2,").utf8)
        do throws(SpoolError) {
            try new.move(name, to: current, as: DirectoryEntryName(bytes: unique + information))
        } catch {
            guard error.code == EEXIST, let status = try new.status(of: name) else { throw error }
            // Two of one name are against the protocol of Maildir; both are kept.
            let other = unique + Array(".\(status.inode)".utf8) + information
            try new.move(name, to: current, as: DirectoryEntryName(bytes: other))
        }
    }

    private func returnedMails(_ part: DirectoryEntryName) throws(SpoolError) -> SpoolDescriptor {
        try root.openDirectory("inbound").openDirectory(part)
    }
}

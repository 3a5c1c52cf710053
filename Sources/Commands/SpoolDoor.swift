import Daemon
import Foundation
import Glibc
import Mailing
import Spool

/// The spool of the daemon as this user finds it.
struct SpoolDoor {
    let path: String
    let writer: DropWriter

    init(_ configuration: Configuration) throws(CommandFailure) {
        path = configuration.spoolDirectory
        do throws(SpoolError) {
            writer = try DropWriter(spool: path)
        } catch {
            throw SpoolDoor.failure(error, path: path)
        }
    }

    /// The answers in receipts/.
    func reader() throws(CommandFailure) -> ReceiptReader {
        do throws(SpoolError) {
            return try ReceiptReader(spool: path)
        } catch {
            guard [EACCES, EPERM].contains(error.code) else { throw failure(error) }
            throw CommandFailure(
                "you may not read the receipts in \(path): only root and \(submitters) may. \(advice)",
                status: .permission)
        }
    }

    /// Does something with the spool; its trouble is told in words for this user.
    func attempt<Value>(_ work: () throws(SpoolError) -> Value) throws(CommandFailure) -> Value {
        do throws(SpoolError) {
            return try work()
        } catch {
            throw failure(error)
        }
    }

    func failure(_ error: SpoolError) -> CommandFailure {
        guard [EACCES, EPERM].contains(error.code) else { return SpoolDoor.failure(error, path: path) }
        return CommandFailure(
            "you may not drop jobs into \(path): only root and \(submitters) may. \(advice)", status: .permission)
    }

    private static func failure(_ error: SpoolError, path: String) -> CommandFailure {
        switch error.code {
        case ENOENT, ENOTDIR:
            CommandFailure(
                "there is no spool at \(path) (\(error.path) is missing): has campaignd been started, and is this its "
                    + "configuration?", status: .unavailable)
        case EACCES, EPERM:
            CommandFailure("you may not look into \(path): \(error.path) is closed to you", status: .permission)
        case ENOSPC, EDQUOT:
            CommandFailure("nothing was dropped: \(error)", status: .temporary)
        default: CommandFailure("\(error)", status: .temporary)
        }
    }

    // MARK: Who may drop

    private var group: UInt32? { try? writer.submitGroup() }

    private var submitters: String {
        group.flatMap(SpoolDoor.name).map { "members of the group \($0)" } ?? "its owner"
    }

    private var advice: String {
        guard let group, group != 0, let name = SpoolDoor.name(group),
            let account = try? SystemAccounts.account(of: geteuid())
        else { return "Ask the administrator." }
        if account.groups.contains(group) { return "You are one, but not in this session yet: log in again." }
        return "As root: adduser \(account.name ?? "\(account.uid)") \(name); then log in again."
    }

    /// Nil if the group has no name, or none can be looked up now.
    private static func name(_ group: UInt32) -> String? {
        try? SystemAccounts.name(ofGroup: group)
    }
}

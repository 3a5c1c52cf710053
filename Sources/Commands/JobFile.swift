import ArgumentParser
import Daemon
import Glibc
import Mailing
import Spool

/// A job that was not dropped yet, as its maker names it on the command line.
enum JobFile {
    /// - Parameter name: Of the drop, without suffix; nil for that of the file.
    static func source(_ path: String, name: String? = nil) throws(CommandFailure) -> JobSource {
        let source: JobSource
        do throws(SpoolError) {
            source = try JobSource(path: path, name: name)
        } catch {
            let why = error.code == ENOENT ? "there is no such file" : String(cString: strerror(error.code))
            throw CommandFailure("\(path): \(why)", status: error.code == EACCES ? .permission : .refused)
        }
        if let error = source.drop.error {
            let advice =
                source.drop.form == nil || name == nil ? "rename it, or say how it is to be called" : "choose another"
            throw CommandFailure("\(error.file): a drop is called NAME.json or NAME.job: \(nameRule); \(advice)")
        }
        return source
    }

    private static let nameRule =
        "NAME has 1 to 128 letters, digits, dots, underscores and hyphens of ASCII, and begins with a letter or a digit"

    /// A user, as the daemon will see who dropped a job.
    ///
    /// - Parameter name: Nil for this user.
    static func submitter(_ name: String? = nil) throws(CommandFailure) -> Account {
        do throws(SystemAccounts.Unanswered) {
            var uid: UInt32? = geteuid()
            if let name { uid = try SystemAccounts.user(named: name) }
            if let uid { return try SystemAccounts.account(of: uid) }
        } catch {
            throw CommandFailure(error.description, status: .temporary)
        }
        throw CommandFailure("there is no user “\(name ?? "")”")
    }

    /// The configuration, or nil if this user may not read it.
    static func readableConfiguration(_ options: CommonOptions) throws(CommandFailure) -> Configuration? {
        guard access(options.config, R_OK) == 0 || ![EACCES, EPERM].contains(errno) else { return nil }
        return try options.configuration()
    }

    /// Judges a job where it lies, as the drop of that user; nil for this one.
    static func examine(
        _ source: JobSource, _ configuration: Configuration?, as user: String? = nil, now: Timestamp
    ) throws(CommandFailure) -> JobExamination {
        let submitter = try submitter(user)
        do throws(SpoolError) {
            let examined = try source.examine(as: geteuid())
            let daemon = configuration.flatMap { try? DropWriter(spool: $0.spoolDirectory).daemonUser() }
            return JobExamination(
                examined, configuration: configuration, submitter: submitter, daemonUser: daemon ?? 0, now: now)
        } catch {
            throw CommandFailure("\(error)", status: .temporary)
        }
    }
}

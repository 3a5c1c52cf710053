import Daemon
import Foundation
import Glibc
import RecipientLists

extension Doctor {
    /// Whether lists of other systems can be read.
    func presets(_ configuration: Configuration, owner: UInt32?) -> [DoctorFinding] {
        let directory = configuration.presetsDirectory
        let install = "install them again (the package has them), or let [presets] directory name where they are"
        var status = stat()
        guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            return [
                DoctorFinding(
                    "presets", .warning, "there is no directory \(directory): no job can name a preset",
                    remedy: install)
            ]
        }
        guard let entries = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            return [
                DoctorFinding(
                    "presets", .unknown, "\(directory) may not be read by this user",
                    remedy: "run this as root or as campaignd")
            ]
        }
        let files = entries.filter { $0.hasSuffix(".json") }.sorted()
        guard !files.isEmpty else {
            return [
                DoctorFinding(
                    "presets", .warning, "\(directory) has no presets: no job can name one", remedy: install)
            ]
        }
        let closed = (["."] + files).map { "\(directory)/\($0)" }.filter { !isReadable($0, by: owner) }
        let faults = files.compactMap { fault(of: $0, in: directory) }
        if closed.isEmpty, faults.isEmpty {
            return [DoctorFinding("presets", .ok, "all presets in \(directory) can be used (\(files.count))")]
        }
        return closed.map {
            DoctorFinding("presets", .fault, "\($0) is closed to campaignd", remedy: "chmod -R a+rX \(directory)")
        } + faults
    }

    private func fault(of file: String, in directory: String) -> DoctorFinding? {
        do throws(PresetError) {
            _ = try Preset.load(name: String(file.dropLast(".json".count)), directory: directory)
            return nil
        } catch {
            return DoctorFinding(
                "presets", .fault, "\(directory)/\(file) cannot be used: \(error.message)",
                remedy: "mend what it names, or remove the file")
        }
    }

    private func isReadable(_ path: String, by user: UInt32?) -> Bool {
        var status = stat()
        guard let user, user != 0, stat(path, &status) == 0 else { return true }
        // Where groups cannot be looked up, that is told as what it is, and not as a fault of the presets.
        guard let account = try? SystemAccounts.account(of: user) else { return true }
        return Doctor.mayRead(status, account)
    }

    /// Whether the mode lets a user read a file, or read and enter a directory. The first class that fits decides:
    /// path_resolution(7). What an ACL says beyond that is not asked.
    static func mayRead(_ status: stat, _ account: Account) -> Bool {
        let rights: UInt32 = status.st_mode & S_IFMT == S_IFDIR ? 0o5 : 0o4
        let shift: UInt32 = status.st_uid == account.uid ? 6 : account.groups.contains(status.st_gid) ? 3 : 0
        return status.st_mode >> shift & rights == rights
    }
}

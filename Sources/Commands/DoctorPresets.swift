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

    /// By its owner and its mode; what a group opens to it is not asked.
    private func isReadable(_ path: String, by user: UInt32?) -> Bool {
        var status = stat()
        guard let user, user != 0, stat(path, &status) == 0 else { return true }
        let rights: UInt32 = status.st_mode & S_IFMT == S_IFDIR ? 0o5 : 0o4
        return status.st_uid == user ? status.st_mode >> 6 & rights == rights : status.st_mode & rights == rights
    }
}

import Daemon
import Foundation
import Glibc
import Ledger
import Mailing
import Spool

/// What a file lies on.
struct FileSystem: Equatable {
    enum Kind: Equatable {
        case local
        /// Other machines may see it too: locks and shared memory do not hold there.
        case network(String)
        /// Gone with the next reboot.
        case memory
        /// One file may be two there, before and after it is first written to.
        case overlay
    }

    var kind: Kind
    /// Bytes that are free for the daemon.
    var free: Int64

    /// Nil where it cannot be looked at.
    static func look(_ path: String) -> FileSystem? {
        var system = statvfs()
        guard statvfs(path, &system) == 0 else { return nil }
        let table = (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? ""
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let block = Int64(system.f_frsize)
        return FileSystem(kind: kind(type(of: real, in: table)), free: Int64(system.f_bavail) * block)
    }

    static func kind(_ type: String) -> Kind {
        switch type {
        case "tmpfs", "ramfs": .memory
        case "overlay": .overlay
        case "nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs", "virtiofs", "glusterfs", "lustre", "gfs2", "ocfs2":
            .network(type)
        case _ where type.hasPrefix("fuse"): .network(type)
        default: .local
        }
    }

    /// The type of the file system that holds a path, by the table of proc(5); empty if that is not known.
    static func type(of path: String, in mountinfo: String) -> String {
        var best = (length: -1, type: "")
        for line in mountinfo.split(separator: "\n") {
            let halves = line.components(separatedBy: " - ")
            let words = (halves.first ?? "").split(separator: " ")
            guard halves.count == 2, words.count > 4, let type = halves[1].split(separator: " ").first else { continue }
            // Spaces in it are written as octal numbers.
            let point = words[4].replacingOccurrences(of: "\\040", with: " ")
            let isAbove = path == point || point == "/" || path.hasPrefix(point + "/")
            // Of several at one place the last one is seen.
            if isAbove, point.count >= best.length { best = (point.count, String(type)) }
        }
        return best.type
    }
}

extension Doctor {
    func spool(_ configuration: Configuration, owner: UInt32?, isInstalled: Bool) -> [DoctorFinding] {
        let path = configuration.spoolDirectory
        guard let owner else {
            return [DoctorFinding("spool", .unknown, "it is not known as whom the daemon runs")]
        }
        var group: UInt32?
        if isInstalled { group = (try? SystemAccounts.group(named: surroundings.submitters)) ?? nil }
        let spool = SpoolExamination(
            path: path, owner: owner, submitters: group, administrator: surroundings.administrator)
        let faults = spool.faults()
        var findings = faults.map { DoctorFinding("spool", .fault, "\($0.path) \($0.problem)", remedy: $0.remedy) }
        if faults.isEmpty { findings.append(DoctorFinding("spool", .ok, "the directories below \(path) are in order")) }
        let isRunning = LedgerFiles.holder(path: configuration.ledgerPath) != nil
        if let waiting = spool.waiting(longerThan: 600, now: surroundings.now) {
            if waiting.count > 0 {
                findings.append(
                    DoctorFinding(
                        "waiting jobs", .fault,
                        "\(waiting.count) jobs have waited in \(waiting.path) for more than 10 minutes, the oldest is "
                            + waiting.oldest,
                        remedy: isRunning
                            ? "see journalctl -u campaignd for why they are not taken; names that begin with a dot or "
                                + "end in .tmp or .part are never taken" : "start campaignd: systemctl start campaignd")
                )
            } else {
                findings.append(DoctorFinding("waiting jobs", .ok, "no job waits for longer than it should"))
            }
        } else if faults.isEmpty {
            findings.append(
                DoctorFinding(
                    "waiting jobs", .unknown, "what was dropped may not be listed by this user",
                    remedy: "run this as root or as campaignd"))
        }
        if let left = spool.leftBehind(longerThan: 129_600, now: surroundings.now), left.count > 0 {
            findings.append(
                DoctorFinding(
                    "left behind", .warning,
                    "\(left.count) things lie in \(left.path) for more than 36 hours, the oldest is \(left.oldest)",
                    remedy: "remove them, or let systemd-tmpfiles --clean do it"))
        }
        return findings
    }

    func ledger(_ configuration: Configuration, owner: UInt32?) -> [DoctorFinding] {
        let path = configuration.ledgerPath
        guard let files = LedgerFiles.look(path: path), files.count > 0 else {
            return [
                DoctorFinding(
                    "ledger", .unknown, "the files of \(path) may not be looked at by this user",
                    remedy: "run this as root or as campaignd")
            ]
        }
        var findings = rights(files, owner: owner)
        do throws(LedgerError) {
            let reader = try LedgerReader(path: path)
            findings += reader.examine().map { finding in
                let check = "ledger \(finding.check)"
                return switch finding.outcome {
                case .sound: DoctorFinding(check, .ok, finding.detail)
                case .unknown:
                    DoctorFinding(check, .unknown, finding.detail, remedy: "run this as root or as campaignd")
                case .faulty:
                    DoctorFinding(
                        check, .fault, finding.detail,
                        remedy: "stop campaignd, keep the ledger with all files beside it, and see “After a restore” "
                            + "in README.md")
                }
            }
            if let alive = try reader.facts().aliveAt, alive > surroundings.now.adding(seconds: 300) {
                findings.append(
                    DoctorFinding(
                        "clock", .fault, "the clock shows \(surroundings.now), but campaignd was at work at \(alive)",
                        remedy: "set the clock right: timedatectl set-ntp true"))
            }
        } catch {
            switch error {
            case .unreadable:
                findings.append(
                    DoctorFinding("ledger", .unknown, "\(error)", remedy: "run this as root or as campaignd"))
            case .absent:
                findings.append(
                    DoctorFinding(
                        "ledger", .warning, "\(error)", remedy: "start campaignd: systemctl enable --now campaignd"))
            default:
                findings.append(
                    DoctorFinding(
                        "ledger", .fault, "\(error)", remedy: "see “After a restore” in README.md before anything else")
                )
            }
        }
        return findings
    }

    private func rights(_ files: [LedgerFile], owner: UInt32?) -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        for file in files {
            if let owner, file.owner != owner {
                findings.append(
                    DoctorFinding(
                        "ledger rights", .fault,
                        "\(file.path) belongs to the user \(file.owner), and the daemon runs as \(owner)",
                        remedy: "chown \(owner) \(file.path)"))
            }
            let isKey = file.path.hasSuffix(".key")
            let forbidden: UInt32 = isKey ? 0o077 : 0o022
            if file.mode & forbidden != 0 {
                let mode = String(file.mode, radix: 8)
                let who = isKey ? "read by others than its owner" : "changed by others than its owner"
                findings.append(
                    DoctorFinding(
                        "ledger rights", .fault, "\(file.path) has mode \(mode): it can be \(who)",
                        remedy: "chmod \(isKey ? "600" : "go-w") \(file.path)"))
            }
        }
        if findings.isEmpty {
            findings.append(DoctorFinding("ledger rights", .ok, "the ledger and its key belong to the daemon alone"))
        }
        return findings
    }

    /// File systems: of what kind, and how much room there is.
    func rooms(_ configuration: Configuration) -> [DoctorFinding] {
        let directory = (configuration.ledgerPath as NSString).deletingLastPathComponent
        return room("ledger", directory, holdsLedger: true)
            + room("spool", configuration.spoolDirectory, holdsLedger: false)
    }

    private func room(_ what: String, _ path: String, holdsLedger: Bool) -> [DoctorFinding] {
        guard let system = surroundings.fileSystem(path) else {
            return [
                DoctorFinding(
                    "disk of the \(what)", .unknown, "\(path) cannot be looked at",
                    remedy: "make it, or run this as root or as campaignd")
            ]
        }
        let check = "disk of the \(what)"
        let megabytes = system.free / 1_000_000
        let size =
            if system.free < 100_000_000 {
                DoctorFinding(
                    check, .fault, "only \(megabytes) MB are free for \(path): soon nothing can be sent",
                    remedy: "free some room, 1 GB at least")
            } else if system.free < 1_000_000_000 {
                DoctorFinding(check, .warning, "only \(megabytes) MB are free for \(path)", remedy: "free some room")
            } else {
                DoctorFinding(check, .ok, "\(megabytes) MB are free for \(path)")
            }
        let place = "file system of the \(what)"
        let kind: DoctorFinding =
            switch system.kind {
            case .local: DoctorFinding(place, .ok, "\(path) is on a local file system")
            case .network(let name):
                DoctorFinding(
                    place, .fault, "\(path) is on \(name), where a crash may lose what was recorded",
                    remedy: "put it on a local disk")
            case .memory:
                DoctorFinding(
                    place, .fault, "\(path) is in memory: a reboot forgets what was sent",
                    remedy: "put it on a local disk")
            case .overlay:
                DoctorFinding(
                    place, holdsLedger ? .warning : .ok,
                    "\(path) is on an overlay, as containers have it: gone with them",
                    remedy: holdsLedger ? "put it on a volume of its own" : nil)
            }
        return [kind, size]
    }
}

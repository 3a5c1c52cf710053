import Daemon
import Foundation
import Mailing
import Systemd

extension Doctor {
    func machine(unit: ServiceUnit?, configuration: Configuration?) -> [DoctorFinding] {
        service(unit) + accounts(unit) + clock() + [machineID()] + (configuration.map { journal($0, unit) } ?? [])
    }

    private func service(_ unit: ServiceUnit?) -> [DoctorFinding] {
        guard let unit else {
            return [
                DoctorFinding(
                    "service", .unknown, "systemd cannot be asked about \(SystemService.name)",
                    remedy: "run this on the machine itself, where systemd runs")
            ]
        }
        guard isInstalled(unit) else {
            return [
                DoctorFinding(
                    "service", .warning, "systemd knows no \(SystemService.name): campaignd is run by hand",
                    remedy: "install the package, or systemd/campaignd.service, and systemctl daemon-reload")
            ]
        }
        guard unit.load == "loaded" else {
            return [
                DoctorFinding(
                    "service", .fault, "\(SystemService.name) is \(unit.load)",
                    remedy: unit.load == "masked"
                        ? "systemctl unmask campaignd" : "see systemctl status campaignd, and mend the unit")
            ]
        }
        return [running(unit)] + [enabled(unit)].compactMap { $0 }
    }

    private func running(_ unit: ServiceUnit) -> DoctorFinding {
        switch unit.active {
        case _ where unit.sub == "auto-restart":
            return DoctorFinding(
                "service", .fault, "campaignd ends again and again (\(unit.result), \(unit.exitStatus))",
                remedy: "see journalctl -u campaignd for why")
        case "active", "reloading", "activating":
            guard unit.mainPID > 0, isReplaced(unit.mainPID) else {
                return DoctorFinding("service", .ok, "campaignd runs: \(unit.statusText)")
            }
            return DoctorFinding(
                "service", .warning, "campaignd runs as an older program than the one that is installed",
                remedy: "systemctl restart campaignd")
        default:
            let how = unit.result == "success" ? "is \(unit.active)" : "has failed (\(unit.result), \(unit.exitStatus))"
            let remedy =
                unit.exitStatus == 78
                ? "mend what journalctl -u campaignd names, then systemctl restart campaignd"
                : "see journalctl -u campaignd, then systemctl start campaignd"
            return DoctorFinding("service", .fault, "campaignd does not run: it \(how)", remedy: remedy)
        }
    }

    private func isReplaced(_ pid: Int32) -> Bool {
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")
        return link?.hasSuffix(" (deleted)") ?? false
    }

    private func enabled(_ unit: ServiceUnit) -> DoctorFinding? {
        guard ["disabled", "indirect"].contains(unit.file) else { return nil }
        return DoctorFinding(
            "service at boot", .warning, "campaignd is \(unit.file): after a reboot it does not run",
            remedy: "systemctl enable campaignd")
    }

    private func accounts(_ unit: ServiceUnit?) -> [DoctorFinding] {
        guard isInstalled(unit) else { return [] }
        do {
            var missing: [String] = []
            if try SystemAccounts.user(named: surroundings.user) == nil { missing.append("user \(surroundings.user)") }
            for group in [surroundings.submitters, surroundings.admins]
            where try SystemAccounts.group(named: group) == nil {
                missing.append("group \(group)")
            }
            guard missing.isEmpty else {
                return [
                    DoctorFinding(
                        "accounts", .fault, "there is no \(missing.joined(separator: " and no "))",
                        remedy: "systemd-sysusers campaignd.conf, then systemd-tmpfiles --create campaignd.conf")
                ]
            }
            return [
                DoctorFinding(
                    "accounts", .ok,
                    "the user \(surroundings.user) and the groups \(surroundings.submitters) and "
                        + "\(surroundings.admins) exist")
            ]
        } catch {
            return [DoctorFinding("accounts", .unknown, "\(error)", remedy: "see getent passwd \(surroundings.user)")]
        }
    }

    private func clock() -> [DoctorFinding] {
        // Nobody can have started this before it was written.
        let isSane = (1_735_689_600_000...4_102_444_800_000).contains(surroundings.now.milliseconds)
        guard isSane else {
            return [
                DoctorFinding(
                    "clock", .fault, "the clock shows \(surroundings.now)",
                    remedy: "set it right: timedatectl set-ntp true")
            ]
        }
        switch surroundings.clock() {
        case .synchronised: return [DoctorFinding("clock", .ok, "the clock is synchronised")]
        case .notSynchronised:
            return [
                DoctorFinding(
                    "clock", .warning, "the clock is not synchronised: consent is dated by it",
                    remedy: "install systemd-timesyncd or chrony, then timedatectl set-ntp true")
            ]
        case .unknown: return [DoctorFinding("clock", .unknown, "the kernel does not tell whether the clock is right")]
        }
    }

    private func machineID() -> DoctorFinding {
        let text = (try? String(contentsOfFile: surroundings.machineID, encoding: .utf8)) ?? ""
        let id = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard id.utf8.count == 32, id.allSatisfy({ $0.isHexDigit && $0.isASCII }) else {
            return DoctorFinding(
                "machine id", .warning,
                "\(surroundings.machineID) has no id: a ledger from another machine would not be noticed",
                remedy: "systemd-machine-id-setup")
        }
        return DoctorFinding("machine id", .ok, "this machine can be told from others")
    }

    private func journal(_ configuration: Configuration, _ unit: ServiceUnit?) -> [DoctorFinding] {
        let settling = configuration.relays.filter(\.value.settlesByJournal).keys.sorted()
        guard !settling.isEmpty else { return [] }
        do {
            guard try surroundings.journalOldest() != nil else {
                return [
                    DoctorFinding(
                        "journal", .fault,
                        "the journal is empty, or may not be read: relay \(settling.joined(separator: ", ")) is to "
                            + "settle doubt by it",
                        remedy: "start systemd-journald, and let this user or campaignd into the group systemd-journal")
                ]
            }
            return [DoctorFinding("journal", .ok, "the journal can be read by this user")]
        } catch {
            return [
                DoctorFinding(
                    "journal", .fault, "\(error)",
                    remedy: "add campaignd to the group systemd-journal (SupplementaryGroups= of the unit)")
            ]
        }
    }
}

import Daemon
import Foundation
import Ledger
import Mailing
import Spool
import Systemd

/// One thing that was looked at, and what to do if it is not as it should be.
struct DoctorFinding: Equatable {
    enum Outcome: String {
        case ok
        case warning
        case fault
        /// It could not be looked at.
        case unknown
    }

    var check: String
    var outcome: Outcome
    var message: String
    var remedy: String?

    init(_ check: String, _ outcome: Outcome, _ message: String, remedy: String? = nil) {
        self.check = check
        self.outcome = outcome
        self.message = message
        self.remedy = remedy
    }
}

/// What a doctor knows of the machine; tests put something else in its place.
struct DoctorSurroundings {
    /// The daemon's user, the group whose members drop jobs, and that whose members control campaigns.
    var user = "campaignd"
    var submitters = "campaignd-submit"
    var admins = "campaignd-admin"
    /// Whose the top of the spool is.
    var administrator: UInt32 = 0
    /// Nil where systemd cannot be asked.
    var unit: () -> ServiceUnit? = {
        do throws(ServiceUnit.Failure) { return try ServiceUnit.look(SystemService.name) } catch { return nil }
    }
    var fileSystem: (String) -> FileSystem? = FileSystem.look
    var clock: () -> MachineClock = MachineClock.look
    var machineID = "/etc/machine-id"
    var credentials = "/run/credentials/" + SystemService.name
    var journalOldest: () throws -> Int64? = { try JournalReader().oldest() }
    var now: Timestamp
}

/// Looks over an installation and names what is wrong with it. It changes nothing and sends no mail.
struct Doctor {
    let path: String
    let surroundings: DoctorSurroundings

    func examine() async -> [DoctorFinding] {
        var findings: [DoctorFinding] = []
        let configuration: Configuration
        do throws(ConfigurationFile.Invalid) {
            configuration = try ConfigurationFile.load(path)
            findings.append(DoctorFinding("configuration", .ok, "\(path) is valid"))
        } catch {
            findings.append(
                DoctorFinding(
                    "configuration", .fault, error.description,
                    remedy: error.mayPass
                        ? "is the directory service down that knows these users and groups? See getent passwd"
                        : "mend the keys that are named; config/campaignd.toml explains each"))
            return findings + machine(unit: surroundings.unit(), configuration: nil) + [
                DoctorFinding("rest", .unknown, "nothing else can be looked at without a valid configuration")
            ]
        }
        let unit = surroundings.unit()
        findings += machine(unit: unit, configuration: configuration)
        let owner = owner(unit: unit, configuration: configuration)
        findings += spool(configuration, owner: owner, isInstalled: isInstalled(unit))
        findings += ledger(configuration, owner: owner)
        findings += rooms(configuration)
        findings += presets(configuration, owner: owner)
        findings += await relays(configuration)
        return findings
    }

    func isInstalled(_ unit: ServiceUnit?) -> Bool { unit.map { $0.load != "not-found" } ?? false }

    /// As whom the daemon runs: the unit's user, else whoever owns the ledger's directory.
    private func owner(unit: ServiceUnit?, configuration: Configuration) -> UInt32? {
        let name = unit.flatMap { $0.user.isEmpty ? nil : $0.user } ?? surroundings.user
        if isInstalled(unit), let uid = try? SystemAccounts.user(named: name) { return uid }
        return LedgerFiles.look(path: configuration.ledgerPath)?.first?.owner
    }
}

import Daemon
import Foundation
import Glibc
import Ledger
import Mailing
@testable import Spool
import Systemd
import TestSupport
import Testing

@testable import Commands

@Suite struct DoctorTests {
    @Test func `a healthy installation is healthy`() async throws {
        let patient = try Patient()
        let report = await patient.examine()
        #expect(report.isHealthy)
        #expect(report.findings.filter { $0.outcome != .ok } == [])
        #expect(report.lines.last == "0 faults, 0 warnings, 0 not checked")
        let document = try parsed(report)
        #expect(document["healthy"] == true)
        let checks = try #require(document["checks"]?.array)
        #expect(checks.count > 10)
        #expect(checks.allSatisfy { keys($0) == ["check", "outcome", "message", "remedy"] })
    }

    /// Faults of many kinds; each is found, alone, with what mends it.
    enum Planted: String, CaseIterable {
        case configuration, mode, acl, missing, keyOpen, foreignKey, wrongKey, restored, network, fullDisk, relayDown
        case noGroup, noAdmins, failed, restarting, clockBack, waitingJob, consentChanged, fileForDirectory
        case openSpool, openInbound, openMail, openOutbox, noOutbox, brokenPreset
    }

    @Test(arguments: Planted.allCases)
    func `a planted fault is found, with its remedy`(planted: Planted) async throws {
        var patient = try Patient()
        try await patient.fixture.register(["a@example.org"])
        let (check, remedy) = try await plant(planted, in: &patient)
        let faults = await patient.faults()
        #expect(!faults.isEmpty)
        #expect(faults.allSatisfy { $0.check == check && $0.remedy?.contains(remedy) == true }, "\(faults)")
        #expect(await !patient.examine().isHealthy)
    }

    private func plant(_ planted: Planted, in patient: inout Patient) async throws -> (check: String, remedy: String) {
        let fixture = patient.fixture
        switch planted {
        case .configuration:
            try fixture.directory.write("[spool]\n", to: "campaignd.toml")
            return ("configuration", "mend the keys")
        case .mode, .acl, .missing, .fileForDirectory, .waitingJob, .openSpool, .openInbound, .openMail, .openOutbox,
            .noOutbox:
            return try spoil(planted, fixture)
        case .brokenPreset:
            let text = try String(contentsOfFile: fixture.configurationPath, encoding: .utf8)
            try fixture.directory.write(text + "[presets]\ndirectory = \"presets\"\n", to: "campaignd.toml")
            _ = try fixture.directory.makeDirectory("presets")
            try fixture.directory.write("{ \"description\": 1 }", to: "presets/own.json")
            return ("presets", "remove the file")
        case .keyOpen:
            chmod(fixture.path + ".key", 0o644)
            return ("ledger rights", "chmod 600")
        case .foreignKey, .wrongKey, .restored, .consentChanged: return try await spoilLedger(planted, fixture)
        case .network:
            patient.surroundings.fileSystem = { path in
                FileSystem(kind: path.hasSuffix("spool") ? .local : .network("nfs4"), free: 5_000_000_000)
            }
            return ("file system of the ledger", "local disk")
        case .fullDisk:
            patient.surroundings.fileSystem = { path in
                FileSystem(kind: .local, free: path.hasSuffix("spool") ? 5_000_000_000 : 50_000_000)
            }
            return ("disk of the ledger", "free some room")
        case .relayDown:
            let port = try UInt16(FullPort.closed())
            let configuration = TestConfiguration(relays: [.init(port: port)])
            try fixture.directory.write(
                configuration.toml(spool: fixture.spoolPath, ledger: fixture.path), to: "campaignd.toml")
            return ("relay default", "start the mail server")
        case .noGroup:
            patient.surroundings.submitters = "no-such-group"
            return ("accounts", "systemd-sysusers")
        case .noAdmins:
            patient.surroundings.admins = "no-such-group"
            return ("accounts", "systemd-sysusers")
        case .failed:
            let unit = Patient.unit(
                user: patient.surroundings.user, active: "failed", result: "exit-code", exitStatus: 78)
            patient.surroundings.unit = { unit }
            return ("service", "journalctl -u campaignd")
        case .restarting:
            let unit = Patient.unit(user: patient.surroundings.user, active: "activating", sub: "auto-restart")
            patient.surroundings.unit = { unit }
            return ("service", "journalctl")
        case .clockBack:
            try await fixture.ledger.markAlive(now: ReadingFixture.now.adding(seconds: 3600))
            return ("clock", "set-ntp")
        }
    }

    private func spoil(_ planted: Planted, _ fixture: ReadingFixture) throws -> (check: String, remedy: String) {
        let incoming = fixture.spoolPath + "/incoming"
        switch planted {
        case .mode: chmod(incoming, 0o777)
        case .acl: #expect(try runHere(["setfacl", "-k", incoming]).status == 0)
        case .missing: rmdir(incoming)
        case .openSpool: chmod(fixture.spoolPath, 0o1777)
        case .openInbound: chmod(fixture.spoolPath + "/inbound", 0o755)
        case .openMail: chmod(fixture.spoolPath + "/inbound/new", 0o770)
        case .openOutbox: chmod(fixture.spoolPath + "/outbox", 0o755)
        case .noOutbox: rmdir(fixture.spoolPath + "/outbox")
        case .waitingJob:
            try fixture.directory.write("{}", to: "spool/incoming/forgotten.json")
            return ("waiting jobs", "campaignd")
        default:
            rmdir(incoming)
            try fixture.directory.write("", to: "spool/incoming")
        }
        return ("spool", "systemd-tmpfiles --create campaignd.conf")
    }

    private func spoilLedger(
        _ planted: Planted, _ fixture: ReadingFixture
    ) async throws -> (check: String, remedy: String) {
        switch planted {
        case .foreignKey:
            try await fixture.campaign("c", to: ["a@example.org"])
            try await sqlite(fixture.path, "PRAGMA foreign_keys = OFF; UPDATE deliveries SET contact = 99")
            return ("ledger foreignKeys", "After a restore")
        case .wrongKey:
            try fixture.directory.write(String(repeating: "0", count: 64) + "\n", to: "ledger.sqlite.key")
            return ("ledger key", "After a restore")
        case .restored:
            try fixture.directory.write("00000000000000000099", to: "ledger.sqlite.intents")
            return ("ledger intents", "After a restore")
        default:
            try await sqlite(
                fixture.path,
                "DROP TRIGGER consent_events_are_not_changed; UPDATE consent_events SET recorded_at = 1")
            return ("ledger consentChain", "After a restore")
        }
    }

    private func sqlite(_ path: String, _ sql: String) async throws {
        let result = try await runPython(
            "import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).executescript(sys.argv[2])",
            [path, sql])
        #expect(result.status == 0, "\(result.errorText)")
    }

    @Test func `what cannot be looked at is said, and is no fault`() async throws {
        var patient = try Patient()
        patient.surroundings.unit = { nil }
        patient.surroundings.clock = { .unknown }
        let report = await patient.examine()
        #expect(report.isHealthy)
        #expect(report.findings.filter { $0.outcome == .unknown }.map(\.check) == ["service", "clock"])
        #expect(report.lines.contains { $0.hasPrefix("NOT CHECKED  service: ") })
    }

    @Test func `a password that cannot be read is not called wrong`() async throws {
        let patient = try Patient()
        let server = try CountingSMTPServer()
        let lines = ["username = \"u\"", "password_credential = \"smtp-password\""]
        let configuration = TestConfiguration(relays: [.init(port: server.port, lines: lines)])
        try patient.fixture.directory.write(
            configuration.toml(spool: patient.fixture.spoolPath, ledger: patient.fixture.path), to: "campaignd.toml")
        let finding = try #require(await patient.examine().findings.first { $0.check == "relay default" })
        #expect(finding.outcome == .unknown)
        #expect(finding.message.contains("logging in was not tried"))
    }

    @Test func `presets that are not there are told, and what mends that`() async throws {
        let patient = try Patient()
        let fixture = patient.fixture
        let text = try String(contentsOfFile: fixture.configurationPath, encoding: .utf8)
        try fixture.directory.write(text + "[presets]\ndirectory = \"presets\"\n", to: "campaignd.toml")
        func finding() async throws -> DoctorFinding {
            try #require(await patient.examine().findings.first { $0.check == "presets" })
        }
        #expect(try await finding().outcome == .warning)
        #expect(try await finding().message.contains("no job can name a preset"))
        _ = try fixture.directory.makeDirectory("presets")
        #expect(try await finding().message.contains("has no presets"))
        #expect(try await finding().remedy?.contains("install them again") == true)
    }

    @Test(
        arguments: [
            (0o640, 1, 2, true), (0o640, 1, 3, false), (0o604, 1, 3, true), (0o604, 1, 2, false), (0o200, 7, 2, false),
            (0o400, 7, 3, true), (0o040_750, 1, 2, true), (0o040_740, 1, 2, false), (0o040_700, 7, 3, true),
        ] as [(UInt32, UInt32, UInt32, Bool)])
    func `who may read a preset is decided by its owner, its group and its mode`(
        mode: UInt32, owner: UInt32, group: UInt32, mayRead: Bool
    ) {
        var status = stat()
        (status.st_mode, status.st_uid, status.st_gid) = (mode, owner, group)
        #expect(Doctor.mayRead(status, Account(uid: 7, name: "reader", groups: [2])) == mayRead)
    }

    @Test func `warnings are no faults`() async throws {
        var patient = try Patient()
        let user = patient.surroundings.user
        patient.surroundings.unit = { Patient.unit(user: user, file: "disabled") }
        patient.surroundings.clock = { .notSynchronised }
        patient.surroundings.fileSystem = { _ in FileSystem(kind: .overlay, free: 500_000_000) }
        patient.surroundings.machineID = "/nonexistent"
        let report = await patient.examine()
        #expect(report.isHealthy)
        #expect(
            Set(report.findings.filter { $0.outcome == .warning }.map(\.check)) == [
                "service at boot", "clock", "machine id", "file system of the ledger", "disk of the ledger",
                "disk of the spool",
            ])
        #expect(report.findings.allSatisfy { $0.outcome == .ok || $0.remedy != nil })
    }

    @Test func `the type of a file system is that of its nearest mount`() {
        let table = """
            22 1 8:1 / / rw - ext4 /dev/sda1 rw
            23 22 0:40 / /var/lib rw - nfs4 server:/x rw
            24 22 0:41 / /srv/a\\040b rw - fuse.sshfs x rw
            """
        #expect(FileSystem.type(of: "/var/lib/campaignd", in: table) == "nfs4")
        #expect(FileSystem.type(of: "/var/library", in: table) == "ext4")
        #expect(FileSystem.type(of: "/srv/a b/c", in: table) == "fuse.sshfs")
        #expect(FileSystem.kind("nfs4") == .network("nfs4"))
        #expect(FileSystem.kind("fuse.sshfs") == .network("fuse.sshfs"))
        #expect(FileSystem.kind("tmpfs") == .memory)
        #expect(FileSystem.kind("xfs") == .local)
    }
}

/// A port of this machine at which nobody listens.
private enum FullPort {
    static func closed() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
                bind(descriptor, general, length) == 0 ? getsockname(descriptor, general, &length) : -1
            }
        }
        guard result == 0 else { throw TestSupportError("no port is free") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

import Daemon
import Foundation
import Glibc
@testable import Spool
import Systemd
import TestSupport
import Testing

@testable import Commands

/// An installation that is healthy until a test spoils it. Everything belongs to the user of the tests.
struct Patient {
    let fixture: ReadingFixture
    var surroundings: DoctorSurroundings
    let uid = geteuid()
    let gid = getegid()

    init(relayLines: [String] = []) throws {
        fixture = try ReadingFixture(relayLines: relayLines)
        let user = try SystemAccounts.account(of: geteuid()).name ?? "root"
        surroundings = DoctorSurroundings(now: ReadingFixture.now)
        surroundings.user = user
        surroundings.submitters = try #require(try SystemAccounts.name(ofGroup: getegid()))
        surroundings.admins = surroundings.submitters
        surroundings.administrator = geteuid()
        let unit = Patient.unit(user: user)
        surroundings.unit = { unit }
        surroundings.fileSystem = { _ in FileSystem(kind: .local, free: 5_000_000_000) }
        surroundings.clock = { .synchronised }
        surroundings.machineID = try fixture.directory.write(String(repeating: "a", count: 32) + "\n", to: "machine-id")
        surroundings.journalOldest = { 1 }
        for expected in SpoolExamination.layout(owner: uid, submitters: gid) {
            let path = try fixture.directory.makeDirectory("spool/\(expected.name)")
            chmod(path, expected.mode)
            guard let acl = expected.defaultACL else { continue }
            let words = acl.map { entry -> String in
                let rights =
                    (entry.rights & 4 != 0 ? "r" : "-") + (entry.rights & 2 != 0 ? "w" : "-")
                    + (entry.rights & 1 != 0 ? "x" : "-")
                let who =
                    switch entry.tag {
                    case .owner, .user: "user"
                    case .group, .namedGroup: "group"
                    case .mask: "mask"
                    case .others: "other"
                    }
                return "default:\(who):\(entry.id.map { "\($0)" } ?? ""):\(rights)"
            }
            let result = try runHere(["setfacl", "-m", words.joined(separator: ","), path])
            #expect(result.status == 0, "\(result.errorText)")
            chmod(path, expected.mode)
        }
        chmod(fixture.directory.path, 0o750)
    }

    static func unit(
        user: String, load: String = "loaded", active: String = "active", sub: String = "running",
        file: String = "enabled", result: String = "success", exitStatus: Int = 0
    ) -> ServiceUnit {
        ServiceUnit(
            load: load, active: active, sub: sub, file: file, result: result, exitStatus: exitStatus,
            mainPID: 0, statusText: "0 queued", user: user)
    }

    func examine() async -> DoctorReport {
        DoctorReport(
            findings: await Doctor(path: fixture.configurationPath, surroundings: surroundings).examine())
    }

    func faults() async -> [DoctorFinding] { await examine().findings.filter { $0.outcome == .fault } }
}

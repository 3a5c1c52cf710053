import Foundation
import Glibc
import TestSupport
import Testing

@testable import Spool

struct SpoolExaminationTests {
    private let owner: UInt32 = 4000
    private let submitters: UInt32 = 4001

    /// What systemd-tmpfiles is told, line by line.
    private func shipped() throws -> (lines: [[String]], spool: String) {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let text = try String(
            contentsOf: root.appendingPathComponent("systemd/tmpfiles.d/campaignd.conf"), encoding: .utf8)
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.split(separator: " ").map(String.init) }
        return (lines, try #require(lines.first?[1]))
    }

    private func user(_ name: String) throws -> UInt32? {
        switch name {
        case "root": return nil
        case "campaignd": return owner
        default: throw TestSupportError("the user \(name)")
        }
    }

    /// An ACL as setfacl(1) writes it.
    private func entries(_ acl: String) throws -> [DirectoryACL.Entry] {
        try acl.split(separator: ",").map { entry in
            let parts = entry.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            try #require(parts.count == 4 && parts[0] == "default", "\(entry)")
            let rights = try parts[3].reduce(UInt16(0)) { sum, letter in
                switch letter {
                case "r": sum | 4
                case "w": sum | 2
                case "x": sum | 1
                case "-": sum
                default: throw TestSupportError("the right \(letter)")
                }
            }
            return switch (parts[1], parts[2]) {
            case ("user", ""): .init(.owner, rights)
            case ("user", let name): .init(.user, rights, id: try user(name))
            case ("group", ""): .init(.group, rights)
            case ("group", "campaignd-submit"): .init(.namedGroup, rights, id: submitters)
            case ("mask", ""): .init(.mask, rights)
            case ("other", ""): .init(.others, rights)
            default: throw TestSupportError("the entry \(entry)")
            }
        }
    }

    @Test func `what is looked for is what systemd-tmpfiles makes, line by line`() throws {
        let (lines, spool) = try shipped()
        var expected: [SpoolExamination.Expectation] = []
        for line in lines {
            let name = String(line[1].dropFirst(spool.count).drop { $0 == "/" })
            if line[0] == "a" {
                let index = try #require(expected.firstIndex { $0.name == name }, "\(line)")
                expected[index].defaultACL = try entries(try #require(line.last))
                continue
            }
            try #require(line[0] == "d" && line.count == 6, "\(line)")
            try #require(line[1].hasPrefix(spool))
            expected.append(
                SpoolExamination.Expectation(
                    name: name, mode: try #require(UInt32(line[2], radix: 8)), owner: try user(line[3]),
                    group: line[4] == "campaignd-submit" ? submitters : nil))
        }
        func sorted(_ layout: [SpoolExamination.Expectation]) -> [SpoolExamination.Expectation] {
            layout.sorted { $0.name < $1.name }
        }
        #expect(sorted(SpoolExamination.layout(owner: owner, submitters: submitters)) == sorted(expected))
        #expect(expected.count == 11)
    }

    /// A spool as it should be, of the user of the tests.
    private func spool() throws -> (directory: TemporaryDirectory, examination: SpoolExamination) {
        let directory = try TemporaryDirectory()
        for expected in SpoolExamination.layout(owner: geteuid(), submitters: getegid()) {
            let path = try directory.makeDirectory("spool/\(expected.name)")
            #expect(chmod(path, expected.mode) == 0)
        }
        let examination = SpoolExamination(
            path: directory.path("spool"), owner: geteuid(), submitters: getegid(), administrator: geteuid())
        return (directory, examination)
    }

    private func problems(_ examination: SpoolExamination) -> [String: String] {
        let faults = examination.faults().filter { !$0.problem.contains("default ACL") }
        return Dictionary(uniqueKeysWithValues: faults.map { ($0.path, $0.problem) })
    }

    @Test(arguments: ["", "/work", "/rejected", "/inbound", "/inbound/tmp", "/inbound/new", "/inbound/cur", "/outbox"])
    func `a mode that others profit from is found, wherever it is`(name: String) throws {
        let (directory, examination) = try spool()
        #expect(problems(examination) == [:])
        let path = directory.path("spool\(name)")
        let usual = name.isEmpty ? "0755" : "0700"
        #expect(chmod(path, 0o777) == 0)
        #expect(problems(examination) == [path: "has mode 0777 and not \(usual)"])
    }

    @Test func `a directory that is missing is told once, without those that were in it`() throws {
        let (directory, examination) = try spool()
        for name in ["inbound", "outbox"] {
            try FileManager.default.removeItem(atPath: directory.path("spool/\(name)"))
        }
        let missing = "the directory is not there"
        #expect(
            problems(examination) == [
                directory.path("spool/inbound"): missing, directory.path("spool/outbox"): missing,
            ])
    }

    @Test func `a spool whose top is the daemon's or somebody else's is found`() throws {
        let (directory, _) = try spool()
        let examination = SpoolExamination(
            path: directory.path("spool"), owner: geteuid(), submitters: getegid(), administrator: geteuid() + 1)
        #expect(problems(examination)[directory.path("spool")]?.contains("could put something else") == true)
        let byHand = SpoolExamination(path: directory.path("spool"), owner: geteuid(), submitters: nil)
        #expect(byHand.faults() == [], "where it is run by hand, that is as it is")
    }
}

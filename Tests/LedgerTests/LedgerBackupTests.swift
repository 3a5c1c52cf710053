import Foundation
import GRDB
import Mailing
import TestSupport
import Testing

@testable import Ledger

@Suite struct LedgerBackupTests {
    private let fixture: LedgerFixture
    private let directory: TemporaryDirectory
    private var target: String { directory.path("copy.sqlite") }

    init() async throws {
        fixture = try LedgerFixture()
        directory = try TemporaryDirectory()
        try await fixture.register(["a@example.org", "b@example.org"])
        try await fixture.campaign(to: ["a@example.org", "b@example.org"])
        let delivery = try fixture.delivery("a@example.org")
        #expect(try await fixture.intend(delivery) == .handOver)
        try await fixture.conclude(delivery, .sent)
    }

    private func backUp(withKey: Bool = false) throws(LedgerError) -> LedgerBackup {
        try LedgerReader(path: fixture.path).backUp(to: target, withKey: withKey)
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    private var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() }
    }

    @Test func `the copy holds what the ledger in use holds, in one file for its owner alone`() throws {
        let backup = try backUp()
        #expect(backup.intents == 1)
        #expect(backup.keyPath == nil)
        #expect(try names == ["copy.sqlite"])
        #expect(mode(target) == 0o600)
        let copy = try LedgerReader(path: target)
        #expect(try copy.campaigns() == LedgerReader(path: fixture.path).campaigns())
        #expect(try copy.facts().version == LedgerSchema.migrations.count)
    }

    @Test func `the copy with its key is a ledger that goes on`() async throws {
        let backup = try backUp(withKey: true)
        #expect(backup.keyPath == target + ".key")
        #expect(mode(target + ".key") == 0o600)
        let restored = try DeliveryLedger(path: target)
        #expect(try await restored.summary(campaign: 1)?.counts.queued == 1)
        #expect(try await restored.firstBrokenConsentEvent() == nil)
        try await restored.close()
    }

    @Test func `put back beside the counter it is told from the newest ledger`() async throws {
        _ = try backUp()
        let second = try fixture.delivery("b@example.org")
        #expect(try await fixture.intend(second) == .handOver)
        try await fixture.conclude(second, .sent)
        try directory.write(try fixture.directory.read("ledger.sqlite.key"), to: "copy.sqlite.key")
        try directory.write(try fixture.directory.read("ledger.sqlite.intents"), to: "copy.sqlite.intents")
        let restored = try DeliveryLedger(path: target)
        let recovery = try await restored.recover(StartingPoint(now: LedgerFixture.now))
        #expect(recovery.hold == .restored)
        try await restored.close()
    }

    @Test(arguments: ["copy.sqlite", "copy.sqlite.key", "copy.sqlite.part"])
    func `nothing that is there is overwritten`(name: String) throws {
        try directory.write("mine", to: name)
        #expect(throws: LedgerError.self) { try backUp(withKey: true) }
        #expect(try names == [name])
        #expect(try directory.read(name) == Array("mine".utf8))
    }

    @Test func `a link that waits in the place of the copy is not followed`() throws {
        symlink(directory.path("elsewhere"), target)
        #expect(throws: LedgerError.self) { try backUp() }
        #expect(try names == ["copy.sqlite"])
    }

    @Test func `without a key that can be read nothing is left behind`() throws {
        try FileManager.default.removeItem(atPath: fixture.path + ".key")
        #expect(throws: LedgerError.wrongKey(path: fixture.path + ".key")) { try backUp(withKey: true) }
        #expect(try names.isEmpty)
    }

    @Test func `where there is no directory it says so`() throws {
        let path = directory.path("none/copy.sqlite")
        let error = #expect(throws: LedgerError.self) {
            try LedgerReader(path: fixture.path).backUp(to: path, withKey: false)
        }
        #expect(error?.description.contains("No such file") == true)
    }
}

import TestSupport
import Testing

@testable import Daemon

struct SystemAccountsTests {
    @Test func `users and groups are found by name, and unknown ones are none`() throws {
        #expect(try SystemAccounts.user(named: "root") == 0)
        #expect(try SystemAccounts.group(named: "root") == 0)
        #expect(try SystemAccounts.user(named: "no-such-user") == nil)
        #expect(try SystemAccounts.group(named: "no-such-group") == nil)
        #expect(try SystemAccounts.name(ofGroup: 0) == "root")
        #expect(try SystemAccounts.name(ofGroup: 3_999_999_999) == nil)
    }

    @Test func `a number that the system does not know has neither name nor groups`() throws {
        #expect(try SystemAccounts.account(of: 3_999_999_999) == Account(uid: 3_999_999_999))
    }

    @Test(arguments: ["root", "daemon", "nobody", "www-data"])
    func `a user's groups are those that id tells`(name: String) async throws {
        guard let uid = try SystemAccounts.user(named: name) else { return }
        let id = try await runProcess(["/usr/bin/id", "-G", name], timeout: .seconds(20))
        let told = Set(id.outputText.split(whereSeparator: \.isWhitespace).compactMap { UInt32($0) })
        try #require(!told.isEmpty)
        #expect(try SystemAccounts.account(of: uid) == Account(uid: uid, name: name, groups: told))
    }
}

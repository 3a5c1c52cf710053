import Glibc
import Mailing
import Testing

@testable import Daemon

/// The keys that decide who may drop what.
struct ConfigurationCheckerSubmittersTests {
    private func text(_ lines: String..., table: String = "[submitters.library]") -> String {
        """
        [spool]
        directory = "spool"
        [ledger]
        path = "ledger.sqlite"
        [relays.default]
        messages_per_hour = 3000
        url = "smtp://mail.example"
        \(table)
        \(lines.joined(separator: "\n"))
        """
    }

    private func read(_ text: String) throws -> [Submitters] {
        try ConfigurationFile.read(text, path: "/etc/campaignd.toml").submitters
    }

    private func mistakes(_ text: String) -> [String] {
        do throws(ConfigurationFile.Invalid) {
            _ = try ConfigurationFile.read(text, path: "/etc/campaignd.toml")
            return []
        } catch {
            return error.mistakes.map { String($0.dropFirst("/etc/campaignd.toml:".count)) }
        }
    }

    @Test func `without a table everybody may drop contacts and campaigns on a consent basis`() throws {
        let standard = try read(text(table: ""))
        let everybody = try #require(standard.last)
        #expect(everybody == Submitters(name: "everybody", isEverybody: true))
        #expect(everybody.kinds == [.contacts, .campaign])
        #expect(everybody.bases == [.consent])
        #expect(everybody.controls == .none)
        #expect(standard == Submitters.standard(adminGroup: try SystemAccounts.group(named: "campaignd-admin")))
    }

    @Test func `without a table the admin group may control campaigns, if there is such a group`() {
        #expect(Submitters.standard(adminGroup: nil).map(\.name) == ["everybody"])
        let admins = Submitters.standard(adminGroup: 77).first
        #expect(admins == Submitters(name: "admins", groups: [77], kinds: [], controls: .all))
    }

    @Test func `what a table does not say has its default`() throws {
        #expect(
            try read(text("users = [\"998\"]")) == [
                Submitters(
                    name: "library", users: [998], kinds: [.contacts, .campaign], bases: [.consent], senders: [],
                    purposes: [], relays: [], controls: .none)
            ])
        let quota = try #require(try read(text("users = [\"998\"]")).first).quota
        #expect(quota.pendingJobs == 10_000)
        #expect(quota.pendingBytes == 1_073_741_824)
        #expect(quota.recipients == 2_000_000)
    }

    @Test(arguments: [(1, 1, 1), (1_000_000, 1_125_899_906_842_624, 2_000_000)])
    func `both ends of a quota are permitted`(jobs: Int, bytes: Int, recipients: Int) throws {
        let found = try read(
            text(
                "users = [\"998\"]", "pending_jobs = \(jobs)", "pending_bytes = \(bytes)", "recipients = \(recipients)")
        )
        let quota = Submitters.Quota(pendingJobs: jobs, pendingBytes: Int64(bytes), recipients: recipients)
        #expect(found.first?.quota == quota)
    }

    @Test func `every key of a table is read, and names become numbers`() throws {
        let found = try read(
            text(
                "users = [\"root\", \"998\"]", "groups = [\"root\", \"2001\"]",
                "kinds = [\"contacts\", \"campaign\", \"consent\"]",
                "bases = [\"consent\", \"service\", \"consentRequest\"]",
                "senders = [\"*@library.example\"]", "reports_to = [\"chief@library.example\"]",
                "purposes = [\"newsletter\", \"events\"]",
                "relays = [\"default\"]", "controls = \"own\""))
        #expect(
            found == [
                Submitters(
                    name: "library", users: [0, 998], groups: [0, 2001], kinds: [.contacts, .campaign, .consent],
                    bases: [.consent, .service, .consentRequest],
                    senders: [try #require(AddressPattern("*@library.example"))],
                    reportsTo: [try #require(AddressPattern("chief@library.example"))],
                    purposes: ["newsletter", "events"], relays: ["default"], controls: .own)
            ])
    }

    @Test func `with a table of one's own the standard ones are gone`() throws {
        let found = try read(text("users = [\"998\"]") + "\n[submitters.desk]\ngroups = [\"5\"]\n")
        #expect(found.map(\.name) == ["desk", "library"])
    }

    /// As while a directory service is down: only root is known, by a local file.
    private static let down: AccountNames.Look = { name throws(SystemAccounts.Unanswered) in
        if name == "root" { return 0 }
        throw SystemAccounts.Unanswered(description: "no word of \(name)")
    }

    private func refusal(_ text: String) -> ConfigurationFile.Invalid? {
        do throws(ConfigurationFile.Invalid) {
            _ = try ConfigurationFile.read(
                text, path: "/etc/campaignd.toml", names: AccountNames(user: Self.down, group: Self.down))
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("users = [\"root\", \"desk\"]", "[submitters.library]", "9: submitters.library.users: no word of desk"),
        ("groups = [\"staff\"]", "[submitters.library]", "9: submitters.library.groups: no word of staff"),
        (
            "recipient_channels = [\"web\"]\n[submitters.x]\nusers = [\"root\"]", "[consent]",
            "9: consent.recipient_channels: no word of web"
        ),
        ("", "", "1: submitters: no word of campaignd-admin"),
    ])
    func `a name that cannot be looked up now may be known later, so the daemon is started again`(
        line: String, table: String, mistake: String
    ) throws {
        let error = try #require(refusal(text(line, table: table)))
        #expect(error.mistakes == ["/etc/campaignd.toml:" + mistake])
        #expect(error.mayPass)
        #expect(Launch.status(of: error) == 75)
    }

    @Test func `a mistake beside a name that cannot be looked up now has to be mended first`() throws {
        let error = try #require(refusal(text("users = [\"desk\"]", "controls = \"some\"")))
        #expect(error.mistakes.count == 2)
        #expect(!error.mayPass)
        #expect(Launch.status(of: error) == 78)
    }

    @Test func `what needs no look-up does not fail for it`() {
        #expect(refusal(text("users = [\"root\", \"998\"]")) == nil)
    }

    @Test func `a star among the users means everybody`() throws {
        let found = try #require(try read(text("users = [\"*\", \"998\"]")).first)
        #expect(found.isEverybody)
        #expect(found.users == [998])
        #expect(found.means(Account(uid: 5)))
    }

    @Test(arguments: [
        ("users = [\"root\", \"no-such-user\"]", "users", "there is no user “no-such-user”"),
        ("groups = [\"no-such-group\"]", "groups", "there is no group “no-such-group”"),
        ("groups = [\"*\"]", "groups", "there is no group “*”"),
        ("kinds = [\"campaign\", \"mail\"]", "kinds", "“mail” is not one of campaign, contacts, consent"),
        ("kinds = [\"control\"]", "kinds", "“control” is permitted by controls = \"own\" or \"all\""),
        ("bases = [\"contract\"]", "bases", "“contract” is not one of consent, service, consentRequest"),
        ("senders = [\"library\"]", "senders", "“library” is neither an address nor *@domain"),
        ("reports_to = [\"chief\"]", "reports_to", "“chief” is neither an address nor *@domain"),
        ("purposes = [\"\"]", "purposes", "a purpose has at least one character"),
        ("relays = [\"default\", \"second\"]", "relays", "there is no relay “second”; there is default"),
        ("controls = \"some\"", "controls", "“some” is not one of none, own, all"),
        ("pending_jobs = 0", "pending_jobs", "must be 1 ... 1000000"),
        ("pending_jobs = 1000001", "pending_jobs", "must be 1 ... 1000000"),
        ("pending_bytes = 0", "pending_bytes", "must be 1 ... 1125899906842624"),
        ("pending_bytes = 1125899906842625", "pending_bytes", "must be 1 ... 1125899906842624"),
        ("recipients = 0", "recipients", "must be 1 ... 2000000"),
        ("recipients = 2000001", "recipients", "must be 1 ... 2000000"),
    ])
    func `a bad value is a mistake with its line`(written: String, key: String, sentence: String) {
        let users = key == "users" ? "" : "users = [\"998\"]"
        #expect(mistakes(text(users, written)) == ["10: submitters.library.\(key): \(sentence)"])
    }

    @Test(arguments: ["", "users = []", "groups = []", "users = []\ngroups = []"])
    func `a table that means nobody is a mistake`(written: String) {
        #expect(mistakes(text(written)) == ["8: submitters.library: means nobody: give users or groups"])
    }

    @Test(arguments: ["with space", "a.b", "ü"])
    func `the name of a table is plain`(name: String) {
        let found = mistakes(text("users = [\"998\"]", table: "[submitters.\"\(name)\"]"))
        #expect(found.count == 1)
        #expect(
            found.first?.hasSuffix("the name of submitters consists of letters, digits, - and _") == true, "\(found)")
    }

    @Test(arguments: [
        "users = \"root\"", "groups = [5]", "kinds = \"campaign\"", "bases = 1", "senders = true",
        "purposes = \"newsletter\"", "relays = \"default\"", "controls = [\"all\"]",
        "pending_jobs = \"5\"", "pending_bytes = 1.5", "recipients = true",
    ])
    func `a value of the wrong type is a mistake with its line`(written: String) {
        let key = written.split(separator: " ")[0]
        let users = key == "users" ? "" : "users = [\"998\"]"
        let found = mistakes(text(users, written))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("10: submitters.library.\(key)") == true, "\(found)")
        #expect(found.first?.hasSuffix(": the value has the wrong type") == true, "\(found)")
    }

    @Test func `an unknown key is a mistake with its line`() {
        #expect(
            mistakes(text("users = [\"998\"]", "kind = \"campaign\""))
                == ["10: submitters.library.kind: there is no such key"])
    }
}

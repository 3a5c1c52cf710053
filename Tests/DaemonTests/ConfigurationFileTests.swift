import Foundation
import Mailing
import TestSupport
import Testing

@testable import Daemon

struct ConfigurationFileTests {
    private static let path = "/etc/campaignd/campaignd.toml"

    /// Enough to run, with room for one more line in `[relays.default]` and for more below.
    private static func text(rate: String = "3000", relay: String = "", more: String = "") -> String {
        """
        [spool]
        directory = "/var/spool/campaignd"
        [ledger]
        path = "/var/lib/campaignd/ledger.sqlite"
        [relays.default]
        url = "smtp://mail.example:25"
        messages_per_hour = \(rate)
        \(relay)
        \(more)
        """
    }

    private func read(_ text: String) throws -> Configuration {
        try ConfigurationFile.read(text, path: ConfigurationFileTests.path)
    }

    /// The mistakes found in a text, without the path that each of them begins with.
    private func mistakes(_ text: String) -> [String] {
        do throws(ConfigurationFile.Invalid) {
            _ = try ConfigurationFile.read(text, path: ConfigurationFileTests.path)
            return []
        } catch {
            let lines = error.mistakes.flatMap { $0.split(separator: "\n").map(String.init) }
            for line in lines { #expect(line.hasPrefix(ConfigurationFileTests.path + ":"), "\(line)") }
            return lines.map { String($0.dropFirst(ConfigurationFileTests.path.count + 1)) }
        }
    }

    @Test func `what the design shows is enough to run`() throws {
        let configuration = try read(
            """
            [spool]
            directory = "/var/spool/campaignd"
            [ledger]
            path = "/var/lib/campaignd/ledger.sqlite"
            [relays.default]
            url = "maildir:/var/spool/campaignd/outbox"   # smtp://host:port (STARTTLS required), maildir:DIR
            messages_per_hour = 3000             # 100 ... 3000
            username = "campaigns"
            password_credential = "smtp-password"   # a systemd credential's name
            senders = ["*@bibliotheek.example"]  # From addresses that this relay may carry
            """)
        let relay = try #require(configuration.relays["default"])
        #expect(configuration.spoolDirectory == "/var/spool/campaignd")
        #expect(configuration.ledgerPath == "/var/lib/campaignd/ledger.sqlite")
        #expect(relay.url == "maildir:/var/spool/campaignd/outbox")
        #expect(relay.messagesPerHour == 3000)
        #expect(relay.username == "campaigns")
        #expect(relay.passwordCredential == "smtp-password")
        #expect(relay.senders == [try #require(AddressPattern("*@bibliotheek.example"))])
    }

    @Test func `what is not written has its default`() throws {
        let configuration = try read(ConfigurationFileTests.text())
        let relay = try #require(configuration.relays["default"])
        #expect(configuration.messagesPerHour == nil)
        #expect(configuration.testRecipients.isEmpty)
        #expect(configuration.pauseAfterUncertain == 20)
        #expect(configuration.retries == .standard)
        #expect(configuration.holdAfterDowntime == 86_400)
        #expect(configuration.postfixUser == "postfix")
        #expect(configuration.settlingRelays.isEmpty)
        #expect(configuration.bounceAddress == nil)
        #expect(configuration.unsubscribeURL == nil)
        #expect(configuration.language == "en")
        #expect(configuration.renewalDays == 365)
        #expect(configuration.recipientChannels.isEmpty)
        #expect(!configuration.showsAddresses)
        #expect(
            configuration.presetsDirectory == PresetsDirectory.standard(beside: "/etc/campaignd/presets"),
            "the presets that came with the program")
        #expect(relay.senders.isEmpty)
        #expect(relay.requiresTLS == nil)
        #expect(relay.connectSeconds == 60)
        #expect(relay.finalReplySeconds == 600)
        #expect(relay.idleSeconds == 15)
        #expect(relay.idempotencyHeader == nil)
        #expect(!relay.settlesByJournal)
        #expect(relay.username == nil)
        #expect(relay.passwordCredential == nil)
        #expect(relay.passwordFile == nil)
        #expect(relay.helloName == nil)
        #expect(relay.certificateAuthorityFile == nil)
    }

    @Test func `every other key is read`() throws {
        let configuration = try read(
            ConfigurationFileTests.text(
                rate: "100",
                relay: """
                    ca_file = "ca.pem"
                    tls = "required"
                    hello_name = "mail.library.example"
                    connect_timeout = 5
                    final_reply_timeout = 300
                    idle_timeout = 30
                    username = "u"
                    password_file = "secret"
                    """,
                more: """
                    [sending]
                    messages_per_hour = 200
                    test_recipients = ["editor@library.example"]
                    pause_after_uncertain = 0
                    retry_after = [60, 120]
                    greylisting_retry_after = 30
                    hold_after_downtime = 3600
                    bounce_address = "Bounces@Library.example"
                    unsubscribe_url = "https://library.example/stop/{token}"
                    language = "nl"
                    [consent]
                    recipient_channels = ["root", "4711"]
                    renewal_days = 30
                    [presets]
                    directory = "own"
                    [journal]
                    addresses = "clear"
                    postfix_user = "mailer"
                    """))
        let relay = try #require(configuration.relays["default"])
        #expect(relay.certificateAuthorityFile == "/etc/campaignd/ca.pem")
        #expect(relay.passwordFile == "/etc/campaignd/secret")
        #expect(relay.requiresTLS == true)
        #expect(relay.helloName == "mail.library.example")
        #expect(relay.connectSeconds == 5)
        #expect(relay.finalReplySeconds == 300)
        #expect(relay.idleSeconds == 30)
        #expect(configuration.messagesPerHour == 200)
        #expect(configuration.testRecipients == [try #require(AddressPattern("editor@library.example"))])
        #expect(configuration.pauseAfterUncertain == 0)
        #expect(configuration.retries == RetrySchedule(delays: [60, 120], greylistingDelay: 30))
        #expect(configuration.holdAfterDowntime == 3600)
        #expect(configuration.postfixUser == "mailer")
        #expect(configuration.bounceAddress?.text == "Bounces@library.example")
        #expect(configuration.unsubscribeURL == "https://library.example/stop/{token}")
        #expect(configuration.language == "nl")
        #expect(configuration.recipientChannels == [0, 4711])
        #expect(configuration.renewalDays == 30)
        #expect(configuration.presetsDirectory == "/etc/campaignd/own")
        #expect(configuration.showsAddresses)
    }

    @Test func `relative paths count from the file`() throws {
        let text = ConfigurationFileTests.text()
            .replacing("/var/spool/campaignd", with: "spool").replacing("/var/lib/campaignd/", with: "../lib/")
            .replacing("smtp://mail.example:25", with: "maildir:spool/outbox")
        let configuration = try read(text)
        #expect(configuration.spoolDirectory == "/etc/campaignd/spool")
        #expect(configuration.ledgerPath == "/etc/lib/ledger.sqlite")
        #expect(configuration.relays["default"]?.url == "maildir:/etc/campaignd/spool/outbox")
    }

    @Test(arguments: [100, 3000])
    func `both ends of the permitted rates are permitted`(rate: Int) throws {
        #expect(try read(ConfigurationFileTests.text(rate: "\(rate)")).relays["default"]?.messagesPerHour == rate)
    }

    @Test(arguments: [99, 3001, 0, -3000])
    func `a rate outside of 100 to 3000 is a mistake with its line`(rate: Int) {
        let found = mistakes(
            ConfigurationFileTests.text(rate: "\(rate)", more: "[sending]\nmessages_per_hour = \(rate)"))
        let sentence = "\(rate) is not possible: messages_per_hour must be 100 ... 3000"
        #expect(
            Set(found) == [
                "7: relays.default.messages_per_hour: \(sentence)", "10: sending.messages_per_hour: \(sentence)",
            ])
    }

    @Test(arguments: [
        ("[spool]\ndirectory = \"a\"\ndirectry = \"b\"\n", 3, "spool.directry"),
        ("[spool]\ndirectory = \"a\"\n[spoool]\nx = 1\n", 3, "spoool"),
    ])
    func `an unknown key is a mistake with its line`(beginning: String, line: Int, key: String) {
        let rest = """
            [ledger]
            path = "b"
            [relays.default]
            url = "smtp://mail.example"
            messages_per_hour = 100
            """
        #expect(mistakes(beginning + rest) == ["\(line): \(key): there is no such key"])
    }

    @Test func `all unknown keys are named at once`() {
        let found = mistakes(ConfigurationFileTests.text(relay: "rate = 3", more: "[sending]\nlimit = 7"))
        #expect(
            Set(found) == [
                "8: relays.default.rate: there is no such key", "10: sending.limit: there is no such key",
            ])
    }

    @Test(arguments: [
        ("directory = \"/var/spool/campaignd\"", 1, "spool.directory"),
        ("url = \"smtp://mail.example:25\"", 5, "relays.default.url"),
        ("messages_per_hour = 3000", 5, "relays.default.messages_per_hour"),
    ])
    func `a missing key is a mistake at its table`(removed: String, line: Int, key: String) {
        let text = ConfigurationFileTests.text().replacing(removed, with: "")
        #expect(mistakes(text) == ["\(line): \(key): this key is missing"])
    }

    @Test func `a missing table is a mistake`() {
        let text = ConfigurationFileTests.text()
            .replacing("[ledger]\npath = \"/var/lib/campaignd/ledger.sqlite\"\n", with: "")
        #expect(mistakes(text) == ["1: ledger: this key is missing"])
    }

    @Test(arguments: ["\"fast\"", "3000.5", "[3000]"])
    func `a value of the wrong type is a mistake with its line`(value: String) {
        #expect(
            mistakes(ConfigurationFileTests.text(rate: value))
                == ["7: relays.default.messages_per_hour: the value has the wrong type"])
    }

    @Test func `a number where a list of texts belongs is a mistake with its line`() {
        let found = mistakes(ConfigurationFileTests.text(relay: "senders = 5"))
        #expect(found == ["8: relays.default.senders: the value has the wrong type"])
    }

    @Test func `a file without a relay is a mistake`() {
        let text = ConfigurationFileTests.text().components(separatedBy: "[relays.default]")[0]
        #expect(mistakes(text + "[relays]\n") == ["5: relays: at least one relay is needed, e.g. [relays.default]"])
        #expect(mistakes(text) == ["1: relays: this key is missing"])
    }

    @Test(arguments: [
        "ftp://mail.example", "mail.example", "smtp:mail.example", "smtp://user:secret@mail.example",
        "smtp://mail.example:0", "smtp://", "maildir:",
    ])
    func `a url that is no relay is a mistake with its line`(url: String) throws {
        let found = mistakes(ConfigurationFileTests.text().replacing("smtp://mail.example:25", with: url))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("6: relays.default.url: ") == true)
        #expect(found.allSatisfy { !$0.contains("secret") }, "a password is not shown")
    }

    @Test(arguments: [
        ("password_credential = \"p\"", 5), ("username = \"u\"", 8),
    ])
    func `a password and a user name go together`(line: String, place: Int) {
        #expect(
            mistakes(ConfigurationFileTests.text(relay: line))
                == ["\(place): relays.default.username: username and a password (password_credential) go together"])
    }

    @Test func `one password is enough`() {
        let relay = "username = \"u\"\npassword_credential = \"p\"\npassword_file = \"f\""
        #expect(
            mistakes(ConfigurationFileTests.text(relay: relay))
                == ["10: relays.default.password_file: give either password_credential or password_file"])
    }

    @Test(arguments: [
        ("connect_timeout = 0", "connect_timeout", "must be 1 ... 3600 seconds"),
        ("final_reply_timeout = 3601", "final_reply_timeout", "must be 1 ... 3600 seconds"),
        ("idle_timeout = -1", "idle_timeout", "must be 1 ... 3600 seconds"),
        ("tls = \"never\"", "tls", "the only value is \"required\""),
        ("senders = [\"library.example\"]", "senders", "“library.example” is neither an address nor *@domain"),
        ("senders = [\"*@\"]", "senders", "“*@” is neither an address nor *@domain"),
    ])
    func `a bad value of a relay is a mistake with its line`(written: String, key: String, sentence: String) {
        #expect(mistakes(ConfigurationFileTests.text(relay: written)) == ["8: relays.default.\(key): \(sentence)"])
    }

    @Test(arguments: [
        ("[sending]\npause_after_uncertain = -1", "sending.pause_after_uncertain", "must be 0 (never) or more"),
        (
            "[sending]\nretry_after = []", "sending.retry_after",
            "must be a list of 1 ... 50 times in seconds, each 1 ... 604800"
        ),
        (
            "[sending]\nretry_after = [60, 0]", "sending.retry_after",
            "must be a list of 1 ... 50 times in seconds, each 1 ... 604800"
        ),
        (
            "[sending]\ngreylisting_retry_after = 604801", "sending.greylisting_retry_after",
            "must be 1 ... 604800 seconds"
        ),
        ("[sending]\nbounce_address = \"bounces\"", "sending.bounce_address", "“bounces” is no address"),
        (
            "[sending]\nunsubscribe_url = \"http://library.example/{token}\"", "sending.unsubscribe_url",
            "must be an https:// address"
        ),
        (
            "[sending]\nunsubscribe_url = \"https://library.example/\"", "sending.unsubscribe_url",
            "must be an https:// address"
        ),
        ("[sending]\nlanguage = \"tlh\"", "sending.language", "“tlh” is not one of de, en, fr, nl, sk"),
        (
            "[sending]\ntest_recipients = [\"me\"]", "sending.test_recipients",
            "“me” is neither an address nor *@domain"
        ),
        ("[consent]\nrenewal_days = 0", "consent.renewal_days", "must be at least 1"),
        (
            "[consent]\nrecipient_channels = [\"no-such-user\"]", "consent.recipient_channels",
            "there is no user “no-such-user”"
        ),
        ("[journal]\naddresses = \"hidden\"", "journal.addresses", "must be \"pseudonyms\" or \"clear\""),
    ])
    func `a bad value anywhere else is a mistake with its line`(more: String, key: String, sentence: String) {
        let found = mistakes(ConfigurationFileTests.text(more: more))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("10: \(key): \(sentence)") == true, "\(found)")
    }

    @Test(arguments: ["with space", "a.b", "ü"])
    func `the name of a relay is plain`(name: String) {
        let text = ConfigurationFileTests.text().replacing("[relays.default]", with: "[relays.\"\(name)\"]")
        let found = mistakes(text)
        #expect(found.contains { $0.hasSuffix("the name of a relay consists of letters, digits, - and _") })
    }

    @Test func `all mistakes are named at once`() {
        let text = ConfigurationFileTests.text(rate: "99", relay: "tls = \"no\"", more: "[sending]\nlanguage = \"x\"")
        #expect(mistakes(text).count == 3)
    }

    @Test func `what is not TOML is a mistake with its line`() {
        #expect(mistakes("[spool]\ndirectory = \n").first?.hasPrefix("2: this is not TOML: ") == true)
        #expect(mistakes("[spool]\ndirectory = \"a\"\ndirectory = \"b\"\n").count == 1, "a key is written once")
    }

    @Test func `a file that cannot be read is named`() throws {
        let directory = try TemporaryDirectory()
        let missing = directory.path("missing.toml")
        do throws(ConfigurationFile.Invalid) {
            _ = try ConfigurationFile.load(missing)
            Issue.record("a missing file was read")
        } catch {
            #expect(error.mistakes.count == 1)
            #expect(error.description.hasPrefix("\(missing): the configuration cannot be read: "))
        }
    }

    @Test func `a file is read from its place`() throws {
        let directory = try TemporaryDirectory()
        let text = ConfigurationFileTests.text().replacing("/var/spool/campaignd", with: "spool")
        let path = try directory.write(text, to: "campaignd.toml")
        #expect(try ConfigurationFile.load(path).spoolDirectory == directory.path("spool"))
    }
}

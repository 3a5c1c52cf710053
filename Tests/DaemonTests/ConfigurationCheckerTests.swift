import Mailing
import Testing

@testable import Daemon

/// The keys that decide what becomes of doubt.
struct ConfigurationCheckerTests {
    private static let path = "/etc/campaignd/campaignd.toml"

    private func text(url: String = "smtp://mail.example", relay: String = "", more: String = "") -> String {
        """
        [spool]
        directory = "spool"
        [ledger]
        path = "ledger.sqlite"
        [relays.default]
        messages_per_hour = 3000
        url = "\(url)"
        \(relay)
        \(more)
        """
    }

    private func read(_ text: String) throws -> Configuration {
        try ConfigurationFile.read(text, path: ConfigurationCheckerTests.path)
    }

    private func mistakes(_ text: String) -> [String] {
        do throws(ConfigurationFile.Invalid) {
            _ = try ConfigurationFile.read(text, path: ConfigurationCheckerTests.path)
            return []
        } catch {
            return error.mistakes
        }
    }

    @Test func `a key is valid for a day unless the file says otherwise`() throws {
        let configuration = try read(text(relay: "idempotency_header = \"Idempotency-Key\""))
        let relay = try #require(configuration.relays["default"])
        #expect(relay.idempotencyHeader == "Idempotency-Key")
        #expect(relay.idempotencySeconds == 86_400)
        #expect(configuration.settlingRelays == ["default"])
    }

    @Test(arguments: [1, 720])
    func `both ends of the permitted hours are permitted`(hours: Int) throws {
        let lines = "idempotency_header = \"X-Key\"\nidempotency_hours = \(hours)"
        #expect(try read(text(relay: lines)).relays["default"]?.idempotencySeconds == Int64(hours) * 3600)
    }

    @Test func `the metrics go where the file says, or nowhere, or where the service has its directory`() throws {
        #expect(try read(text()).metricsFile == nil)
        #expect(try read(text(more: "[metrics]")).metricsFile == nil)
        #expect(try read(text(more: "[metrics]\nfile = \"\"")).metricsFile == "")
        #expect(try read(text(more: "[metrics]\nfile = \"a.prom\"")).metricsFile == "/etc/campaignd/a.prom")
        let found = mistakes(text(more: "[metrics]\nfile = \"metrics.txt\""))
        #expect(
            found == [
                "/etc/campaignd/campaignd.toml:10: metrics.file: must end in a name such as campaignd.prom: "
                    + "node_exporter reads no others"
            ])
    }

    @Test(arguments: [0, 721, -1])
    func `hours out of bounds are a mistake with its line`(hours: Int) {
        let lines = "idempotency_header = \"X-Key\"\nidempotency_hours = \(hours)"
        #expect(
            mistakes(text(relay: lines)) == [
                "/etc/campaignd/campaignd.toml:9: relays.default.idempotency_hours: must be 1 ... 720"
            ])
    }

    @Test func `hours without a header are a mistake with its line`() {
        #expect(
            mistakes(text(relay: "idempotency_hours = 24")) == [
                "/etc/campaignd/campaignd.toml:8: relays.default.idempotency_hours: is of use only together with "
                    + "idempotency_header"
            ])
    }

    @Test(arguments: [
        "", "X Key", "X-Key:", "Schl\u{FC}ssel", "X_Key", "Message-ID", "subject", "TO",
        String(repeating: "x", count: 65),
    ])
    func `what cannot be a header of its own is a mistake with its line`(header: String) {
        #expect(
            mistakes(text(relay: "idempotency_header = \"\(header)\"")) == [
                "/etc/campaignd/campaignd.toml:8: relays.default.idempotency_header: must be the name of a header of "
                    + "letters, digits and -, and none that every message has"
            ])
    }

    @Test func `a Maildir knows no keys`() {
        #expect(
            mistakes(text(url: "maildir:outbox", relay: "idempotency_header = \"X-Key\"")) == [
                "/etc/campaignd/campaignd.toml:8: relays.default.idempotency_header: a Maildir knows no idempotency "
                    + "keys"
            ])
    }

    @Test(arguments: ["smtp://127.0.0.1", "smtp://127.0.0.1:2525", "smtp://localhost:25", "smtp://[::1]:25"])
    func `doubt is settled by the journal of a Postfix on this machine`(url: String) throws {
        let configuration = try read(text(url: url, relay: "settle_by_journal = true"))
        #expect(configuration.relays["default"]?.settlesByJournal == true)
        #expect(configuration.settlingRelays == ["default"])
        #expect(try read(text(url: url, relay: "settle_by_journal = false")).settlingRelays.isEmpty)
    }

    @Test(arguments: ["smtp://mail.example", "smtps://192.0.2.1", "maildir:outbox", "smtp://127.0.0.1.example"])
    func `the journal of another machine settles nothing`(url: String) throws {
        #expect(
            mistakes(text(url: url, relay: "settle_by_journal = true")) == [
                "/etc/campaignd/campaignd.toml:8: relays.default.settle_by_journal: only a Postfix on this machine "
                    + "writes into its journal: smtp://127.0.0.1"
            ])
        #expect(try read(text(url: url, relay: "settle_by_journal = false")).settlingRelays.isEmpty)
    }

    @Test(arguments: [(0, nil), (1, 1), (31_536_000, 31_536_000)] as [(Int, Int64?)])
    func `after how long a downtime campaigns pause is said in seconds, and 0 is never`(
        written: Int, seconds: Int64?
    ) throws {
        let configuration = try read(text(more: "[sending]\nhold_after_downtime = \(written)"))
        #expect(configuration.holdAfterDowntime == seconds)
    }

    @Test(arguments: [-1, 31_536_001])
    func `a downtime out of bounds is a mistake with its line`(written: Int) {
        #expect(
            mistakes(text(more: "[sending]\nhold_after_downtime = \(written)")) == [
                "/etc/campaignd/campaignd.toml:10: sending.hold_after_downtime: must be 0 (never) ... 31536000 seconds"
            ])
    }

    @Test(arguments: [
        ("idempotency_header = 5", "", 8, "relays.default.idempotency_header"),
        ("idempotency_hours = \"24\"", "", 8, "relays.default.idempotency_hours"),
        ("settle_by_journal = \"yes\"", "", 8, "relays.default.settle_by_journal"),
        ("", "[sending]\nhold_after_downtime = \"1 d\"", 10, "sending.hold_after_downtime"),
        ("", "[journal]\npostfix_user = 104", 10, "journal.postfix_user"),
    ])
    func `a value of the wrong type is a mistake with its line`(relay: String, more: String, line: Int, key: String) {
        #expect(
            mistakes(text(relay: relay, more: more)) == [
                "/etc/campaignd/campaignd.toml:\(line): \(key): the value has the wrong type"
            ])
    }
}

import ArgumentParser
import Daemon
import Foundation
@testable import Ledger
import Mailing
import TestSupport
import Testing

@testable import Commands

@Suite struct ReportsTests {
    private let fixture: ReadingFixture

    init() async throws {
        fixture = try ReadingFixture()
        try await fixture.register(["a@example.org", "b@example.org", "c@example.org"])
        try await fixture.register(["d@example.org"], answer: .refused)
    }

    private func twoCampaigns() async throws {
        try await fixture.campaign("first", to: ["a@example.org", "b@example.org", "c@example.org", "d@example.org"])
        try await fixture.handOver()
        try await fixture.handOver(.uncertain)
        try await fixture.campaign("second", to: ["a@example.org"], state: .held, because: "waits for approval")
    }

    @Test func `list shows each campaign with its counts and when it ends`() async throws {
        #expect(CampaignList(campaigns: []).lines == ["no campaigns"])
        try await twoCampaigns()
        let list = CampaignList(campaigns: try fixture.views())
        #expect(list.lines.count == 3)
        #expect(list.lines[0].hasPrefix("CAMPAIGN"))
        #expect(list.lines[1].split(separator: " ").prefix(7) == ["first", "running", "1", "4", "1", "1", "1"])
        #expect(list.lines[1].hasSuffix("2027-01-15T08:01:00Z"))
        #expect(list.lines[2].hasSuffix("-"))
        let campaigns = try #require(try parsed(list)["campaigns"]?.array)
        #expect(campaigns.map { $0["state"]?.string } == ["running", "held"])
        #expect(campaigns[0]["counts"]?.integers["sent"] == 1)
        #expect(campaigns[1]["pausedBecause"] == "waits for approval")
        #expect(
            keys(campaigns[0]) == [
                "job", "state", "purpose", "basis", "relays", "acceptedAt", "sendAfter", "expires", "counts",
                "withheld", "consent", "firstSentAt", "lastSentAt", "estimatedFinish", "pausedBecause", "warnings",
            ])
    }

    @Test func `status of a campaign tells what is withheld and why, the pace, and when it will be done`() async throws
    {
        try await twoCampaigns()
        let status = CampaignStatus(view: try fixture.views()[0], relays: try fixture.relays())
        let text = status.lines.joined(separator: "\n")
        for part in [
            "1 of 4", "1 (1 refused)", "2 in the last hour, limit 100", "done about", "campaignctl uncertain first",
        ] { #expect(text.contains(part)) }
        let document = try parsed(status)
        #expect(document["pace"]?.array?.first?["lastHour"] == 2)
        #expect(document["withheld"]?["refused"] == 1)
    }

    @Test func `status of the daemon tells whether it runs, what waits, and how the relays do`() async throws {
        try await twoCampaigns()
        let status = try DaemonStatus(
            ledger: try fixture.reader(), configuration: try fixture.configuration(), now: ReadingFixture.now, unit: nil
        )
        // This process has the ledger open, and so is the one that works on it.
        #expect(status.process == getpid())
        let text = status.lines.joined(separator: "\n")
        for part in ["running, process", "2, see", "1 held, 1 running"] where part != "2, see" {
            #expect(text.contains(part))
        }
        let document = try parsed(status)
        #expect(document["running"] == true)
        #expect(document["queued"] == 2)
        #expect(document["uncertain"] == 1)
        #expect(document["relays"]?.array?.count == 1)
        #expect(
            keys(document) == [
                "running", "pid", "statusText", "unitState", "aliveAt", "heldBecause", "queued", "uncertain",
                "ledgerVersion", "campaigns", "relays",
            ])
    }

    @Test func `a daemon that does not run is said not to`() async throws {
        let stopped = try ReadingFixture()
        try await stopped.ledger.close()
        let copy = try TemporaryDirectory()
        try copy.write(try stopped.directory.read("ledger.sqlite"), to: "ledger.sqlite")
        let status = try DaemonStatus(
            ledger: try LedgerReader(path: copy.path("ledger.sqlite")), configuration: try stopped.configuration(),
            now: ReadingFixture.now, unit: nil)
        #expect(status.lines[0].contains("not running: what waits is not sent"))
        #expect(try parsed(status)["running"] == false)
    }

    @Test func `relays show their limit, the last hour, and what is not configured any more`() async throws {
        try await twoCampaigns()
        try await fixture.campaign("third", to: ["b@example.org"], relay: "gone")
        let relays = try fixture.relays()
        #expect(relays.entries.map(\.state) == [.sending, .notConfigured])
        #expect(relays.lines[1].contains("100/h"))
        let entries = try #require(try parsed(relays)["relays"]?.array)
        #expect(entries[0]["lastHour"] == 2)
        #expect(entries[1]["url"] == nil as TestSupport.JSONValue? || entries[1]["url"] == .null)
        #expect(
            keys(entries[0]) == [
                "relay", "url", "state", "messagesPerHour", "lastHour", "queued", "inFlight", "uncertain",
                "lastHandOverAt",
            ])
    }

    @Test func `a relay that handed nothing over for five minutes waits, and one without work is idle`() async throws {
        try await twoCampaigns()
        func state(after seconds: Int64, _ traffic: [String: RelayTraffic]) throws -> RelayList.Entry.State? {
            RelayList(
                configuration: try fixture.configuration(), traffic: traffic,
                now: ReadingFixture.now.adding(seconds: seconds)
            ).entries.first?.state
        }
        // The last one was a minute ago.
        let traffic = try fixture.reader().traffic(now: ReadingFixture.now)
        #expect(try state(after: 240, traffic) == .sending)
        #expect(try state(after: 241, traffic) == .waiting)
        #expect(try state(after: 240, [:]) == .idle)
    }

    @Test func `what is uncertain is told with what settles it`() async throws {
        try await twoCampaigns()
        func list() throws -> DoubtList {
            DoubtList(
                doubts: try fixture.reader().doubts(campaign: nil, limit: 10),
                configuration: try fixture.configuration(), now: ReadingFixture.now)
        }
        var text = try list().lines.joined(separator: "\n")
        #expect(text.contains("in first"))
        #expect(text.contains("no reply to the final dot"))
        #expect(text.contains("campaignctl settle first --address"))
        #expect(text.contains("--as sent or --as resend"))
        let doubt = try #require(try parsed(list())["uncertain"]?.array?.first)
        #expect(doubt["endsByItself"] == false)
        #expect(
            keys(doubt) == [
                "job", "address", "test", "relay", "since", "messageId", "reason", "endsByItself", "keyUntil",
                "settledBy",
            ])
        let job = try #require(JobID("first"))
        let number = try #require(await fixture.ledger.campaignNumber(of: job))
        _ = try await fixture.ledger.advance(
            campaign: number, now: ReadingFixture.now.adding(seconds: 90_000), limit: 100)
        text = try list().lines.joined(separator: "\n")
        #expect(!text.contains("--as resend"))
        #expect(
            DoubtList(doubts: [], configuration: try fixture.configuration(), now: ReadingFixture.now).lines
                == ["nothing is uncertain"])
    }

    @Test func `a relay that knows keys settles its doubt by itself`() async throws {
        let keyed = try ReadingFixture()
        try keyed.directory.write(
            TestConfiguration(relays: [
                .init(port: 2525, lines: ["idempotency_header = \"X-Key\""])
            ]).toml(spool: keyed.spoolPath, ledger: keyed.path), to: "campaignd.toml")
        try await keyed.register(["a@example.org"])
        try await keyed.campaign("first", to: ["a@example.org"])
        try await keyed.handOver(.uncertain, keySeconds: 3600)
        let list = DoubtList(
            doubts: try keyed.reader().doubts(campaign: nil, limit: 10), configuration: try keyed.configuration(),
            now: ReadingFixture.now)
        #expect(list.lines.joined().contains("a second hand-over under its idempotency key"))
        #expect(try parsed(list)["uncertain"]?.array?.first?["endsByItself"] == true)
    }

    @Test func `consent is shown by purpose, and its history with its words`() async throws {
        let person = try AddressText.read("d@example.org")
        let view = ConsentView(
            address: person.text, contact: try fixture.reader().consent(of: person), suppression: .known(nil))
        #expect(view.lines.contains { $0.contains("refused since 2027-01-15T08:00:00Z") })
        #expect(try parsed(view)["consent"]?.array?.first?["status"] == "refused")
        #expect(try parsed(view)["suppressed"] == false)
        let history = ConsentHistory(
            address: person.text, events: try fixture.reader().consentHistory(of: person), chain: .whole)
        #expect(history.lines.contains { $0.contains("I want the newsletter") })
        #expect(try parsed(history)["events"]?.array?.first?["by"] == "import")
        #expect(try parsed(history)["chainWhole"] == true)
        let broken = ConsentHistory(address: person.text, events: [], chain: .broken(7))
        #expect(broken.lines.last?.contains("event 7") == true)
        #expect(try parsed(broken)["firstBrokenEvent"] == 7)
        let nobody = ConsentView(address: "x@example.org", contact: nil, suppression: .unknown)
        #expect(nobody.lines.contains { $0.contains("no: it is sent nothing") })
        #expect(try parsed(nobody)["suppressed"] == .null)
    }

    @Test func `a backup and an examination are told for people and for programs`() throws {
        let report = ExaminationReport(ledger: fixture.path, findings: try fixture.reader().examine())
        #expect(report.isSound)
        #expect(report.lines.allSatisfy { $0.hasPrefix("OK") })
        #expect(try parsed(report)["checks"]?.array?.count == 6)
        let backup = try fixture.reader().backUp(to: fixture.directory.path("copy"), withKey: false)
        let told = BackupReport(backup: backup, ledger: fixture.path)
        #expect(told.lines.joined().contains("\(fixture.path).key"))
        #expect(try parsed(told)["keyFile"] == .null)
        let faulty = ExaminationReport(
            ledger: fixture.path, findings: [LedgerFinding(check: "key", outcome: .unknown, detail: "x")])
        #expect(!faulty.isSound)
    }

    @Test func `texts from elsewhere do not steer the terminal`() {
        #expect(ReportText.clean("a\u{1B}[2Jb\nc\u{202E}d") == "a\u{FFFD}[2Jb\u{FFFD}c\u{FFFD}d")
    }

    @Test func `the picture that is watched fits the terminal, and its bar shows what is done`() async throws {
        try await twoCampaigns()
        let picture = try WatchPicture(
            ledger: try fixture.reader(), configuration: try fixture.configuration(), only: nil,
            now: ReadingFixture.now)
        for width in [20, 60, 120] { #expect(picture.lines(width: width).allSatisfy { $0.count <= width }) }
        // Of three that are to be sent to, one waits.
        #expect(picture.lines(width: 80).contains { $0.hasPrefix("[####") && $0.hasSuffix("] 66 %") })
        #expect(!picture.isOver)
        #expect(!picture.json.contains("\n"))
        #expect(try TestSupport.JSONValue(parsing: Data(picture.json.utf8))["campaigns"]?.array?.count == 2)
        #expect(WatchPicture.bar(0.999, width: 19) == "[#########-] 99 %")
        #expect(WatchPicture.bar(1, width: 19) == "[##########] 100 %")
    }

    @Test(arguments: [
        ["list", "--state", "running"], ["status"], ["status", "c"], ["watch", "--interval", "1"], ["uncertain"],
        ["consent", "show", "a@example.org"], ["consent", "history", "a@example.org"], ["relay", "list"],
        ["ledger", "backup", "file", "--with-key"], ["ledger", "check"], ["doctor", "--json"],
    ])
    func `the commands are known by their words`(words: [String]) throws {
        _ = try Campaignctl.parseAsRoot(words)
    }
}

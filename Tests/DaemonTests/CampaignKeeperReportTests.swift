import Foundation
import Glibc
import Ledger
import Logging
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

/// The mail that tells an organiser how a campaign ended.
@Suite(.timeLimit(.minutes(5)))
struct CampaignKeeperReportTests {
    private let fixture: DaemonFixture
    private let chief = "chief@library.example"

    init() throws { fixture = try DaemonFixture(relays: ["default": 3000, "second": 3000]) }

    private func campaign(
        _ people: String..., subject: String = "News", extra: [String: TestSupport.JSONValue] = [:]
    ) -> String {
        let report: [String: TestSupport.JSONValue] = ["report": ["to": .string(chief)]]
        return JobText.campaign(
            "c", to: people.map { .address($0) }, basis: "service", subject: subject,
            extra: report.merging(extra) { $1 })
    }

    private var id: JobID { get throws { ClosingReport.id(of: try #require(JobID("c")), key: fixture.ledger.key) } }
    private var incoming: [String] { get throws { try fixture.producer().names(in: "incoming") } }

    private func receipt(_ name: String = "c") throws -> JobReceipt {
        try #require(try fixture.producer().receipt(name))
    }

    /// Sends the campaign, writes its last receipt, has the report taken, and sends that.
    private func playToTheEnd(_ relay: ScriptedRelay? = nil) async throws {
        await fixture.send(relay ?? fixture.relay(), seconds: 20)
        await fixture.writeReceipts()
        try await fixture.serve()
        await fixture.send(fixture.relay(), seconds: 5)
        await fixture.writeReceipts()
    }

    /// What the organiser reads.
    private func text() throws -> String {
        let dot = try #require(fixture.auditor.dots.first { $0.recipient == chief })
        let body = dot.message.components(separatedBy: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
        guard dot.field("Content-Transfer-Encoding")?.lowercased() == "quoted-printable" else { return body }
        var bytes: [UInt8] = []
        var rest = Array(body.replacing("=\r\n", with: "").utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                bytes.append(byte)
                continue
            }
            bytes.append(try #require(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)))
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func lines() throws -> [String] { try text().components(separatedBy: "\r\n") }

    // MARK: What it says

    @Test func `its words and figures are those of the receipt`() async throws {
        let list = "email\na@people.example\nb@people.example\nA@people.example\nnobody\nc@people.example\n"
        let recipients: TestSupport.JSONValue = [["list": "list.csv"]]
        try await fixture.plan(campaign("x@x.example", extra: ["recipients": recipients]), files: ["list.csv": list])
        let relay = fixture.relay()
        relay.answer("b@people.example", .silent)
        relay.answer("c@people.example", .reply(.recipient, 550, "5.2.1 no"))
        try await playToTheEnd(relay)
        let receipt = try receipt()
        let lines = try lines()
        #expect(receipt.counts.count == 9)
        #expect(receipt.count("uncertain") == 1 && receipt.count("bounced") == 1 && receipt.count("withheld") == 2)
        for (word, count) in receipt.counts { #expect(lines.contains("\(word): \(count)"), "\(lines)") }
        for (word, count) in receipt.withheld.merging(receipt.consent, uniquingKeysWith: { $1 }) {
            #expect(lines.contains("\(word): \(count)"), "\(word)")
        }
        for word in ["acceptedAt", "firstSentAt", "lastSentAt"] {
            #expect(lines.contains("\(word): \(receipt.json[word]?.string ?? "")"))
        }
        #expect(lines.contains { $0.contains("campaignctl uncertain c") })
        let place = fixture.context.spool.path + "/receipts/c"
        #expect(lines.contains(place + "/receipt.json") && lines.contains(place + "/recipients.csv"))
        #expect(FileManager.default.fileExists(atPath: place + "/recipients.csv"))
    }

    @Test func `it is a plain message of the sender, by the campaign's relays, which nobody has to unsubscribe from`()
        async throws
    {
        try await fixture.plan(campaign("a@people.example", extra: ["relays": ["second", "default"]]))
        await fixture.send(fixture.relay("second"), seconds: 5)
        await fixture.writeReceipts()
        try await fixture.serve()
        await fixture.send(fixture.relay("second"), seconds: 5)
        let dot = try #require(fixture.auditor.dots.last)
        #expect(dot.recipient == chief && dot.relay == "second")
        #expect(dot.field("From") == "The Library <news@library.example>")
        #expect(dot.field("Subject") == "Campaign c is finished: 1 of 1 sent")
        #expect(dot.field("Auto-Submitted") == "auto-generated")
        for absent in ["List-Unsubscribe", "List-Id", "Precedence", "Reply-To"] { #expect(dot.field(absent) == nil) }
        #expect(try text().contains("You get this message because the job of campaign c asks for it."))
    }

    @Test(arguments: [
        "News, {{name}}", "{{#x}}{{/y}}", "{ {{{raw}}} }", "{{opening brace}} {{", "{\u{200C}{ {{=<% %>=}} }}", "{",
        "}}",
    ])
    func `what somebody wrote is never read as a template`(subject: String) async throws {
        guard case .campaign(var described) = try fixture.job(campaign("a@people.example")) else { return }
        described.subject = subject
        var receipt = Receipt(job: "c", kind: "campaign", state: .cancelled)
        receipt.counts = Receipt.Counts()
        let report = ClosingReport(
            id: try id, address: chief, campaign: described, receipt: receipt,
            because: "no\r\nmore \u{85} of\u{2028}{{name}}", files: ["/{{spool}}/receipt.json"], relays: [])
        let json = String(decoding: report.document, as: UTF8.self)
        guard case .campaign(let made) = try fixture.job(json) else { return }
        #expect(made.reportTo == nil, "a report is not reported on")
        try await fixture.plan(json)
        await fixture.send(fixture.relay(), seconds: 5)
        let lines = try lines()
        #expect(lines.contains("subject: \(subject)"), "\(lines)")
        #expect(lines.contains("It was cancelled: no  more   of {{name}}"))
        #expect(lines.contains("/{{spool}}/receipt.json"))
    }

    @Test func `a campaign that was called off says why`() async throws {
        try await fixture.plan(
            campaign("a@people.example", subject: "News for {{name}}", extra: ["defaults": ["name": "you"]]))
        let control = try #require(JobID("k"))
        guard case .control(let job) = try fixture.job(JobText.control("k", "cancel", campaign: "c")) else { return }
        try await fixture.ledger.begin(
            job: .control(job), sha256: "k", receipt: "k", claim: "k", now: fixture.clock.wall)
        _ = try await fixture.ledger.control(
            campaign: try #require(JobID("c")), action: .cancel, because: "the date is wrong", by: control,
            now: fixture.clock.wall)
        try await playToTheEnd()
        #expect(fixture.auditor.recipients == [chief])
        let lines = try lines()
        #expect(lines.first == "Campaign c is cancelled.")
        #expect(lines.contains("It was cancelled: the date is wrong"))
        #expect(lines.contains("subject: News for {{name}}"))
        #expect(lines.contains("firstSentAt: never"))
    }

    // MARK: Once

    @Test func `a campaign that asks for no report has none`() async throws {
        try await fixture.plan(JobText.campaign("c", to: [.address("a@people.example")], basis: "service"))
        try await playToTheEnd()
        #expect(fixture.auditor.recipients == ["a@people.example"])
        #expect(try fixture.producer().names(in: "receipts") == ["c"])
    }

    @Test func `nothing is reported before the end`() async throws {
        try await fixture.plan(campaign("a@people.example"))
        await fixture.writeReceipts()
        #expect(try incoming == [])
    }

    @Test func `the report stays the first one though a doubt is settled later`() async throws {
        let number = try await fixture.plan(campaign("a@people.example")).number
        let relay = fixture.relay()
        relay.answer("a@people.example", .silent)
        try await playToTheEnd(relay)
        #expect(try lines().contains("uncertain: 1"))
        let evidence = SettlementEvidence(kind: .bounce, text: "it came back")
        let open = try #require(try await fixture.ledger.openDoubts(relay: "default", after: 0, limit: 9).first)
        _ = try #require(
            try await fixture.ledger.settle(
                delivery: open.delivery, as: .sent, by: evidence, now: fixture.clock.wall))
        #expect(try await !fixture.summary(number).isReported)
        await fixture.writeReceipts()
        #expect(try incoming == [])
        #expect(try receipt().count("sent") == 1)
        #expect(try await fixture.summary(number).isReported)
        try await fixture.serve()
        await fixture.send(fixture.relay(), seconds: 5)
        #expect(fixture.auditor.recipients == ["a@people.example", chief])
    }

    @Test func `a crash behind the drop has it dropped again, and it is one job`() async throws {
        let number = try await fixture.plan(campaign("a@people.example")).number
        await fixture.send(fixture.relay(), seconds: 5)
        await fixture.writeReceipts()
        let name = "\(try id).json"
        #expect(try incoming == [name])
        let first = try Data(contentsOf: URL(fileURLWithPath: fixture.context.spool.path + "/incoming/" + name))

        // The ledger does not know yet that the campaign was reported, and the drop waits.
        try await fixture.sql("UPDATE campaigns SET reported = 0")
        await fixture.writeReceipts()
        #expect(try incoming == [name])
        #expect(try await !fixture.summary(number).isReported)

        // The same, but that the drop is claimed and its job not begun.
        let away = fixture.directory.path("away.json")
        try FileManager.default.moveItem(atPath: fixture.context.spool.path + "/incoming/" + name, toPath: away)
        await fixture.writeReceipts()
        #expect(try await fixture.summary(number).isReported)
        #expect(try Data(contentsOf: URL(fileURLWithPath: fixture.context.spool.path + "/incoming/" + name)) == first)
        try await fixture.serve()
        try FileManager.default.moveItem(atPath: away, toPath: fixture.context.spool.path + "/incoming/" + name)
        try await fixture.serve()
        #expect(try receipt(try id.text).repeats == 1)
        await fixture.send(fixture.relay(), seconds: 5)
        #expect(fixture.auditor.recipients == ["a@people.example", chief])
    }

    // MARK: What stands in its way

    @Test func `an organiser who is suppressed gets nothing, and receipt and journal say so`() async throws {
        try await fixture.plan(
            JobText.campaign("before", to: [.address(chief)], basis: "service", text: "Are you there?"))
        let relay = fixture.relay()
        relay.answer(chief, .reply(.recipient, 550, "5.1.1 no such user"))
        await fixture.send(relay, seconds: 5)
        try await fixture.plan(campaign("a@people.example"))
        try await playToTheEnd()
        #expect(fixture.auditor.recipients == ["a@people.example"])
        let report = try receipt(try id.text)
        #expect(report.state == "finished")
        #expect(report.withheld == ["suppressed": 1])
        #expect(fixture.log.messages.contains("campaign \(try id) is finished: 0 sent, 1 suppressed"))
    }

    @Test func `an id that another user has taken costs the report and nothing else, and the journal says so`()
        async throws
    {
        let number = try await fixture.plan(campaign("a@people.example")).number
        let other = try fixture.campaign(
            JobText.campaign(try id.text, to: [.address("victim@people.example")], basis: "service"))
        try await fixture.ledger.begin(
            job: .campaign(other.campaign), sha256: "x", receipt: "x", claim: "x", submitter: geteuid() + 1,
            now: fixture.clock.wall)
        await fixture.send(fixture.relay(), seconds: 5)
        await fixture.writeReceipts()
        #expect(try incoming == [])
        #expect(try receipt().state == "finished")
        #expect(try await fixture.summary(number).isReported)
        let line = try #require(fixture.log.lines.first { $0.metadata["MESSAGE_ID"] == reportTrouble })
        #expect(line.level == .error)
        #expect(line.message.contains("another user has dropped a job of the id of its report, \(try id)"))
        #expect(line.metadata["CAMPAIGN"] == "c")
        #expect(try line.metadata["JOB"] == id.text)
    }

    @Test func `the id cannot be guessed, is the same each time, and is one for the longest name too`() throws {
        let long = try #require(JobID(String(repeating: "x", count: 128)))
        let longer = try #require(JobID(String(repeating: "x", count: 127) + "y"))
        let key = fixture.ledger.key
        #expect(ClosingReport.id(of: long, key: key) == ClosingReport.id(of: long, key: key))
        #expect(ClosingReport.id(of: long, key: key) != ClosingReport.id(of: longer, key: key))
        #expect(ClosingReport.id(of: long, key: key) != ClosingReport.id(of: long, key: .sample))
        #expect(try id.text.hasPrefix("c.report-"))
    }

    @Test func `a report that cannot be dropped holds up no receipt, is tried again, and is told of once a minute`()
        async throws
    {
        let number = try await fixture.plan(campaign("a@people.example")).number
        await fixture.send(fixture.relay(), seconds: 5)
        try FileManager.default.removeItem(atPath: fixture.context.spool.path + "/tmp")
        let keeper = fixture.newKeeper()
        let task = fixture.run(keeper)
        await fixture.clock.run(seconds: 50)
        #expect(try receipt().state == "finished")
        #expect(try fixture.producer().recipients("c")?.count == 1)
        #expect(try await !fixture.summary(number).isReported)
        #expect(fixture.log.lines.filter { $0.metadata["MESSAGE_ID"] == reportTrouble }.count == 1)
        await fixture.clock.run(seconds: 50)
        let lines = fixture.log.lines.filter { $0.metadata["MESSAGE_ID"] == reportTrouble }
        #expect(lines.count == 2)
        #expect(lines.last?.message.contains("times before it)") == true, "it was tried in between")
        await fixture.end(keeper, task)
    }

    @Test func `something of its name that waits is waited for`() async throws {
        let number = try await fixture.plan(campaign("a@people.example")).number
        await fixture.send(fixture.relay(), seconds: 5)
        let obstacle = fixture.context.spool.path + "/incoming/\(try id).json"
        try Data("{}".utf8).write(to: URL(fileURLWithPath: obstacle))
        let keeper = fixture.newKeeper()
        let task = fixture.run(keeper)
        await fixture.clock.run(seconds: 5)
        #expect(try receipt().state == "finished")
        #expect(try await !fixture.summary(number).isReported)
        #expect(try fixture.producer().names(in: "tmp") == [], "no draft is left")
        try FileManager.default.removeItem(atPath: obstacle)
        await fixture.clock.run(seconds: 35)
        #expect(try await fixture.summary(number).isReported)
        #expect(try Data(contentsOf: URL(fileURLWithPath: obstacle)).count > 100)
        await fixture.end(keeper, task)
    }

    @Test func `without the copy of its job a campaign ends without a report, and the journal says so`() async throws {
        let number = try await fixture.plan(campaign("a@people.example")).number
        await fixture.send(fixture.relay(), seconds: 5)
        try FileManager.default.removeItem(atPath: fixture.context.spool.path + "/work/kept/c")
        await fixture.writeReceipts()
        #expect(try await fixture.summary(number).isReported)
        #expect(try incoming == [])
        #expect(fixture.log.messages.contains { $0.hasPrefix("there is no report of campaign c: work/kept") })
    }

    @Test func `a relay that was taken out of the configuration does not keep the report back`() async throws {
        try await fixture.plan(campaign("a@people.example", extra: ["relays": ["second", "default"]]))
        await fixture.send(fixture.relay("second"), seconds: 5)
        var configuration = fixture.configuration
        configuration.relays["second"] = nil
        fixture.context.settings.replace(by: configuration)
        try await playToTheEnd()
        #expect(fixture.auditor.dots.map(\.relay) == ["second", "default"])
    }

    /// Relays that go when the report is in incoming/ already; the one that carries it then, if any may.
    @Test(
        arguments: [
            (["second"], ["default", "third"], "default"), (["default"], ["second", "third"], "second"),
            (["second", "default"], ["third"], "third"), (["second"], ["second", "third"], "second"),
            (["second"], [], nil),
        ] as [([String], [String], String?)])
    func `a report goes by another relay if its own goes while it is on its way`(
        named: [String], left: [String], carrier: String?
    ) async throws {
        let fixture = try DaemonFixture(relays: ["default": 3000, "second": 3000, "third": 3000])
        try await fixture.plan(campaign("a@people.example", extra: ["relays": .array(named.map { .string($0) })]))
        await fixture.send(fixture.relay(named[0]), seconds: 5)
        await fixture.writeReceipts()
        #expect(try fixture.producer().names(in: "incoming").count == 1)
        var configuration = fixture.configuration
        configuration.relays = configuration.relays.filter { left.contains($0.key) }
        for name in ["unable", "also-unable"] {
            configuration.relays[name] = fixture.configuration.relays["default"]
            configuration.relays[name]?.senders = ["somebody@other.example"].compactMap { AddressPattern($0) }
        }
        fixture.context.settings.replace(by: configuration)
        try await fixture.serve()
        let rejected = fixture.log.messages.filter { $0.contains("is rejected") }
        guard let carrier else {
            #expect(rejected.count == 1 && rejected[0].contains("there is no relay “second”"), "\(rejected)")
            return
        }
        #expect(rejected == [])
        await fixture.send(fixture.relay(carrier), seconds: 5)
        #expect(fixture.auditor.dots.map(\.relay) == [named[0], carrier])
        #expect(fixture.auditor.dots.last?.recipient == chief)
    }

    private var reportTrouble: String { DaemonJournal.Event.reportTrouble.rawValue }
}

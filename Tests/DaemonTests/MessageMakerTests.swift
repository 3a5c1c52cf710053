import Foundation
import Mailing
import TestSupport
import Testing

@testable import Daemon
@testable import Ledger

struct MessageMakerTests {
    private let fixture: DaemonFixture

    init() throws { fixture = try DaemonFixture() }

    private func due(
        job: String = "c", address: String = "reader@people.example", isTest: Bool = false, id: Int64 = 7,
        fields: [String: String] = [:]
    ) throws -> DueDelivery {
        DueDelivery(
            id: id, campaign: 1, job: try #require(JobID(job)), isTest: isTest,
            address: try AddressText.read(address), fields: fields, acceptedAt: fixture.clock.wall, attempts: 0)
    }

    private func made(
        _ due: DueDelivery, basis: String = "consent", text: String = "Hello.\n", extra: [String: JSONValue] = [:],
        keyHeader: String? = nil, change: (inout Configuration) -> Void = { _ in }
    ) throws -> MessageMaker.Made {
        var configuration = fixture.configuration
        change(&configuration)
        let prepared = try fixture.campaign(
            JobText.campaign(due.job.text, to: [.address("a@people.example")], basis: basis, text: text, extra: extra))
        var relay = configuration.relays["default"]
        relay?.idempotencyHeader = keyHeader
        return try MessageMaker(key: fixture.ledger.key).make(
            due, prepared, configuration: configuration, relay: relay)
    }

    private func text(_ made: MessageMaker.Made) -> String { String(decoding: made.message, as: UTF8.self) }

    /// The beginning of the sentence that says how to stop a mailing, up to its first letter beyond ASCII.
    private func stop(_ language: String) throws -> String {
        String(try #require(FootText.stop[language]).prefix(20).prefix { $0.isASCII })
    }

    /// The value of a header field, unfolded; nil if it is not there.
    private func field(_ name: String, of made: MessageMaker.Made) -> String? {
        let head = text(made).components(separatedBy: "\r\n\r\n")[0].replacing("\r\n ", with: " ")
        let line = head.components(separatedBy: "\r\n").first { $0.hasPrefix(name + ": ") }
        return line.map { String($0.dropFirst(name.count + 2)) }
    }

    @Test func `a message is the same at every attempt`() throws {
        let first = try made(try due())
        var later = try due()
        later.attempts = 3
        let second = try made(later)
        #expect(first.message == second.message)
        #expect(first.messageID == second.messageID)
        #expect(first.envelope == second.envelope)
        #expect(field("Message-ID", of: first) == "<\(first.messageID)>")
        #expect(first.messageID.hasSuffix("@library.example"))
    }

    @Test func `an idempotency key is the same at every attempt, and of this one message`() throws {
        let header = "X-Idempotency-Key"
        let first = try made(try due(), keyHeader: header)
        var later = try due()
        later.attempts = 3
        later.isInDoubt = true
        #expect(try made(later, keyHeader: header).message == first.message)
        let key = try #require(field(header, of: first))
        #expect(key.count == 40 && key.allSatisfy(\.isHexDigit))
        #expect(!first.messageID.hasPrefix(key), "it is not in other headers")
        let others = [try due(job: "d"), try due(address: "other@people.example"), try due(isTest: true)]
        let keys = try others.map { field(header, of: try made($0, keyHeader: header)) }
        #expect(Set(keys + [key]).count == 4)
        #expect(field(header, of: try made(try due())) == nil, "most relays know no keys")
    }

    @Test func `the Message-ID tells campaigns, recipients and test mails apart`() throws {
        let all = [
            try due(), try due(job: "d"), try due(address: "other@people.example"), try due(isTest: true),
            try due(address: "reader+tag@people.example"),
        ]
        let identifiers = try all.map { try made($0).messageID }
        #expect(Set(identifiers).count == all.count)
        #expect(
            try made(try due(id: 99)).messageID == identifiers[0], "a new row of the same person is the same message")
        #expect(try made(try due(address: "READER@people.example")).messageID == identifiers[0])
    }

    @Test func `the envelope sender names the delivery, and nobody can forge it`() throws {
        let sender = try made(try due()).envelope.sender.text
        #expect(sender.hasPrefix("news+7."))
        #expect(sender.hasSuffix("@library.example"))
        let other = try made(try due(id: 8)).envelope.sender.text
        #expect(sender.dropFirst("news+7.".count) != other.dropFirst("news+8.".count))
        let elsewhere = try DaemonFixture()
        let prepared = try elsewhere.campaign(JobText.campaign("c", to: [.address("a@people.example")]))
        let foreign = try MessageMaker(key: elsewhere.ledger.key)
            .make(try due(), prepared, configuration: elsewhere.configuration)
        #expect(foreign.envelope.sender.text != sender, "it depends on the ledger's key")
        #expect(foreign.messageID != (try made(try due())).messageID)
    }

    @Test func `the bounce address of the configuration is used where there is one`() throws {
        let bounces = try AddressText.read("returns@bounces.example")
        let sender = try made(try due(), change: { $0.bounceAddress = bounces }).envelope.sender.text
        #expect(sender.hasPrefix("returns+7."))
        #expect(sender.hasSuffix("@bounces.example"))
    }

    @Test(arguments: [1, 44, 45, 46, 47, 48, 64])
    func `the envelope sender has at most 64 octets before the at sign`(length: Int) throws {
        let bounces = try AddressText.read(String(repeating: "b", count: length) + "@library.example")
        let due = try due(id: 123_456_789_012)
        let sender = try made(due, change: { $0.bounceAddress = bounces }).envelope.sender.text
        let local = try #require(sender.components(separatedBy: "@").first)
        #expect(local.utf8.count <= 64)
        #expect(local.contains("+123456789012."))
    }

    @Test func `a mailing says how to stop it`() throws {
        let made = try made(try due())
        #expect(field("List-Id", of: made) == "<newsletter.library.example>")
        #expect(field("List-Unsubscribe", of: made) == "<mailto:news@library.example?subject=unsubscribe>")
        #expect(field("List-Unsubscribe-Post", of: made) == nil)
        #expect(field("Precedence", of: made) == "bulk")
        #expect(text(made).contains(try stop("en")))
        #expect(text(made).contains("You get this newsletter because you asked the library for it."))
    }

    @Test func `with an unsubscribe page a mailing can be stopped by one click`() throws {
        let due = try due()
        let made = try made(due, change: { $0.unsubscribeURL = "https://library.example/stop/{token}" })
        let lists = try #require(field("List-Unsubscribe", of: made))
        #expect(lists.hasPrefix("<https://library.example/stop/7."))
        #expect(lists.hasSuffix(", <mailto:news@library.example?subject=unsubscribe>"))
        #expect(field("List-Unsubscribe-Post", of: made) == "List-Unsubscribe=One-Click")
    }

    @Test func `service mail is no mailing list`() throws {
        let made = try made(try due(), basis: "service")
        for name in ["List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Precedence"] {
            #expect(field(name, of: made) == nil)
        }
        #expect(!text(made).contains(try stop("en")))
    }

    @Test(arguments: [("nl", "nl"), ("NL", "nl"), ("sk", "sk"), ("xx", "en"), (nil, "en")])
    func `the foot is in the recipient's language, or in that of the configuration`(
        language: String?, used: String
    ) throws {
        let made = try made(try due(fields: language.map { ["language": $0] } ?? [:]))
        #expect(text(made).contains(try stop(used)))
    }

    @Test func `the language of the configuration is used for everybody without one`() throws {
        #expect(text(try made(try due(), change: { $0.language = "nl" })).contains(try stop("nl")))
    }

    @Test func `a recipient's fields fill the template, and defaults the rest`() throws {
        let made = try made(
            try due(fields: ["name": "Anna"]), text: "Dear {{name}} of {{town}}, {{email}}\n",
            extra: ["defaults": ["name": "reader", "town": "Gieten"]])
        #expect(text(made).contains("Dear Anna of Gieten, reader@people.example"))
        #expect(field("To", of: made) == "Anna <reader@people.example>")
    }

    @Test func `a message that lacks a field is not made`() throws {
        #expect(throws: (any Error).self) { try made(try due(), text: "Dear {{name}}\n") }
    }

    @Test func `a test mail shows the name of what is missing`() throws {
        #expect(text(try made(try due(isTest: true), text: "Dear {{name}}\n")).contains("Dear [name]"))
    }
}

import Mailing
import Testing

@testable import Daemon

/// The fakes bite: a promise that is held by a fake is worth what the fake notices.
@Suite(.timeLimit(.minutes(5)))
struct RelayAuditorTests {
    private let clock = VirtualClock()
    private let auditor = RelayAuditor()

    private func relay() -> ScriptedRelay { ScriptedRelay(clock: clock, auditor: auditor) }

    private func envelope(_ recipient: String = "reader@people.example") throws -> Envelope {
        Envelope(sender: try AddressText.read("news@library.example"), recipient: try AddressText.read(recipient))
    }

    private let message = Array("Message-ID: <1@library.example>\r\n\r\nHello.\r\n".utf8)

    private func handOver(_ relay: ScriptedRelay, message: [UInt8]? = nil) async throws -> RelayHandOver {
        _ = await relay.open()
        #expect(await relay.offer(try envelope(), message: message ?? self.message) == .armed)
        return await relay.handOver(written: { _ in })
    }

    /// Hands a message over whose dot is answered so, if at all, after those before it.
    private func handOver(_ answer: ScriptedRelay.Answer, key: String? = nil) async throws {
        let relay = relay()
        relay.answer("reader@people.example", answer)
        let text = "Message-ID: <1@library.example>\r\n" + (key.map { "X-Key: \($0)\r\n" } ?? "") + "\r\nHello.\r\n"
        _ = try await handOver(relay, message: Array(text.utf8))
    }

    @Test(arguments: [ScriptedRelay.Answer.accept, .silent, .reply(.dot, 550, "5.1.1 unknown")])
    func `a message that may have been taken fails the test when it comes again`(
        answer: ScriptedRelay.Answer
    ) async throws {
        let first = relay()
        first.answer("reader@people.example", answer)
        _ = try await handOver(first)
        await withKnownIssue { _ = try await handOver(relay()) }
        #expect(auditor.dots.count == 2)
    }

    @Test(arguments: [ScriptedRelay.Answer.notWritten, .reply(.dot, 451, "4.3.0 later")])
    func `a message that was certainly not taken may come again`(answer: ScriptedRelay.Answer) async throws {
        let relay = relay()
        relay.answer("reader@people.example", answer)
        _ = try await handOver(relay)
        _ = try await handOver(relay)
    }

    @Test func `a message offered on a connection that is not open fails the test`() async throws {
        let relay = relay()
        await withKnownIssue { _ = await relay.offer(try envelope(), message: message) }
    }

    @Test func `a dot without a message fails the test`() async throws {
        let relay = relay()
        _ = await relay.open()
        await withKnownIssue { _ = await relay.handOver(written: { _ in }) }
        #expect(auditor.dots.isEmpty)
    }

    @Test func `a second message before the dot of the first fails the test`() async throws {
        let relay = relay()
        _ = await relay.open()
        _ = await relay.offer(try envelope(), message: message)
        await withKnownIssue { _ = await relay.offer(try envelope("other@people.example"), message: message) }
    }

    @Test func `a closed connection takes its message with it`() async throws {
        let relay = relay()
        _ = await relay.open()
        _ = await relay.offer(try envelope(), message: message)
        await relay.close()
        await withKnownIssue { _ = await relay.handOver(written: { _ in }) }
        #expect(auditor.dots.isEmpty)
    }

    @Test func `a person may let what nobody answered come once more, and only once`() async throws {
        try await handOver(.silent)
        auditor.pardon("reader@people.example")
        try await handOver(.silent)
        await withKnownIssue { try await handOver(.accept) }
        auditor.pardon("reader@people.example")
        await withKnownIssue { try await handOver(.accept) }
    }

    @Test func `nobody may let come again what was accepted`() async throws {
        try await handOver(.accept)
        auditor.pardon("reader@people.example")
        await withKnownIssue { try await handOver(.accept) }
    }

    @Test func `under its key what nobody answered may come again until it is accepted`() async throws {
        auditor.knowsKeys(in: "X-Key", seconds: 60)
        try await handOver(.silent, key: "a")
        try await handOver(.reply(.dot, 554, "5.6.0 no"), key: "a")
        try await handOver(.silent, key: "a")
        try await handOver(.accept, key: "a")
        await withKnownIssue { try await handOver(.accept, key: "a") }
    }

    @Test(arguments: ["b", nil])
    func `under another key, or none, it may not come again`(key: String?) async throws {
        auditor.knowsKeys(in: "X-Key", seconds: 60)
        try await handOver(.silent, key: "a")
        await withKnownIssue { try await handOver(.accept, key: key) }
    }

    @Test func `a key that has expired is none`() async throws {
        auditor.knowsKeys(in: "X-Key", seconds: 60)
        try await handOver(.silent, key: "a")
        await clock.run(seconds: 59)
        try await handOver(.silent, key: "a")
        await clock.run(seconds: 1)
        await withKnownIssue { try await handOver(.accept, key: "a") }
    }

    @Test func `a key in a header that the relay does not look at is none`() async throws {
        auditor.knowsKeys(in: "X-Other", seconds: 60)
        try await handOver(.silent, key: "a")
        await withKnownIssue { try await handOver(.accept, key: "a") }
    }

    @Test func `what was refused under its key without a doubt before it may not come again`() async throws {
        auditor.knowsKeys(in: "X-Key", seconds: 60)
        try await handOver(.reply(.dot, 554, "5.6.0 no"), key: "a")
        await withKnownIssue { try await handOver(.accept, key: "a") }
    }
}

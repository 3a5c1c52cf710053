import Foundation
import Glibc
import TestSupport
import Testing

/// The real executable from drop to dot. One test after another: most of them measure time.
@Suite(.serialized)
struct WholeDaemon {}

/// What the tests have measured, for people.
enum Figures {
    /// Writes one line to the standard output.
    static func say(_ line: String) {
        FileHandle.standardOutput.write(Data("figures: \(line)\n".utf8))
    }

    /// Rounded for reading.
    static func shown(_ number: Double?, digits: Int = 3) -> String {
        guard let number else { return "none" }
        return String(format: "%.\(digits)f", number)
    }

    /// Seconds since a moment of `MonotonicClock`.
    static func seconds(since moment: UInt64) -> Double {
        Double(MonotonicClock.now() - moment) / 1e9
    }
}

/// A daemon with a spool of its own and the relay that it sends through.
struct Scenario {
    let server: CountingSMTPServer
    let daemon: DaemonProcess
    private(set) var configuration: TestConfiguration

    var spool: SpoolDirectory { daemon.spool }

    /// - Parameters:
    ///   - relays: how many entries of the configuration lead to the one server: `default`, or `relay1` and so on.
    ///   - relayLines: further keys of each relay.
    ///   - lines: further tables.
    init(
        _ script: SMTPScript = .success, relays: Int = 1, messagesPerHour: Int = 3000, relayLines: [String] = [],
        lines: [String] = []
    ) throws {
        let server = try CountingSMTPServer(script: script)
        self.server = server
        configuration = TestConfiguration(
            relays: Scenario.relayNames(relays).map {
                TestConfiguration.Relay(
                    name: $0, port: server.port, messagesPerHour: messagesPerHour, lines: relayLines)
            },
            lines: lines)
        daemon = try DaemonProcess(configuration)
    }

    /// A scenario whose daemon is ready.
    static func running(
        _ script: SMTPScript = .success, relays: Int = 1, messagesPerHour: Int = 3000, relayLines: [String] = [],
        lines: [String] = []
    ) async throws -> Scenario {
        let scenario = try Scenario(
            script, relays: relays, messagesPerHour: messagesPerHour, relayLines: relayLines, lines: lines)
        try await scenario.daemon.startAndWait()
        return scenario
    }

    static func relayNames(_ count: Int) -> [String] {
        count == 1 ? ["default"] : (1...count).map { "relay\($0)" }
    }

    /// `count` addresses, different ones for different names.
    static func readers(_ count: Int, _ name: String = "reader") -> [String] {
        (0..<count).map { "\(name)\($0 + 1)@readers.example" }
    }

    /// A list in which everybody said J.
    static func list(_ addresses: [String]) -> [UInt8] {
        Array("email,\(BorrowerList.consentColumn)\n".utf8) + addresses.flatMap { Array("\($0),J\n".utf8) }
    }

    /// Registers people who have said yes, and waits until it is done.
    func importAccepted(_ addresses: [String], as id: String = "readers") async throws {
        try spool.dropBundle(id, json: JobText.contacts(id), files: ["list.csv": Scenario.list(addresses)])
        try await spool.waitForState(id, "finished")
    }

    /// Imports people who have said yes and drops a campaign to each of them.
    func mail(_ id: String, to addresses: [String], extra: [String: JSONValue] = [:]) async throws {
        try await importAccepted(addresses, as: "\(id)-readers")
        try drop(id, to: addresses, extra: extra)
    }

    /// Drops a campaign to these addresses.
    func drop(_ id: String, to addresses: [String], extra: [String: JSONValue] = [:]) throws {
        let job = JobText.campaign(
            id, to: addresses.map { .address($0) }, subject: "News of the library (\(id))", extra: extra)
        try spool.dropFile(id, json: job)
    }

    /// Drops a control job and waits until it is done.
    func control(_ action: String, _ campaign: String) async throws {
        let id = "\(campaign)-\(action)"
        try spool.dropFile(id, json: JobText.control(id, action, campaign: campaign))
        try await spool.waitForState(id, "finished")
    }

    /// The rows of recipients.csv by address.
    func recipients(_ campaign: String) throws -> [String: [String: String]] {
        let rows = try #require(
            try spool.recipients(campaign), "a campaign that has ended has a recipients.csv")
        return Dictionary(rows.map { ($0["address"] ?? "", $0) }) { first, _ in first }
    }

    /// Checks what holds for every test: no message twice, and SMTP as the standards want it.
    func expectHonestDialogue(_ location: SourceLocation = #_sourceLocation) {
        let seen = server.snapshot
        let twice = seen.handedOverTwice
        #expect(twice.isEmpty, "handed over again although it may have been taken", sourceLocation: location)
        #expect(seen.violations.isEmpty, "the daemon broke the rules of SMTP", sourceLocation: location)
    }

    /// The last lines that the daemon wrote, for the comments of expectations.
    var lastWords: String {
        daemon.standardError.split(separator: "\n").suffix(12).joined(separator: "\n")
    }
}

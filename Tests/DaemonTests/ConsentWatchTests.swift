import Logging
import Mailing
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(5)))
struct ConsentWatchTests {
    private let fixture: DaemonFixture

    init() throws {
        fixture = try DaemonFixture()
    }

    private func run() async {
        fixture.clock.join()
        let task = Task { [fixture] in
            await ConsentWatch(context: fixture.context).run()
            fixture.clock.leave()
        }
        await fixture.clock.run(seconds: 5)
        await task.value
    }

    private var told: [RecordingLog.Line] {
        fixture.log.lines.filter { $0.metadata["MESSAGE_ID"] == DaemonJournal.Event.consentChanged.rawValue }
    }

    @Test(arguments: [0, 1, 450])
    func `of a history that is whole nothing is said`(people: Int) async throws {
        try await fixture.record(.accepted, (0..<people).map { "reader\($0)@people.example" })
        await run()
        #expect(fixture.log.lines.isEmpty)
        #expect(fixture.context.progress.warnings.isEmpty)
    }

    @Test func `a history that was changed is told of, with the event and who has to act`() async throws {
        try await fixture.record(.accepted, (0..<450).map { "reader\($0)@people.example" })
        try await fixture.sql(
            "DROP TRIGGER consent_events_are_not_changed; UPDATE consent_events SET kind = 'refused' WHERE number = 401"
        )
        await run()
        let line = try #require(told.first)
        #expect(told.count == 1)
        #expect(line.level == .error)
        #expect(line.metadata["EVENT"] == "401")
        #expect(line.message.contains("tell whoever answers for the consent"))
        #expect(
            fixture.context.progress.warnings["consent"]
                == "the history of consent was changed, from event 401 on: see the journal")
    }
}

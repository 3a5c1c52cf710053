import Foundation
import Glibc
import Ledger
import Logging
import Mailing
import TestSupport
import Testing

@testable import Daemon

/// When the file of the metrics is written and when it goes.
@Suite(.timeLimit(.minutes(5)))
struct MetricsFileTests {
    private func file(_ fixture: DaemonFixture, in directory: String?) -> MetricsFile {
        MetricsFile(context: fixture.context, executor: QueueExecutor(label: "metrics"), runtimeDirectory: directory)
    }

    private func run(_ file: MetricsFile, _ fixture: DaemonFixture) async -> Task<Void, Never> {
        fixture.clock.join()
        let task = Task { [clock = fixture.clock] in
            await file.run()
            clock.leave()
        }
        await fixture.clock.settle()
        return task
    }

    private func end(_ file: MetricsFile, _ task: Task<Void, Never>, _ fixture: DaemonFixture) async {
        fixture.context.stopping.set()
        file.wake()
        await task.value
    }

    /// The value of a sample without labels.
    private func value(_ name: String, in text: String) -> Double? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("campaignd_\(name) ") }
        return line?.split(separator: " ").last.flatMap { Double($0) }
    }

    @Test func `is written at the start, soon after a change, seldom without one, and removed at the end`()
        async throws
    {
        let fixture = try DaemonFixture()
        let directory = try TemporaryDirectory()
        let file = file(fixture, in: directory.path)
        let task = await run(file, fixture)
        func text() throws -> String { String(decoding: try directory.read(MetricsFile.name), as: UTF8.self) }
        func age() throws -> Double {
            fixture.clock.wall.metric - (value("metrics_written_timestamp_seconds", in: try text()) ?? 0)
        }
        #expect(try age() == 0)
        #expect(value("jobs_accepted_total", in: try text()) == 0)
        var status = stat()
        #expect(stat(directory.path(MetricsFile.name), &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o644, "node_exporter is another user")

        await fixture.clock.run(seconds: 3)
        fixture.context.meters.job(isAccepted: true)
        await fixture.clock.run(seconds: 6)
        #expect(try age() == 9, "not more often than every ten seconds")
        await fixture.clock.run(seconds: 1.5)
        let isSeen = try await eventually(timeout: .seconds(20)) {
            value("jobs_accepted_total", in: try text()) == 1
        }
        #expect(isSeen)
        #expect(try age() <= 0.5)
        await fixture.clock.run(seconds: 290)
        #expect(try age() >= 290, "nothing happened")
        await fixture.clock.run(seconds: 25)
        #expect(try age() < 25, "a sign of life")
        fixture.context.meters.changed()
        let isWritten = try await eventually(timeout: .seconds(20)) { try age() == 0 }
        #expect(isWritten, "after a time of quiet a change is written at once")

        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [MetricsFile.name])
        await end(file, task, fixture)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }

    @Test func `goes where the configuration says, and moves when that changes`() async throws {
        let directory = try TemporaryDirectory()
        let fixture = try DaemonFixture(
            lines: ["[metrics]", "file = \(TestConfiguration.quoted(directory.path("one.prom")))"])
        let file = file(fixture, in: directory.path)
        let task = await run(file, fixture)
        func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory.path) }
        #expect(try names() == ["one.prom"])
        var changed = fixture.configuration
        changed.metricsFile = directory.path("two.prom")
        fixture.context.settings.replace(by: changed)
        file.wake()
        let hasMoved = try await eventually(timeout: .seconds(20)) { try names() == ["two.prom"] }
        #expect(hasMoved)
        await end(file, task, fixture)
        #expect(try names().isEmpty)
    }

    @Test(arguments: [nil, ""]) func `without a place there is no file`(configured: String?) async throws {
        let directory = try TemporaryDirectory()
        let fixture = try DaemonFixture(lines: configured.map { ["[metrics]", "file = \"\($0)\""] } ?? [])
        let file = file(fixture, in: configured == nil ? nil : directory.path)
        await file.prepare()
        let task = Task { await file.run() }
        fixture.context.meters.changed()
        await end(file, task, fixture)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }

    @Test func `trouble with the file is told once, in the status too, until it is over`() async throws {
        let fixture = try DaemonFixture()
        let directory = try TemporaryDirectory()
        let file = file(fixture, in: directory.path("gone"))
        let task = await run(file, fixture)
        await fixture.clock.run(seconds: 1000)
        let told = fixture.log.lines.filter { $0.message.contains("the metrics cannot be written") }
        #expect(told.count == 1)
        #expect(told.first?.level == .warning)
        #expect(fixture.context.progress.hindrances["metrics"]?.contains("No such file or directory") == true)
        _ = try directory.makeDirectory("gone")
        await fixture.clock.run(seconds: 301)
        #expect(fixture.context.progress.hindrances["metrics"] == nil)
        #expect(fixture.log.messages.count { $0.contains("the metrics are written again") } == 1)
        await end(file, task, fixture)
    }

    @Test func `a ledger that cannot be read leaves the other numbers`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.ledger.close()
        let text = await file(fixture, in: nil).page().text
        #expect(value("ledger_usable", in: text) == 0)
        #expect(value("incoming_drops", in: text) == 0)
        #expect(!text.contains("intents_total"))
    }

    @Test func `a refused reload is shown, and the time of the configuration stays that of the one in force`()
        async throws
    {
        let fixture = try DaemonFixture()
        let file = file(fixture, in: nil)
        func figures() async throws -> [Double] {
            let text = await file.page().text
            return try ["config_last_reload_successful", "config_loaded_timestamp_seconds", "start_time_seconds"].map {
                try #require(value($0, in: text))
            }
        }
        let start = try await figures()[2]
        #expect(try await figures() == [1, start, start], "as read at the start")
        await fixture.clock.run(seconds: 10)
        let now = fixture.clock.wall
        fixture.context.meters.reloaded(false, at: now)
        #expect(try await figures() == [0, start, start])
        fixture.context.meters.reloaded(true, at: now)
        #expect(try await figures() == [1, now.metric, start])
        await fixture.clock.run(seconds: 10)
        fixture.context.meters.reloaded(false, at: fixture.clock.wall)
        #expect(try await figures() == [0, now.metric, start])
    }

    @Test func `what was sent in the last hour before a restart counts`() async throws {
        let fixture = try DaemonFixture()
        try await fixture.plan(JobText.campaign("c", to: [.address("reader@people.example")], basis: "service"))
        await fixture.send(fixture.relay(), seconds: 10)
        let sent = try #require(fixture.auditor.dots.first?.at)
        await fixture.clock.run(seconds: 600)
        try await fixture.serve { context in
            let file = MetricsFile(
                context: context, executor: QueueExecutor(label: "metrics"), runtimeDirectory: fixture.directory.path)
            await file.prepare()
            let dots = context.meters.values(now: fixture.clock.boot).relays["default"]?.dots ?? []
            #expect(dots.count == 1)
            let seconds = Double(abs((dots.first ?? sent).nanoseconds - sent.nanoseconds)) / 1e9
            #expect(seconds < 0.1, "at about the same moment")
        }
    }

    @Test func `a reader sees the file whole, the old one or the new one`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("a.prom")
        let pages = [[UInt8](repeating: 65, count: 300_000), [UInt8](repeating: 66, count: 500_000)]
        try WholeFile.replace(path, by: pages[0])
        let reader = Task.detached {
            var seen: Set<[UInt8]> = []
            while !Task.isCancelled { seen.insert(try directory.read("a.prom")) }
            return seen
        }
        for number in 1...100 {
            try WholeFile.replace(path, by: pages[number % 2])
            await Task.yield()
        }
        reader.cancel()
        #expect(try await reader.value.subtracting(pages).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["a.prom"])
    }

    @Test func `a draft that a crash left is in nobody's way, and a link is not written through`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("a.prom")
        let other = try directory.write("precious", to: "other")
        #expect(symlink(other, directory.path(".a.prom.tmp")) == 0)
        try WholeFile.replace(path, by: Array("new".utf8))
        #expect(try directory.read("other") == Array("precious".utf8))
        #expect(try directory.read("a.prom") == Array("new".utf8))
        try directory.write("half", to: ".a.prom.tmp")
        try WholeFile.remove(path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["other"])
        try WholeFile.remove(path)
    }
}

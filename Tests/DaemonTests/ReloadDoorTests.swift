import Foundation
import Glibc
import Systemd
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(5)))
struct ReloadDoorTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Asks on a thread of its own: the call blocks.
    private func ask() throws -> Task<(words: [String], isAccepted: Bool), Never> {
        let clocks = try SystemClocks()
        return Task { [path = directory.path] in
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(returning: ReloadCommand.run(directory: path, clocks: clocks))
                }
            }
        }
    }

    @Test func `who asks is told that the new configuration is in force`() async throws {
        let door = try ReloadDoor(directory: directory.path)
        let answer = try ask()
        for await reload in door.reloads {
            reload.accepted()
            reload.ended()
            break
        }
        let (words, isAccepted) = await answer.value
        #expect(words.isEmpty && isAccepted)
        door.close()
    }

    @Test func `who asks is told each mistake, and each who asks is told those of a reading after that`() async throws {
        let door = try ReloadDoor(directory: directory.path)
        let answers = [try ask(), try ask()]
        var count = 0
        for await reload in door.reloads {
            count += 1
            reload.refused(["line \(count): no", "and no"])
            if count == 2 { break }
        }
        var first: [String] = []
        for answer in answers {
            let (words, isAccepted) = await answer.value
            #expect(words.count == 2 && words.last == "and no" && !isAccepted)
            first.append(words[0])
        }
        #expect(first.sorted() == ["line 1: no", "line 2: no"])
        door.close()
    }

    @Test func `a signal asks too, and nobody is answered`() async throws {
        let door = try ReloadDoor(directory: nil)
        // The handler is set up by a task of its own; until then the signal would end the process.
        signal(SIGHUP, SIG_IGN)
        let sender = Task {
            while !Task.isCancelled {
                kill(getpid(), SIGHUP)
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
        for await reload in door.reloads {
            reload.accepted()
            reload.refused(["nobody hears this"])
            break
        }
        sender.cancel()
        await sender.value
        door.close()
    }

    @Test func `where there is no daemon, or no systemd, that is said`() throws {
        let clocks = try SystemClocks()
        let (words, isAccepted) = ReloadCommand.run(directory: directory.path, clocks: clocks)
        #expect(words.count == 1 && words[0].hasPrefix("no daemon can be asked") && !isAccepted)
        #expect(ReloadCommand.run(directory: nil, clocks: clocks) == ([ReloadCommand.notUnderSystemd], false))
    }

    @Test func `who asks has an answer before systemd ends the asking`() {
        #expect(ReloadCommand.patience < 90, "TimeoutStartSec=, unless the unit says otherwise")
        let late = ReloadCommand.judge([], .late).words
        #expect(late.first?.contains("within \(ReloadCommand.patience) s") == true, "\(late)")
    }

    @Test(
        arguments: [
            (["accepted", "in force"], .closed, true, 0), (["a", "b", "refused"], .closed, false, 2),
            (["accepted", "a", "refused"], .closed, false, 1), (["accepted"], .late, true, 1),
            ([], .late, false, 1), ([], .closed, false, 1), (["accepted"], .closed, false, 1),
        ] as [([String], ReloadSocket.Ending, Bool, Int)])
    func `an answer without its last word counts only as far as it goes`(
        lines: [String], ending: ReloadSocket.Ending, isAccepted: Bool, words: Int
    ) {
        let verdict = ReloadCommand.judge(lines, ending)
        #expect(verdict.isAccepted == isAccepted && verdict.words.count == words, "\(verdict)")
    }
}

import Foundation
import Glibc
import TestSupport
import Testing

@testable import Systemd

@Suite(.timeLimit(.minutes(5)))
struct ReloadSocketTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private struct Answer: Equatable {
        var lines: [String] = []
        var ending: ReloadSocket.Ending
    }

    /// Asks on a thread of its own: the call blocks.
    private func ask(seconds: Int = 30) -> Task<Answer, any Error> {
        Task { [path = directory.path] in
            try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread {
                    var lines: [String] = []
                    let ending = Result {
                        try ReloadSocket.ask(
                            directory: path, seconds: seconds, now: { Int64(MonotonicClock.now()) },
                            heard: { lines.append($0) })
                    }
                    continuation.resume(with: ending.map { Answer(lines: lines, ending: $0) })
                }
            }
        }
    }

    private func next(_ socket: ReloadSocket) async throws -> ReloadRequest {
        while true {
            if let request = socket.next() { return request }
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    @Test func `who asks gets all lines of the answer, and then its end`() async throws {
        let socket = try ReloadSocket(directory: directory.path)
        let answer = ask()
        do {
            let request = try await next(socket)
            request.say(["accepted"])
            request.say(["refused", "line 3: “a\nb” is no key"])
        }
        #expect(
            try await answer.value
                == Answer(lines: ["accepted", "refused", "line 3: “a\\nb” is no key"], ending: .closed))
    }

    @Test func `two who ask at once get each an answer of their own`() async throws {
        let socket = try ReloadSocket(directory: directory.path)
        let asked = [ask(), ask()]
        do {
            let (first, second) = (try await next(socket), try await next(socket))
            second.say(["second"])
            first.say(["first"])
        }
        var answers: [[String]] = []
        for one in asked { answers.append(try await one.value.lines) }
        #expect(answers.sorted { $0[0] < $1[0] } == [["first"], ["second"]])
    }

    @Test func `a daemon that ends before it has answered is noticed`() async throws {
        var socket: ReloadSocket? = try ReloadSocket(directory: directory.path)
        let answer = ask()
        if let socket { _ = try await next(socket) }
        socket = nil
        #expect(try await answer.value == Answer(ending: .closed))
    }

    @Test func `a daemon that is silent is not waited for without end`() async throws {
        let socket = try ReloadSocket(directory: directory.path)
        #expect(try await ask(seconds: 1).value == Answer(ending: .late))
        #expect(socket.next() != nil)
    }

    @Test func `a daemon that says a little now and then is not waited for longer than one that is silent`()
        async throws
    {
        let socket = try ReloadSocket(directory: directory.path)
        let answer = ask(seconds: 1)
        do {
            let request = try await next(socket)
            for number in 1...8 {
                request.say(["line \(number)"])
                try await Task.sleep(for: .milliseconds(400))
            }
        }
        let heard = try await answer.value
        #expect(heard.ending == .late)
        #expect(heard.lines.count < 8, "\(heard.lines)")
    }

    @Test func `a daemon that does not look is not waited for without end, however many ask`() async throws {
        let socket = try ReloadSocket(directory: directory.path)
        // The kernel keeps 17 of them.
        for answer in (1...20).map({ _ in ask(seconds: 1) }) {
            #expect(try await answer.value == Answer(ending: .late))
        }
        #expect(socket.next() != nil)
    }

    @Test func `where no daemon is, or only the socket of one that is gone, that is said`() async throws {
        await #expect(throws: ReloadSocketError.self) { try await ask().value }
        do { _ = try ReloadSocket(directory: directory.path) }
        let error = try await #require(throws: ReloadSocketError.self) { try await ask().value }
        #expect(error.code == ECONNREFUSED)
        let socket = try ReloadSocket(directory: directory.path)
        #expect(socket.next() == nil, "the new one took the place of the old one")
    }

    @Test func `who asks and does not wait does no harm`() async throws {
        let socket = try ReloadSocket(directory: directory.path)
        let request: ReloadRequest
        do {
            let answer = ask(seconds: 1)
            request = try await next(socket)
            _ = try await answer.value
        }
        request.say(["too late"])
    }

    @Test func `nobody but the user of the daemon may ask`() throws {
        _ = try ReloadSocket(directory: directory.path)
        var status = stat()
        #expect(stat(directory.path("reload"), &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func `a directory whose name is too long for a socket is refused in words`() {
        #expect(throws: ReloadSocketError.self) {
            try ReloadSocket(directory: "/" + String(repeating: "x", count: 107))
        }
    }
}

import Logging
import Synchronization

/// Keeps what was logged, and wakes who waits for it.
final class RecordingLog: Sendable {
    struct Line: Sendable {
        var level: Logger.Level
        var message: String
        var metadata: [String: String]
    }

    private struct State {
        var lines: [Line] = []
        var watchers: [(text: String, count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var logger: Logger {
        Logger(label: "tests") { _ in Handler(log: self) }
    }

    var lines: [Line] { state.withLock { $0.lines } }
    var messages: [String] { lines.map(\.message) }

    /// Returns when so many lines contain a text.
    func said(_ text: String, times: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isPast = state.withLock { state in
                if state.lines.count(where: { $0.message.contains(text) }) >= times { return true }
                state.watchers.append((text, times, continuation))
                return false
            }
            if isPast { continuation.resume() }
        }
    }

    private func add(_ line: Line) {
        let woken = state.withLock { state in
            state.lines.append(line)
            let lines = state.lines
            let isDone = { (text: String, count: Int) in
                lines.count(where: { $0.message.contains(text) }) >= count
            }
            let woken = state.watchers.filter { isDone($0.text, $0.count) }.map(\.continuation)
            state.watchers.removeAll { isDone($0.text, $0.count) }
            return woken
        }
        for continuation in woken { continuation.resume() }
    }

    private struct Handler: LogHandler {
        let log: RecordingLog
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).mapValues { "\($0)" }
            log.add(Line(level: event.level, message: "\(event.message)", metadata: fields))
        }
    }
}

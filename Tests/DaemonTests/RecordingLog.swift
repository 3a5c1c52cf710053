import Logging
import Synchronization

/// Keeps what was logged.
final class RecordingLog: Sendable {
    struct Line: Sendable {
        var level: Logger.Level
        var message: String
        var metadata: [String: String]
    }

    private let state = Mutex<[Line]>([])

    var logger: Logger {
        Logger(label: "tests") { _ in Handler(log: self) }
    }

    var lines: [Line] { state.withLock { $0 } }
    var messages: [String] { lines.map(\.message) }

    private func add(_ line: Line) {
        state.withLock { $0.append(line) }
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

import Mailing

/// Faults of a job, for people: `FILE:LINE:COLUMN: POINTER: sentence`, as compilers write it.
enum FaultText {
    static func line(_ error: JobError) -> String {
        var place = error.file
        if let line = error.line { place += ":\(line)" + (error.column.map { ":\($0)" } ?? "") }
        let pointer = error.pointer.map { $0.isEmpty ? "" : "\($0): " } ?? ""
        return "\(place): \(pointer)\(error.message)"
    }

    static func output(_ error: JobError) -> ErrorOutput {
        ErrorOutput(
            pointer: error.pointer, line: error.line, column: error.column, file: error.file, message: error.message)
    }
}

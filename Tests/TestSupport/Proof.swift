import Foundation

/// Counts what was tried to break the promise and what came of it, for the table of `make prove`.
///
/// Lines are appended to the file that CAMPAIGND_PROOF names; without it nothing is written.
package enum Proof {
    /// What is counted.
    package enum Measure: String, Sendable, CaseIterable {
        /// Points at which a fault was put in.
        case steps
        case crashes
        /// Random worlds from seeds.
        case worlds
        case mutants
        case mutantsFound
        /// Messages that a relay may have taken more than once.
        case doubles
        /// Messages that are sent by the record, and that no relay took; or that are not named at all.
        case losses
        /// Doubt for which there was no cause, and whatever else should not be.
        case unexplained
    }

    /// Whether everything is to be tried, and not only a part that fits into a test run.
    package static var isWhole: Bool { ProcessInfo.processInfo.environment["CAMPAIGND_PROVE"] == "1" }

    /// Adds to a measure of one kind of trial, such as “syscall sweep”.
    package static func count(_ trial: String, _ measure: Measure, _ number: Int) {
        guard let path = ProcessInfo.processInfo.environment["CAMPAIGND_PROOF"], !path.isEmpty else { return }
        let line = "\(trial)\t\(measure.rawValue)\t\(number)\n"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let written = line.utf8.withContiguousStorageIfAvailable { write(descriptor, $0.baseAddress, $0.count) }
        precondition(written == line.utf8.count, "the figures of the proof cannot be written to \(path)")
    }
}

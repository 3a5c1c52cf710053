import Foundation
import TestSupport

/// The library of `interpose/interpose.c`, built for one test: it strikes the n-th call of a daemon that changes a
/// file or sends to a relay, and writes down all of them.
final class Interposer: Sendable {
    private let directory: TemporaryDirectory
    /// For LD_PRELOAD.
    let library: String

    /// Builds it with the C compiler of the machine, or the one that comes with Swift.
    init() async throws {
        directory = try TemporaryDirectory()
        library = directory.path("interpose.so")
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("interpose")
        let compiler = try await runProcess(["sh", "-c", "command -v cc || command -v clang"]).outputText
        let built = try await runProcess([
            compiler.trimmingCharacters(in: .whitespacesAndNewlines), "-std=gnu11", "-O1", "-Wall", "-Wextra", "-fPIC",
            "-shared", "-o", library, sources.path + "/interpose.c", sources.path + "/strike.c", "-ldl", "-lpthread",
        ])
        guard built.status == 0, built.error.isEmpty else {
            throw TestSupportError("the interposed library cannot be built: \(built.errorText)")
        }
    }

    /// What is to happen at the n-th call of one run of the daemon.
    struct Plan: Sendable {
        enum Strike: Sendable, Hashable {
            /// The process ends in place of the call.
            case kill
            /// Half of what was to be written or sent is, then the process ends.
            case tear
            /// This call fails with an errno.
            case fail(Int32)
            /// This call and all of its kind from then on fail, until the fault is lifted.
            case failUntilLifted(Int32)
        }

        /// From 1; 0 for never.
        var at = 0
        var strike = Strike.kill
        /// Count from the start of the process and not from the drop.
        var isFromStart = false
        /// What is sent has no number and is not struck.
        var isFilesOnly = false
        /// Record what is written and sent too.
        var hasBytes = false

        /// Strikes nothing and records.
        static let recording = Plan(isFromStart: true, hasBytes: true)

        var isKill: Bool { strike == .kill || strike == .tear }
    }

    /// The environment of a daemon that keeps all its files in `directory`.
    ///
    /// - Parameter run: a name for the files of this run: its record, and what lifts its fault.
    func environment(_ plan: Plan, in directory: TemporaryDirectory, run: String) -> [String: String] {
        var values = [
            "LD_PRELOAD": library, "INTERPOSE_ROOT": directory.path, "INTERPOSE_AT": "\(plan.at)",
            "INTERPOSE_RECORD": directory.path("\(run).record"), "INTERPOSE_BYTES": plan.hasBytes ? "1" : "0",
        ]
        if plan.isFilesOnly { values["INTERPOSE_FILES_ONLY"] = "1" }
        if !plan.isFromStart { values["INTERPOSE_TRIGGER"] = directory.path("dropped") }
        switch plan.strike {
        case .kill: values["INTERPOSE_HOW"] = "kill"
        case .tear: values["INTERPOSE_HOW"] = "tear"
        case .fail(let code): values["INTERPOSE_HOW"] = "\(code)"
        case .failUntilLifted(let code):
            values["INTERPOSE_HOW"] = "\(code)"
            values["INTERPOSE_LIFTED"] = directory.path("\(run).lifted")
        }
        return values
    }
}

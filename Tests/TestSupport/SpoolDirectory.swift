import Foundation
import Glibc

/// The producer's side of a spool: drops jobs as the drop protocol asks, and reads the answers.
package struct SpoolDirectory: Sendable {
    /// Absolute.
    package let path: String

    /// Makes `incoming/` and `tmp/` if they are missing; the rest is the daemon's.
    package init(path: String) throws {
        self.path = path
        for name in ["incoming", "tmp"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
        }
    }

    /// Drops one file: written in `tmp/`, fsynced, renamed into `incoming/`.
    ///
    /// - Parameter name: with or without `.json`.
    /// - Returns: the moment just before the rename, by `MonotonicClock`.
    @discardableResult
    package func dropFile(_ name: String, json: String) throws -> UInt64 {
        let file = name.hasSuffix(".json") ? name : "\(name).json"
        let temporary = "\(path)/tmp/\(file)"
        try write(Array(json.utf8), to: temporary)
        return try rename(temporary, into: file)
    }

    /// Drops a directory with `job.json` and the files it names, by one rename.
    ///
    /// - Parameters:
    ///   - name: with or without `.job`.
    ///   - files: by their paths in the bundle.
    /// - Returns: the moment just before the rename, by `MonotonicClock`.
    @discardableResult
    package func dropBundle(_ name: String, json: String? = nil, files: [String: [UInt8]]) throws -> UInt64 {
        let directory = name.hasSuffix(".job") ? name : "\(name).job"
        let temporary = "\(path)/tmp/\(directory)"
        try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
        var all = files
        if let json { all["job.json"] = Array(json.utf8) }
        for (file, bytes) in all {
            let parent = URL(fileURLWithPath: "\(temporary)/\(file)").deletingLastPathComponent().path
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
            try write(bytes, to: "\(temporary)/\(file)")
        }
        try synchronize(temporary)
        return try rename(temporary, into: directory)
    }

    /// The names in one of the spool's directories, sorted; none if it does not exist.
    package func names(in directory: String) -> [String] {
        let entries = try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(directory)")
        return (entries ?? []).sorted()
    }

    /// The receipt of a drop, by its name without suffix; nil if there is none yet.
    package func receipt(_ name: String) throws -> JobReceipt? {
        guard let data = try data("receipts/\(name)/receipt.json") else { return nil }
        return JobReceipt(json: try JSONValue(parsing: data))
    }

    /// The rows of `recipients.csv` by column name; nil if it has not been written.
    package func recipients(_ name: String) throws -> [[String: String]]? {
        try data("receipts/\(name)/recipients.csv").map { CSVText.rows(String(decoding: $0, as: UTF8.self)) }
    }

    /// Waits for a receipt that satisfies `condition` and returns it.
    ///
    /// Throws when `timeout` passes, with the last receipt, or when a receipt cannot be read.
    @discardableResult
    package func waitForReceipt(
        _ name: String, timeout: Duration = .seconds(20), where condition: (JobReceipt) -> Bool = { _ in true }
    ) async throws -> JobReceipt {
        var last: JobReceipt?
        let found = try await eventually(timeout: timeout, every: .milliseconds(10)) {
            last = try receipt(name)
            return last.map(condition) ?? false
        }
        guard found, let last else {
            let seen = last.map { "the last one is \($0.json.text)" } ?? "there is none"
            throw TestSupportError("no such receipt for \(name) within \(timeout): \(seen)")
        }
        return last
    }

    /// Waits until the receipt has one of these states.
    @discardableResult
    package func waitForState(
        _ name: String, _ states: String..., timeout: Duration = .seconds(20)
    ) async throws -> JobReceipt {
        try await waitForReceipt(name, timeout: timeout) { states.contains($0.state) }
    }

    private func data(_ relative: String) throws -> Data? {
        do {
            return try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(relative)"))
        } catch CocoaError.fileReadNoSuchFile, CocoaError.fileNoSuchFile {
            return nil
        }
    }

    private func write(_ bytes: [UInt8], to file: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        try synchronize(file)
    }

    private func synchronize(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TestSupportError.systemCall("could not open \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw TestSupportError.systemCall("could not fsync \(path)") }
    }

    private func rename(_ temporary: String, into name: String) throws -> UInt64 {
        let moment = MonotonicClock.now()
        guard Glibc.rename(temporary, "\(path)/incoming/\(name)") == 0 else {
            throw TestSupportError.systemCall("could not rename \(temporary) into incoming")
        }
        try synchronize("\(path)/incoming")
        return moment
    }
}

/// What the daemon says of a job.
package struct JobReceipt: Sendable {
    /// All of it.
    package let json: JSONValue

    package init(json: JSONValue) {
        self.json = json
    }

    /// One complaint about a job.
    package struct Complaint: Sendable, Equatable {
        /// The file that it is about.
        package let file: String
        /// What is wrong, for a person.
        package let message: String
        /// RFC 6901, where it applies.
        package let pointer: String?
        /// From 1, where it applies.
        package let line: Int?
        /// From 1, where it applies.
        package let column: Int?
    }

    /// Empty if the receipt has none, which is a fault.
    package var state: String { json["state"]?.string ?? "" }
    /// The job's id, as far as it could be read.
    package var job: String? { json["job"]?.string }
    /// The job's kind, as far as it could be read.
    package var kind: String? { json["kind"]?.string }
    /// Recipients by the state of their delivery, and `recipients` for all.
    package var counts: [String: Int] { json["counts"]?.integers ?? [:] }
    /// Withheld recipients by reason.
    package var withheld: [String: Int] { json["withheld"]?.integers ?? [:] }
    /// Recipients by the state of their consent.
    package var consent: [String: Int] { json["consent"]?.integers ?? [:] }
    /// Why a paused campaign is paused.
    package var pausedBecause: String? { json["pausedBecause"]?.string }
    /// How many times the same was dropped again.
    package var repeats: Int { json["repeats"]?.integer ?? 0 }
    /// Each warning as text.
    package var warnings: [String] {
        (json["warnings"]?.array ?? []).map { $0.string ?? $0["message"]?.string ?? $0.text }
    }
    /// Why the job was rejected.
    package var errors: [Complaint] {
        (json["errors"]?.array ?? []).map { error in
            Complaint(
                file: error["file"]?.string ?? "", message: error["message"]?.string ?? "",
                pointer: error["pointer"]?.string, line: error["line"]?.integer, column: error["column"]?.integer)
        }
    }

    /// One of `counts`; 0 if it is not there.
    package func count(_ name: String) -> Int { counts[name] ?? 0 }
}

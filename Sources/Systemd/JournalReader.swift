import CSystemd
import Foundation
import Glibc

/// Reads the system journal of this machine.
///
/// Each call opens the journal and closes it again, and may read files for as long as the journal is large: call it
/// where blocking is allowed. See sd_journal_open(3), sd_journal_add_match(3), sd_journal_get_data(3).
package struct JournalReader: Sendable {
    /// One entry, with the fields that were asked for.
    package struct Entry: Sendable, Equatable {
        /// When journald recorded it: microseconds since 1970-01-01T00:00:00Z.
        package var realtime: Int64
        /// The same moment in microseconds of CLOCK_MONOTONIC; comparable within one boot.
        package var monotonic: Int64
        /// As /proc/sys/kernel/random/boot_id shows it.
        package var bootID: String
        /// The first value of each field that the entry has. Bytes that are no UTF-8 are replaced.
        package var fields: [String: String]
    }

    /// Which entries are wanted.
    package struct Query: Sendable, Equatable {
        /// For each field the values of which an entry must have one.
        package var matches: [String: [String]]
        /// Microseconds since 1970-01-01T00:00:00Z; nil for the whole journal.
        package var since: Int64?
        /// The fields to be read.
        package var fields: [String]
        /// No more entries than this.
        package var limit: Int

        package init(matches: [String: [String]], since: Int64? = nil, fields: [String], limit: Int) {
            self.matches = matches
            self.since = since
            self.fields = fields
            self.limit = limit
        }
    }

    /// Why the journal could not be read, in words.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String

        init(_ what: String, code: Int32) {
            let reason = String(cString: strerror(-code))
            let isRefused = -code == EACCES || -code == EPERM
            let advice = isRefused ? "; the user of the service must be in the group systemd-journal" : ""
            description = "the journal cannot be \(what): \(reason)\(advice)"
        }
    }

    private let directory: String?

    /// - Parameter directory: where the files of the journal are; nil for the system journal of this machine.
    package init(directory: String? = nil) {
        self.directory = directory
    }

    /// The oldest entry that may be read: microseconds since 1970-01-01T00:00:00Z. Nil if there is none, which is also
    /// what a user sees who may not read the journal.
    package func oldest() throws(Failure) -> Int64? {
        let journal = try open()
        defer { sd_journal_close(journal) }
        var from: UInt64 = 0
        let result = sd_journal_get_cutoff_realtime_usec(journal, &from, nil)
        guard result >= 0 else { throw Failure("read", code: result) }
        return result == 0 ? nil : Int64(from)
    }

    /// Gives each entry of a query in the order of the journal until `body` returns false or the limit is reached.
    /// Returns whether there is more.
    @discardableResult
    package func read(_ query: Query, _ body: (Entry) -> Bool) throws(Failure) -> Bool {
        try walk(query, backwards: false, body)
    }

    /// The latest entries, the newest first.
    package func latest(_ query: Query) throws(Failure) -> [Entry] {
        var entries: [Entry] = []
        _ = try walk(query, backwards: true) { entry in
            entries.append(entry)
            return true
        }
        return entries
    }

    /// The values of a field in the latest entries that match, the newest first. Entries without the field are left
    /// out, and count for the limit.
    package func lastValues(of field: String, where matches: [String: String], limit: Int) throws(Failure) -> [String] {
        let query = Query(matches: matches.mapValues { [$0] }, fields: [field], limit: limit)
        return try latest(query).compactMap { $0.fields[field] }
    }

    private func open() throws(Failure) -> OpaquePointer {
        var journal: OpaquePointer?
        let result: Int32
        if let directory {
            result = sd_journal_open_directory(&journal, directory, 0)
        } else {
            result = sd_journal_open(&journal, Int32(SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM))
        }
        guard result >= 0, let journal else { throw Failure("opened", code: result) }
        // Longer values are cut: nothing that is looked for is.
        sd_journal_set_data_threshold(journal, 16_384)
        return journal
    }

    @discardableResult
    private func walk(_ query: Query, backwards: Bool, _ body: (Entry) -> Bool) throws(Failure) -> Bool {
        let journal = try open()
        defer { sd_journal_close(journal) }
        // Values of one field are alternatives, fields are not.
        for (name, values) in query.matches {
            for value in values {
                let match = Array("\(name)=\(value)".utf8)
                try check("searched", sd_journal_add_match(journal, match, match.count))
            }
        }
        if backwards {
            try check("read", sd_journal_seek_tail(journal))
        } else if let since = query.since {
            try check("read", sd_journal_seek_realtime_usec(journal, UInt64(max(0, since))))
        } else {
            try check("read", sd_journal_seek_head(journal))
        }
        var count = 0
        while try check("read", backwards ? sd_journal_previous(journal) : sd_journal_next(journal)) > 0 {
            guard count < query.limit else { return true }
            let entry = try entry(journal, query.fields)
            if let since = query.since, entry.realtime < since {
                if backwards { return false }
                continue
            }
            count += 1
            guard body(entry) else { return true }
        }
        return false
    }

    private func entry(_ journal: OpaquePointer, _ names: [String]) throws(Failure) -> Entry {
        var realtime: UInt64 = 0
        var monotonic: UInt64 = 0
        var boot = sd_id128_t()
        try check("read", sd_journal_get_realtime_usec(journal, &realtime))
        try check("read", sd_journal_get_monotonic_usec(journal, &monotonic, &boot))
        var fields: [String: String] = [:]
        for name in names {
            var bytes: UnsafeRawPointer?
            var length = 0
            let result = sd_journal_get_data(journal, name, &bytes, &length)
            if result == -ENOENT { continue }
            try check("read", result)
            // The value comes with its name and “=” in front.
            let data = UnsafeRawBufferPointer(start: bytes, count: length).dropFirst(name.utf8.count + 1)
            fields[name] = String(decoding: data, as: UTF8.self)
        }
        return Entry(
            realtime: Int64(realtime), monotonic: Int64(monotonic), bootID: Self.text(of: boot), fields: fields)
    }

    /// sd_id128_t as the kernel writes it, with hyphens.
    private static func text(of id: sd_id128_t) -> String {
        withUnsafeBytes(of: id) { bytes in UUID(uuid: bytes.loadUnaligned(as: uuid_t.self)).uuidString.lowercased() }
    }

    @discardableResult
    private func check(_ what: String, _ result: Int32) throws(Failure) -> Int32 {
        guard result >= 0 else { throw Failure(what, code: result) }
        return result
    }
}

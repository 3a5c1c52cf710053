import Foundation
import Mailing
import Relay
import TOMLKit

/// Reads the configuration file. Every mistake is named with file, line and key.
package enum ConfigurationFile {
    /// All that is wrong with a file; its description is what the administrator reads.
    package struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
        package var mistakes: [String]
        /// Nothing is known to be wrong with the file, but the system could not tell of users or groups in it: later it
        /// may be good as it is.
        package var mayPass = false

        package var description: String { mistakes.joined(separator: "\n") }
    }

    package static func load(
        _ path: String, names: AccountNames = .ofTheSystem
    ) throws(Invalid) -> Configuration {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw Invalid(mistakes: ["\(path): the configuration cannot be read: \(error.localizedDescription)"])
        }
        return try read(text, path: path, names: names)
    }

    /// - Parameters:
    ///   - path: Where the text stands; relative paths in it count from there.
    ///   - names: Who tells the numbers of users and groups.
    package static func read(
        _ text: String, path: String, names: AccountNames = .ofTheSystem
    ) throws(Invalid) -> Configuration {
        let document: ConfigurationDocument
        do {
            let table = try TOMLTable(string: text)
            // TOMLKit frees nothing by itself, and a daemon reads its configuration again and again. Its copies of keys
            // and texts stay: a few kilobytes each time.
            defer { table.clear() }
            document = try TOMLDecoder(strictDecoding: true).decode(ConfigurationDocument.self, from: table)
        } catch {
            throw Invalid(mistakes: [mistake(error, text: text, path: path)])
        }
        var checker = ConfigurationChecker(text: text, path: path, names: names)
        let configuration = checker.check(document)
        guard let configuration, checker.mistakes.isEmpty else {
            throw Invalid(mistakes: checker.mistakes, mayPass: checker.mayPass)
        }
        return configuration
    }

    private static func mistake(_ error: any Error, text: String, path: String) -> String {
        switch error {
        case let error as TOMLParseError:
            return "\(path):\(error.source.begin.line): this is not TOML: \(error.description)"
        case let error as UnexpectedKeysError:
            let keys = error.keys.map { name(of: $0.key, at: $0.value) }.sorted()
            let places = keys.map { key in
                "\(path):\(KeyPlaces.line(of: key, in: text)): \(key): there is no such key"
            }
            return places.joined(separator: "\n")
        case DecodingError.keyNotFound(let key, let context):
            let name = name(of: key.stringValue, at: context.codingPath)
            // The decoder says this of a value of another type too.
            let complaint = KeyPlaces.isWritten(name, in: text) ? "the value has the wrong type" : "this key is missing"
            return "\(path):\(KeyPlaces.line(of: name, in: text)): \(name): \(complaint)"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context):
            let name = context.codingPath.map(\.stringValue).joined(separator: ".")
            return "\(path):\(KeyPlaces.line(of: name, in: text)): \(name): the value has the wrong type"
        default:
            return "\(path): \(error)"
        }
    }

    /// The dotted name of a key; the decoder's paths may or may not end in the key itself.
    private static func name(of key: String, at path: [any CodingKey]) -> String {
        var parts = path.map(\.stringValue)
        if parts.last != key { parts.append(key) }
        return parts.joined(separator: ".")
    }
}

/// The file as it is written, before anything is checked.
struct ConfigurationDocument: Decodable {
    struct SpoolSection: Decodable {
        var directory: String
    }

    struct LedgerSection: Decodable {
        var path: String
    }

    struct WindowSection: Decodable {
        var days: [String]
        var from: String
        var to: String
        var time_zone: String
    }

    struct DomainSection: Decodable {
        var messages_per_hour: Int
    }

    struct RelaySection: Decodable {
        var url: String
        var messages_per_hour: Int
        var username: String?
        var password_credential: String?
        var password_file: String?
        var senders: [String]?
        var ca_file: String?
        var tls: String?
        var hello_name: String?
        var connect_timeout: Int?
        var final_reply_timeout: Int?
        var idle_timeout: Int?
        var idempotency_header: String?
        var idempotency_hours: Int?
        var settle_by_journal: Bool?
        var window: WindowSection?
        var domains: [String: DomainSection]?
    }

    struct SendingSection: Decodable {
        var messages_per_hour: Int?
        var test_recipients: [String]?
        var pause_after_uncertain: Int?
        var retry_after: [Int]?
        var greylisting_retry_after: Int?
        var bounce_address: String?
        var language: String?
        var unsubscribe_url: String?
        var hold_after_downtime: Int?
    }

    struct ConsentSection: Decodable {
        var recipient_channels: [String]?
        var renewal_days: Int?
    }

    struct SubmittersSection: Decodable {
        var users: [String]?
        var groups: [String]?
        var kinds: [String]?
        var bases: [String]?
        var senders: [String]?
        var reports_to: [String]?
        var purposes: [String]?
        var relays: [String]?
        var controls: String?
        var pending_jobs: Int?
        var pending_bytes: Int?
        var recipients: Int?
    }

    struct PresetsSection: Decodable {
        var directory: String
    }

    struct JournalSection: Decodable {
        var addresses: String?
        var postfix_user: String?
    }

    struct MetricsSection: Decodable {
        var file: String?
    }

    var spool: SpoolSection
    var ledger: LedgerSection
    var relays: [String: RelaySection]
    var sending: SendingSection?
    var consent: ConsentSection?
    var submitters: [String: SubmittersSection]?
    var presets: PresetsSection?
    var journal: JournalSection?
    var metrics: MetricsSection?
}

/// Finds the line of a key in TOML text, for messages only.
enum KeyPlaces {
    /// The line of a dotted key; that of its table if the key is not written; 1 if neither is.
    static func line(of key: String, in text: String) -> Int {
        let parts = key.split(separator: ".").map(String.init)
        var table: [String] = []
        var best = (line: 1, depth: 0)
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            if trimmed.hasPrefix("["), let end = trimmed.firstIndex(of: "]") {
                table = path(trimmed[trimmed.index(after: trimmed.startIndex)..<end])
                if parts.starts(with: table), table.count > best.depth { best = (index + 1, table.count) }
            } else if let equals = trimmed.firstIndex(of: "="), !trimmed.hasPrefix("#") {
                let full = table + path(trimmed[..<equals])
                if parts.starts(with: full), full.count > best.depth { best = (index + 1, full.count) }
            }
        }
        return best.line
    }

    /// Whether a dotted key is given a value in the text.
    static func isWritten(_ key: String, in text: String) -> Bool {
        let parts = key.split(separator: ".").map(String.init)
        let line = text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(line(of: key, in: text) - 1)
            .first
        guard let line, let equals = line.firstIndex(of: "=") else { return false }
        return path(line[..<equals]).last == parts.last
    }

    private static func path(_ text: some StringProtocol) -> [String] {
        text.split(separator: ".").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " \t\"'")) }
    }
}

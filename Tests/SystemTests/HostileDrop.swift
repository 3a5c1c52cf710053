import Foundation
import Glibc
import TestSupport

/// Something in incoming/ that can never be a job.
struct HostileDrop: Sendable {
    enum Content: Sendable {
        case file([UInt8])
        case bundle([String: [UInt8]])
        /// Makes the entry at the path that it gets.
        case made(@Sendable (String) throws -> Void)
    }

    /// The name in incoming/.
    let entry: String
    /// The name of the receipt, or how it begins if the entry's name is too long for one.
    let receipt: String
    let content: Content

    init(_ entry: String, receipt: String? = nil, _ content: Content) {
        self.entry = entry
        self.receipt = receipt ?? HostileDrop.stem(entry)
        self.content = content
    }

    /// A NAME.json of this text.
    init(_ name: String, text: String) {
        self.init("\(name).json", .file(Array(text.utf8)))
    }

    /// A NAME.job with this job.json and these files.
    init(_ name: String, job: String, files: [String: String] = [:]) {
        var all = files.mapValues { Array($0.utf8) }
        all["job.json"] = Array(job.utf8)
        self.init("\(name).job", .bundle(all))
    }

    private static func stem(_ entry: String) -> String {
        for suffix in [".json", ".job"] where entry.hasSuffix(suffix) { return String(entry.dropLast(suffix.count)) }
        return entry
    }

    /// Makes the entry under `tmp/` and renames it into `incoming/`.
    func drop(into spool: SpoolDirectory) throws {
        let temporary = "\(spool.path)/tmp/hostile"
        switch content {
        case .file(let bytes):
            try Data(bytes).write(to: URL(fileURLWithPath: temporary))
        case .bundle(let files):
            try HostileDrop.makeBundle(temporary, files)
        case .made(let make):
            try make(temporary)
        }
        guard rename(temporary, "\(spool.path)/incoming/\(entry)") == 0 else {
            throw TestSupportError("\(entry) cannot be renamed into incoming/: errno \(errno)")
        }
    }

    static func makeBundle(_ path: String, _ files: [String: [UInt8]]) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, bytes) in files {
            let place = URL(fileURLWithPath: "\(path)/\(name)")
            try FileManager.default.createDirectory(
                at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: place)
        }
    }

    /// Throws unless a system call went well.
    static func check(_ result: Int32, _ what: String) throws {
        guard result == 0 else { throw TestSupportError("\(what): \(String(cString: strerror(errno)))") }
    }
}

extension HostileDrop {
    static let all = names + notJSON + keys + values + meaning + bundles + specialFiles

    private static func campaign(_ extra: [String: JSONValue] = [:], without: Set<String> = []) -> String {
        JobText.campaign("hostile", to: [.address("reader@readers.example")], extra: extra, without: without)
    }

    private static let harmless = Array(campaign().utf8)

    /// Names that are none, of contents that would do.
    private static let names = [
        HostileDrop("bad name.json", receipt: "bad%20name", .file(harmless)),
        HostileDrop("-dash.json", receipt: "%2Ddash", .file(harmless)),
        HostileDrop("line\nbreak.json", receipt: "line%0Abreak", .file(harmless)),
        HostileDrop("caf\u{E9}.json", receipt: "caf%C3%A9", .file(harmless)),
        HostileDrop("$(reboot).json", receipt: "%24%28reboot%29", .file(harmless)),
        HostileDrop(String(repeating: "n", count: 200) + ".json", receipt: "nnnnnnnn", .file(harmless)),
        HostileDrop("wrong-suffix.txt", .file(harmless)),
        HostileDrop("no-suffix", .file(harmless)),
        HostileDrop("capital-suffix.JSON", .file(harmless)),
        HostileDrop("directory.json", .bundle(["job.json": harmless])),
        HostileDrop("file.job", .file(harmless)),
    ]

    private static let notJSON = [
        HostileDrop("json-empty", text: ""),
        HostileDrop("json-blank", text: " \n\t\n"),
        HostileDrop("json-cut-off", text: #"{"kind":"control","id":"#),
        HostileDrop("json-trailing-comma", text: #"{"kind":"control","id":"a","campaign":"b","action":"pause",}"#),
        HostileDrop("json-comment", text: "{ // a remark\n\"kind\":\"control\"}"),
        HostileDrop("json-single-quotes", text: "{'kind':'control'}"),
        HostileDrop("json-two-values", text: "{}{}"),
        HostileDrop("json-array", text: "[]"),
        HostileDrop("json-null", text: "null"),
        HostileDrop("json-raw-newline", text: "{\"kind\":\"con\ntrol\"}"),
        HostileDrop("json-nested", text: String(repeating: "[", count: 100_000)),
        HostileDrop("json-nested-objects", text: String(repeating: #"{"a":"#, count: 100_000)),
        HostileDrop("json-huge-number", text: #"{"kind":"control","id":1e999999999}"#),
        HostileDrop("json-long-number", text: #"{"kind":\#(String(repeating: "9", count: 100_000))}"#),
        HostileDrop("json-lone-surrogate", text: #"{"kind":"control","id":"\ud800"}"#),
        HostileDrop("json-nul", text: #"{"kind":"control","id":"a\u0000b"}"#),
        HostileDrop("json-mark.json", receipt: "json-mark", .file([0xEF, 0xBB, 0xBF] + harmless)),
        HostileDrop("json-utf16.json", receipt: "json-utf16", .file([0xFF, 0xFE] + harmless.flatMap { [$0, 0] })),
        HostileDrop("json-not-utf8.json", .file(Array(#"{"kind":"#.utf8) + [0x22, 0xC3, 0x28, 0x22, 0x7D])),
        HostileDrop("json-random.json", .file((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 5) })),
    ]

    private static let keys = [
        HostileDrop("key-twice", text: #"{"kind":"control","kind":"control","id":"a"}"#),
        HostileDrop("key-unknown", text: campaign(["colour": "red"])),
        HostileDrop("key-unknown-inside", text: campaign(["from": ["address": "news@library.example", "bcc": "x"]])),
        HostileDrop("kind-missing", text: #"{"id":"a"}"#),
        HostileDrop("kind-unknown", text: #"{"kind":"erupt","id":"a"}"#),
        HostileDrop("no-subject", text: campaign(without: ["subject"])),
        HostileDrop("no-recipients", text: campaign(["recipients": []])),
        HostileDrop("no-body", text: campaign(without: ["text"])),
        HostileDrop("null-subject", text: campaign(["subject": nil])),
        HostileDrop("number-for-subject", text: campaign(["subject": 7])),
        HostileDrop("id-climbs", text: campaign(["id": "../../etc/passwd"])),
    ]

    private static let values = [
        HostileDrop("break-in-subject", text: campaign(["subject": "News\r\nBcc: all@readers.example"])),
        HostileDrop("break-in-name", text: campaign(["from": ["name": "A\nB", "address": "news@library.example"]])),
        HostileDrop("break-in-sender", text: campaign(["from": ["address": "news@library.example\r\nRCPT TO:<x@y>"]])),
        HostileDrop(
            "break-in-recipient", text: campaign(["recipients": [["address": "a@readers.example\r\nDATA"]]])),
        HostileDrop("no-address", text: campaign(["recipients": [["address": "not an address"]]])),
        HostileDrop("long-string", text: campaign(["subject": .string(String(repeating: "x", count: 5_000_000))])),
        HostileDrop("long-body", text: campaign(["text": .string(String(repeating: "line\n", count: 1_000_000))])),
        HostileDrop("no-date", text: campaign(["sendAfter": "2026-02-30T00:00:00Z"])),
        HostileDrop("line-separator", text: campaign(["subject": "a\u{2028}b"])),
    ]

    private static let meaning = [
        HostileDrop("relay-unknown", text: campaign(["relays": ["nowhere"]])),
        HostileDrop("sender-not-allowed", text: campaign(["from": ["address": "news@elsewhere.example"]])),
        HostileDrop("group-unknown", text: campaign(["recipients": [["group": "nobody"]]])),
        HostileDrop("expired", text: campaign(["expires": "2020-01-01T00:00:00Z"])),
        HostileDrop(
            "expires-first",
            text: campaign(["sendAfter": "2999-01-02T00:00:00Z", "expires": "2999-01-01T00:00:00Z"])),
        HostileDrop("template-partial", text: campaign(["text": "{{> other}}"])),
        HostileDrop("template-open", text: campaign(["subject": "{{#name}}"])),
        HostileDrop("test-elsewhere", text: campaign(["test": ["to": ["me@elsewhere.example"]]])),
        HostileDrop("service-without-reason", text: campaign(["basis": "service"])),
        HostileDrop("file-in-single", text: campaign(["textFile": "body.txt"], without: ["text"])),
        HostileDrop("control-unknown", text: JobText.control("k-1", "pause", campaign: "nothing")),
        HostileDrop("control-action", text: JobText.control("k-2", "explode", campaign: "nothing")),
    ]

    private static func listCampaign(_ file: String, preset: String? = nil) -> String {
        JobText.campaign("hostile", to: [.list(file, preset: preset)])
    }

    private static let good = "email\nreader@readers.example\n"

    private static let bundles = [
        HostileDrop("bundle-no-job", .bundle(["list.csv": Array(good.utf8)])),
        HostileDrop("bundle-empty.job", .made { try makeBundle($0, [:]) }),
        HostileDrop("bundle-climbs", job: listCampaign("../../ledger.sqlite"), files: ["list.csv": good]),
        HostileDrop("bundle-absolute", job: listCampaign("/etc/passwd"), files: ["list.csv": good]),
        HostileDrop("bundle-file-missing", job: listCampaign("other.csv"), files: ["list.csv": good]),
        HostileDrop("list-no-email", job: listCampaign("list.csv"), files: ["list.csv": "naam,plaats\nJan,Gieten\n"]),
        HostileDrop("list-empty", job: listCampaign("list.csv"), files: ["list.csv": ""]),
        HostileDrop("preset-unknown", job: listCampaign("list.csv", preset: "none"), files: ["list.csv": good]),
        HostileDrop("preset-climbs", job: listCampaign("list.csv", preset: "../x"), files: ["list.csv": good]),
        HostileDrop(
            "attachment-climbs",
            job: JobText.campaign("hostile", to: [.list("list.csv")], extra: ["attachments": ["../job.json"]]),
            files: ["list.csv": good]),
        HostileDrop(
            "contacts-no-column", job: JobText.contacts("hostile", consentColumn: "Answer"), files: ["list.csv": good]),
        HostileDrop(
            "bundle-deep", job: campaign(),
            files: [Array(repeating: "d", count: 40).joined(separator: "/") + "/list.csv": good]),
        HostileDrop(
            "bundle-many-files", job: campaign(),
            files: Dictionary(uniqueKeysWithValues: (0..<200).map { ("file\($0).csv", good) })),
    ]
}

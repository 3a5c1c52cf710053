import Mailing
import Testing

/// Texts for one place of a job, the good ones apart from the bad ones.
struct SchemaCorpus: Sendable, CustomTestStringConvertible {
    let kind: Job.Kind
    let path: [String]
    let good: [String]
    let bad: [String]
    /// In which the place is; nil for the good document of the kind.
    let document: String?

    var testDescription: String { "\(kind) \(path.joined(separator: "/"))\(document == nil ? "" : " of another")" }

    init(_ kind: Job.Kind, _ path: String, of document: String? = nil, good: [String], bad: [String]) {
        self.kind = kind
        self.document = document
        self.path = path.split(separator: "/").map(String.init)
        self.good = good
        self.bad = bad
    }

    private static func x(_ count: Int) -> String { String(repeating: "x", count: count) }

    private static let controls = ["\u{1}", "\t", "\r", "\u{1F}", "\u{7F}", "\u{85}", "\u{9F}", "\u{2028}", "\u{2029}"]

    static let cases: [SchemaCorpus] =
        [
            SchemaCorpus(
                .control, "campaign", good: ["a", "0", "A.b_c-d", x(128), "a.", "a-"],
                bad: ["", ".a", "_a", "-a", "a b", "ä", "a/b", "a\n", "\na", x(129), "é", "a\u{301}"]),
            SchemaCorpus(
                .control, "action", good: ["approve", "pause", "resume", "cancel"],
                bad: ["settle", "reroute", "Pause", "pause\n"]),
            SchemaCorpus(
                .control, "reason", good: ["x", " x", x(500), "ä\u{A0}😀", "\u{3000}"],
                bad: ["", " ", "   ", x(501), "a\nb", "a\n"] + controls.map { "a\($0)b" }),
            SchemaCorpus(
                .control, "action", of: SchemaDocument.settle, good: ["settle"],
                bad: ["approve", "pause", "resume", "cancel", "reroute", "Settle", "settle\n", ""]),
            SchemaCorpus(
                .control, "action", of: SchemaDocument.reroute, good: ["reroute"],
                bad: ["approve", "settle", "Reroute", "reroute\n", ""]),
            SchemaCorpus(
                .control, "from", of: SchemaDocument.reroute, good: ["a", "A-1_b", x(64), "0"],
                bad: ["", "-a", "_a", "a.b", "a b", "a\n", x(65), "ä"]),
            SchemaCorpus(
                .control, "to", of: SchemaDocument.reroute, good: ["a", "A-1_b", x(64), "0"],
                bad: ["", "-a", "a.b", "a\n", x(65), "ä"]),
            SchemaCorpus(
                .control, "as", of: SchemaDocument.settle, good: ["sent", "resend"],
                bad: ["", "Sent", "sent\n", "bounced", "queued", "uncertain"]),
            SchemaCorpus(
                .control, "reason", of: SchemaDocument.settle, good: ["x", x(500)],
                bad: ["", " ", x(501), "a\nb"] + controls.map { "a\($0)b" }),
            SchemaCorpus(
                .control, "address", of: SchemaDocument.settle,
                good: ["a@b.example", "jörg@bücher.example", "A.B+tag@Sub.Example.ORG"],
                bad: ["", "a", "a@b", "a b@c.example", "A <a@b.example>", "a@b.example\n"]
                    + controls.map { "a\($0)b@c.example" }),
            SchemaCorpus(
                .contacts, "lists/0/preset", good: ["a", "a-1", x(64), "0", "a-"],
                bad: ["", "-a", "_a", "a_b", "A", "aB", "a.b", "a b", "a\n", x(65), "ä"]),
            SchemaCorpus(
                .campaign, "relays/0", good: ["a", "A-1_b", x(64), "0"],
                bad: ["", "-a", "_a", "a.b", "a b", "a\n", x(65), "ä"]),
            SchemaCorpus(
                .campaign, "window/0/days/0", good: ["mon", "tue", "wed", "thu", "fri", "sat"],
                bad: ["", "sun", "Mon", "monday", "mon\n"]),
            SchemaCorpus(
                .campaign, "window/0/from", good: ["00:00", "23:59", "19:07"],
                bad: ["", "24:00", "9:00", "09:60", "0900", "09:00:00", "09:00\n", "２０:00", "-1:00", "+1:00"]),
            SchemaCorpus(
                .campaign, "window/0/to", good: ["00:00", "24:00", "23:59"],
                bad: ["", "24:01", "25:00", "9:00", "24:00\n", "2x:00"]),
            SchemaCorpus(
                .campaign, "window/0/timeZone", good: ["UTC", "Europe/Amsterdam", "Etc/GMT+1", "A_b-c", x(64)],
                bad: ["", "Europe/Amsterdam\n", "/etc", "a b", "a.b", x(65), "Zürich"]),
            SchemaCorpus(
                .contacts, "lists/0/group",
                good: ["a", "9", "Čitatelia 2", "Ålesund", "ȿ", "a.b_c-d", "a  b", x(64), "a.", "a-", "ß"],
                bad: [
                    "", " a", "a ", ".a", "-a", "_a", "a\n", "a\tb", "a/b", "a\u{301}", "ɐ", "читатели", x(65),
                    "a\u{A0}b", "a,b",
                ]),
            SchemaCorpus(
                .contacts, "lists/0/list",
                good: [
                    "a", "a.csv", "a b.csv", "dir/a.csv", "d/e/f", "job.jsonx", "xjob.json", "dir/job.json", "ä.csv",
                    "a..b", "~a", x(255), "a:b", "Job.json",
                ],
                bad: [
                    "", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/../b", "a/..", ".a", "a/.b", "a\\b",
                    "job.json",
                    "a\nb", "a\n", x(256), "job.json\n", "/",
                ] + controls.map { "a\($0)b" }),
            SchemaCorpus(
                .consent, "events/0/address",
                good: [
                    "a@b.example", "A.B+tag@Sub.Example.ORG", "!#$%&'*+-/=?^_`{|}~@a.example", "jörg@bücher.example",
                    "用户@例子.example", "a@xn--bcher-kva.example", "a@1.example", "a@a-b.example", "a@0.0a",
                    String(repeating: "x", count: 64) + "@a.example",
                    "a@" + String(repeating: "x", count: 63) + ".example",
                ],
                bad: [
                    "", "a", "@", "a@", "@b.example", "a@b", "a@b..example", "a@.example", "a@b.example.",
                    "a b@c.example",
                    "a@b c.example", ".a@b.example", "a.@b.example", "a..b@c.example", "a@b@c.example", "a@-b.example",
                    "a@b-.example", "a@b_c.example", "a@1.2.3.4", "a@[1.2.3.4]", "<a@b.example>", "\"a\"@b.example",
                    "a@b.example\n", "\na@b.example", "a,b@c.example", "a;b@c.example", "a(b)@c.example",
                    "a:b@c.example",
                    "a\\b@c.example", x(65) + "@a.example", "a@" + x(64) + ".example", "A <a@b.example>",
                    "a@b.example ",
                    "a@" + Array(repeating: x(50), count: 5).joined(separator: ".") + ".example",
                ] + controls.map { "a\($0)b@c.example" } + controls.map { "a@b\($0)c.example" }),
            SchemaCorpus(
                .consent, "events/0/at",
                good: [
                    "2026-11-22T10:00:00Z", "2026-11-22t10:00:00z", "2026-11-22 10:00:00Z",
                    "2026-11-22T10:00:00.123456Z",
                    "2026-11-22T10:00:00+01:00", "2026-11-22T10:00:00-23:59", "2024-02-29T23:59:60Z",
                    "0000-01-01T00:00:00Z",
                ],
                bad: [
                    "", "2026-11-22", "2026-11-22T10:00:00", "2026-11-22T10:00Z", "2026-13-01T00:00:00Z",
                    "2026-00-01T00:00:00Z",
                    "2026-01-32T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
                    "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00",
                    "2026-01-01T00:00:00+24:00",
                    "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00Z\n", "26-01-01T00:00:00Z", "2026-1-1T00:00:00Z",
                    " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00UTC", "٢٠٢٦-01-01T00:00:00Z", "now",
                ]),
            SchemaCorpus(
                .consent, "events/0/event", good: ["accepted", "refused", "withdrawn", "renewed"],
                bad: ["requested", "imported", "erased", "Accepted", ""]),
            SchemaCorpus(.consent, "events/0/by", good: ["recipient", "operator"], bad: ["import", "system", ""]),
            SchemaCorpus(
                .consent, "events/0/text", good: ["a\nb\r\n\tc", x(10_000)],
                bad: [
                    "", " \n", "\t", x(10_001), "a\u{8}b", "a\u{B}b", "a\u{C}b", "a\u{7F}b", "a\u{85}b", "a\u{2029}b",
                ]),
            SchemaCorpus(
                .campaign, "subject", good: [x(500), "{{name}}"], bad: [x(501), "", "a\nb", "a\r\nBcc: b@c.example"]),
            SchemaCorpus(.campaign, "from/name", good: [x(200)], bad: [x(201), "", "a\nb"]),
            SchemaCorpus(.campaign, "reason", good: [x(1_000)], bad: [x(1_001), "", "a\nb"]),
            SchemaCorpus(.campaign, "justification", good: [x(2_000), "a\nb"], bad: [x(2_001), ""]),
            SchemaCorpus(
                .campaign, "text", good: ["a", x(2 << 20), "\t€\n"], bad: ["", "\n", x(2 << 20 + 1), "\u{1B}[1m"]),
            SchemaCorpus(.campaign, "defaults/name", good: [x(1_000)], bad: [x(1_001), "", " ", "a\nb"]),
            SchemaCorpus(.campaign, "basis", good: ["service"], bad: ["consent", "consentRequest", "legal", ""]),
            SchemaCorpus(.contacts, "consent/column", good: [x(200)], bad: [x(201), ""]),
            SchemaCorpus(.contacts, "consent/source", good: [x(500)], bad: [x(501), ""]),
        ]
}

/// A document about which the schema is silent and the decoder is not, or the other way round.
struct SchemaException: Sendable {
    let name: String
    let kind: Job.Kind
    let text: String
    /// True where only the decoder accepts it.
    var isOnlyInDecoder = false
}

extension SchemaCorpus {
    private static func campaign(_ old: String, _ new: String) -> String {
        SchemaDocument.campaign.replacing(old, with: new)
    }

    private static func consent(address: String) -> String {
        SchemaDocument.consent.replacing("jan@example.org", with: address)
    }

    /// Everything that a schema cannot say.
    static let beyondSchemas: [SchemaException] = [
        SchemaException(
            name: "a key that comes twice", kind: .control,
            text: SchemaDocument.control.replacing("\"id\":", with: "\"id\":\"k-1\",\"id\":")),
        SchemaException(
            name: "a relay that takes over from itself", kind: .control,
            text: SchemaDocument.reroute.replacing("default", with: "dead")),
        SchemaException(
            name: "a noncharacter", kind: .control, text: SchemaDocument.control.replacing("Wrong", with: "\\uFFFF")),
        SchemaException(
            name: "half a surrogate pair", kind: .control,
            text: SchemaDocument.control.replacing("Wrong", with: "\\uD800")),
        SchemaException(
            name: "expires is not after sendAfter", kind: .campaign, text: campaign("2026-11-30T00", "2026-11-20T00")),
        SchemaException(
            name: "expires is sendAfter in another offset", kind: .campaign,
            text: campaign("2026-11-30T00:00:00+01:00", "2026-11-23T08:00:00Z")),
        SchemaException(
            name: "a window that closes as it opens", kind: .campaign, text: campaign("\"18:00\"", "\"09:00\"")),
        SchemaException(
            name: "a day that does not exist", kind: .campaign, text: campaign("2026-11-30T00", "2026-11-31T00")),
        SchemaException(
            name: "a leap day in a common year", kind: .campaign, text: campaign("2026-11-30T00", "2027-02-29T00")),
        SchemaException(
            name: "a body of more than 2 MiB in bytes", kind: .campaign,
            text: campaign("Hi\\n", String(repeating: "ä", count: 1 << 20) + "a")),
        SchemaException(
            name: "a file name of more than 255 bytes", kind: .campaign,
            text: campaign("a.pdf", String(repeating: "ä", count: 128))),
        SchemaException(
            name: "two attachments whose names look the same", kind: .campaign,
            text: campaign("\"a.pdf\"", "\"\\u00e9.pdf\",\"e\\u0301.pdf\"")),
        SchemaException(
            name: "two test addresses of one person", kind: .campaign,
            text: campaign("[\"editor@library.example\"]", "[\"editor@library.example\",\"Editor@Library.example\"]")),
        SchemaException(
            name: "a value that means yes and no", kind: .contacts,
            text: SchemaDocument.contacts.replacing("[\"N\"]", with: "[\"N\",\"J\"]")),
        SchemaException(
            name: "an address whose part before the @ has more than 64 octets", kind: .consent,
            text: consent(address: String(repeating: "ä", count: 33) + "@b.example")),
        SchemaException(
            name: "an address whose domain label is too long as an A-label", kind: .consent,
            text: consent(address: "a@" + String(repeating: "äö", count: 30) + ".example")),
        SchemaException(
            name: "an address that composed has a semicolon in it", kind: .consent,
            text: consent(address: "a\u{37E}b@b.example")),
        SchemaException(
            name: "an address that is short enough only when composed", kind: .consent,
            text: consent(address: "a@" + String(repeating: "e\u{301}", count: 40) + ".example"),
            isOnlyInDecoder: true),
    ]
}

struct SchemaCorpusTests {
    @Test func `every exception is made by a change, and has a name of its own`() {
        let good = [SchemaDocument.campaign, SchemaDocument.contacts, SchemaDocument.consent, SchemaDocument.control]
        for exception in SchemaCorpus.beyondSchemas {
            #expect(!good.contains(exception.text), "\(exception.name)")
        }
        #expect(Set(SchemaCorpus.beyondSchemas.map(\.name)).count == SchemaCorpus.beyondSchemas.count)
    }
}

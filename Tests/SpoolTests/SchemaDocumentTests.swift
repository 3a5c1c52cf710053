import Mailing
import Spool
import Testing

/// Documents of jobs as trees: a good one of each kind, and everything that is one change away from it.
enum SchemaDocument {
    static func good(_ kind: Job.Kind) throws -> JSONValue {
        let text =
            switch kind {
            case .campaign: campaign
            case .contacts: contacts
            case .consent: consent
            case .control: control
            }
        return try read(text)
    }

    static func read(_ text: String) throws -> JSONValue {
        try JSONReader.read(Array(text.utf8), limits: JSONLimits(bytes: 1 << 20))
    }

    static let shortCampaign = """
        {"kind":"campaign","id":"a","from":{"address":"a@b.example"},"reason":"r","subject":"s","text":"t",
         "recipients":[{"group":"g"},{"address":"a@b.example"}],
         "window":{"days":["tue"],"from":"22:00","to":"06:00","timeZone":"UTC"}}
        """
    static let campaign = """
        {"$schema":"x","kind":"campaign","id":"spring","purpose":"newsletter","basis":"service","justification":"Loan",
         "from":{"name":"Library","address":"news@library.example"},"replyTo":"desk@library.example",
         "reason":"You asked for it.","subject":"Hello","text":"Hi\\n","htmlFile":"body.html",
         "attachments":["a.pdf","b/c.pdf"],"defaults":{"name":"reader"},
         "recipients":[{"list":"l.csv","preset":"wise"},{"list":"m.csv"},
          {"group":"readers"},{"address":"jan@example.org"}],
         "test":{"to":["editor@library.example"],"approval":true},
         "sendAfter":"2026-11-23T09:00:00+01:00","expires":"2026-11-30T00:00:00+01:00","relays":["default"],
         "window":[{"days":["mon","sun"],"from":"09:00","to":"18:00","timeZone":"Europe/Amsterdam"}],
         "report":{"to":"desk@library.example"}}
        """
    static let contacts = """
        {"$schema":"x","kind":"contacts","id":"readers","lists":[{"list":"l.csv","preset":"wise","group":"readers"}],
         "consent":{"purpose":"newsletter","column":"News","accepted":["J"],"refused":["N"],
          "source":"form","text":"Yes",
         "at":"2026-11-01T00:00:00Z"}}
        """
    static let consent = """
        {"$schema":"x","kind":"consent","id":"c-1","events":[{"address":"jan@example.org","purpose":"newsletter",
         "event":"withdrawn","by":"operator","source":"telephone","text":"Stop","at":"2026-11-22T10:00:00Z"}]}
        """
    static let control = """
        {"$schema":"x","kind":"control","id":"k-1","campaign":"spring","action":"pause","reason":"Wrong title"}
        """
    static let settle = """
        {"$schema":"x","kind":"control","id":"k-2","campaign":"spring","action":"settle","as":"resend",
         "address":"jan@example.org","reason":"The relay's log does not have it."}
        """

    static let reroute = """
        {"$schema":"x","kind":"control","id":"k-3","campaign":"spring","action":"reroute","from":"dead","to":"default",
         "reason":"The machine is gone."}
        """

    /// What takes the place of every value in turn.
    private static let replacements: [JSONValue.Content] = [
        .null, .boolean(true), .number(0), .number(1.5), .string(""), .string(" "), .string("\n"), .string("x"),
        .string("x y"), .string("x\n"), .string("\u{2028}x"), .string("/x"), .string("consent"), .string("a@b.example"),
        .string("2026-11-25T00:00:00Z"), .string(String(repeating: "x", count: 2_001)), .array([]), .object([]),
        .array([place(.string("x"))]), .array([place(.null)]), .array([place(.object([]))]),
        .object([member("x", .string("y"))]), .object([member("address", .string("a@b.example"))]),
    ]

    /// What is added to every object in turn.
    private static let additions = [
        member("extra", .null), member("text", .string("t")), member("textFile", .string("t.txt")),
        member("html", .string("h")), member("htmlFile", .string("h.html")), member("group", .string("g")),
        member("list", .string("l.csv")), member("address", .string("a@b.example")), member("preset", .string("p")),
        member("basis", .string("consent")), member("basis", .string("service")), member("name", .string("n")),
        member("justification", .string("j")), member("reason", .string("r")), member("$schema", .string("s")),
        member("refused", .array([])), member("attachments", .array([])), member("as", .string("sent")),
    ]

    private static func place(_ content: JSONValue.Content) -> JSONValue {
        JSONValue(content, at: JSONPosition(line: 1, column: 1))
    }

    private static func member(_ key: String, _ content: JSONValue.Content) -> JSONMember {
        JSONMember(key: key, position: JSONPosition(line: 1, column: 1), value: place(content))
    }

    /// All documents that differ in one value, one key or one element.
    static func changes(of value: JSONValue) -> [JSONValue] {
        replacements.map(place) + shapes(of: value.content).map(place)
    }

    private static func shapes(of content: JSONValue.Content) -> [JSONValue.Content] {
        switch content {
        case .array(let elements):
            return elements.indices.flatMap { index -> [JSONValue.Content] in
                let others = Array(elements[..<index]) + Array(elements[(index + 1)...])
                let changed = changes(of: elements[index]).map { element in
                    JSONValue.Content.array(Array(elements[..<index]) + [element] + Array(elements[(index + 1)...]))
                }
                let many = Array(repeating: elements[index], count: 21)
                return [.array(others), .array(elements + [elements[index]]), .array(many)] + changed
            }
        case .object(let members):
            let added = additions.filter { addition in !members.contains { $0.key == addition.key } }
            return added.map { .object(members + [$0]) }
                + members.indices.flatMap { index -> [JSONValue.Content] in
                    var others = members
                    let removed = others.remove(at: index)
                    return [.object(others), .object(others + [member(removed.key + "x", removed.value.content)])]
                        + changes(of: removed.value).map { .object(others + [member(removed.key, $0.content)]) }
                }
        default: return []
        }
    }

    /// The document with another value at a path; nil if there is no such path.
    static func setting(_ path: ArraySlice<String>, of value: JSONValue, to content: JSONValue.Content) -> JSONValue? {
        guard let key = path.first else { return place(content) }
        switch value.content {
        case .object(var members):
            guard let index = members.firstIndex(where: { $0.key == key }),
                let changed = setting(path.dropFirst(), of: members[index].value, to: content)
            else { return nil }
            members[index].value = changed
            return place(.object(members))
        case .array(var elements):
            guard let index = Int(key), elements.indices.contains(index),
                let changed = setting(path.dropFirst(), of: elements[index], to: content)
            else { return nil }
            elements[index] = changed
            return place(.array(elements))
        default: return nil
        }
    }

    static func text(of value: JSONValue) -> String {
        switch value.content {
        case .null: "null"
        case .boolean(let flag): flag ? "true" : "false"
        case .number(let number): String(number)
        case .string(let string): quote(string)
        case .array(let elements): "[" + elements.map(text).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { quote($0.key) + ":" + text(of: $0.value) }.joined(separator: ",") + "}"
        }
    }

    private static func quote(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case "\0"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

struct SchemaDocumentTests {
    @Test(arguments: Job.Kind.allCases)
    func `a document written as text is read as the same document`(kind: Job.Kind) throws {
        let good = try SchemaDocument.good(kind)
        let again = try JSONReader.read(Array(SchemaDocument.text(of: good).utf8), limits: JSONLimits(bytes: 1 << 20))
        #expect(SchemaDocument.text(of: again) == SchemaDocument.text(of: good))
    }

    @Test(arguments: Job.Kind.allCases)
    func `more than a hundred documents are one change away from a good one`(kind: Job.Kind) throws {
        let good = SchemaDocument.text(of: try SchemaDocument.good(kind))
        let changes = SchemaDocument.changes(of: try SchemaDocument.good(kind)).map(SchemaDocument.text)
        #expect(changes.count > 100)
        #expect(Set(changes).subtracting([good]).count > 100)
    }
}

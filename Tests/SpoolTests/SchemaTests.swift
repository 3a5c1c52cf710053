import Foundation
import Mailing
import Spool
import func TestSupport.runHere
import Testing

/// The decoder and the published schemas must be of one mind about every document.
struct SchemaTests {
    @Test func `the schemas are closed schemas of draft 2020-12`() throws {
        for kind in Job.Kind.allCases {
            let file = SpoolSources.url.appendingPathComponent("schema/\(kind.rawValue).schema.json")
            let schema = try JSONReader.read(Array(Data(contentsOf: file)), limits: JSONLimits(bytes: 1 << 20))
            #expect(SchemaTests.openObjects(in: schema).isEmpty, "\(kind)")
            #expect(SchemaDocument.text(of: schema).contains("https://json-schema.org/draft/2020-12/schema"))
        }
        #expect(try SchemaValidator.run(arguments: ["--check"], input: []) == [])
    }

    /// Every object that a schema describes, without a word on its other keys.
    private static func openObjects(in value: JSONValue) -> [JSONPosition] {
        switch value.content {
        case .array(let elements): return elements.flatMap(openObjects)
        case .object(let members):
            let inner = members.flatMap { openObjects(in: $0.value) }
            let describes = members.contains { $0.key == "type" && $0.value.content == .string("object") }
            let isClosed = members.contains { ["additionalProperties", "unevaluatedProperties"].contains($0.key) }
            return describes && !isClosed ? inner + [value.position] : inner
        default: return []
        }
    }

    @Test(arguments: Job.Kind.allCases)
    func `the decoder accepts what the schema accepts, one change away from a good job`(kind: Job.Kind) throws {
        var goods = [try SchemaDocument.good(kind)]
        if kind == .campaign { goods.append(try SchemaDocument.read(SchemaDocument.shortCampaign)) }
        if kind == .control {
            goods += try [SchemaDocument.settle, SchemaDocument.reroute].map(SchemaDocument.read)
        }
        for good in goods {
            let documents = [good] + SchemaDocument.changes(of: good)
            let verdicts = try SchemaVerdicts(kind, documents.map(SchemaDocument.text))
            #expect(verdicts.decoder[0] && verdicts.schema[0])
            #expect(verdicts.differences == [])
            #expect(verdicts.decoder.count { $0 } >= 10 && verdicts.decoder.count { !$0 } >= 60)
        }
    }

    @Test(arguments: SchemaCorpus.cases)
    func `the decoder and the schema agree about each form of text`(corpus: SchemaCorpus) throws {
        let good = try corpus.document.map(SchemaDocument.read) ?? SchemaDocument.good(corpus.kind)
        let texts = corpus.good + corpus.bad
        let documents = try texts.map { text in
            try #require(SchemaDocument.setting(corpus.path[...], of: good, to: .string(text)))
        }
        let verdicts = try SchemaVerdicts(corpus.kind, documents.map(SchemaDocument.text))
        for (index, text) in texts.enumerated() {
            let isGood = index < corpus.good.count
            #expect(verdicts.schema[index] == isGood, "schema: \(text.prefix(90).debugDescription)")
            #expect(verdicts.decoder[index] == isGood, "decoder: \(text.prefix(90).debugDescription)")
        }
    }

    @Test func `the decoder alone checks what no schema can say, and nothing else`() throws {
        for exception in SchemaCorpus.beyondSchemas {
            let verdicts = try SchemaVerdicts(exception.kind, [exception.text])
            #expect(verdicts.schema == [!exception.isOnlyInDecoder], "schema: \(exception.name)")
            #expect(verdicts.decoder == [exception.isOnlyInDecoder], "decoder: \(exception.name)")
        }
    }

    @Test(arguments: Job.Kind.allCases)
    func `a job of one kind is no job of another`(kind: Job.Kind) throws {
        let text = SchemaDocument.text(of: try SchemaDocument.good(kind))
        for other in Job.Kind.allCases where other != kind {
            let renamed = text.replacingOccurrences(of: "\"kind\":\"\(kind)\"", with: "\"kind\":\"\(other)\"")
            #expect(renamed != text)
            let verdicts = try SchemaVerdicts(other, [renamed, text])
            #expect(verdicts.schema == [false, false])
            #expect(verdicts.decoder[0] == false)
        }
    }
}

/// What both sides say about documents of a kind.
struct SchemaVerdicts {
    let decoder: [Bool]
    let schema: [Bool]
    private let texts: [String]

    init(_ kind: Job.Kind, _ texts: [String]) throws {
        self.texts = texts
        decoder = texts.map { text in
            let result = JobReader.read(Array(text.utf8), file: "job.json", form: .bundle)
            if case .success = result { return true }
            return false
        }
        schema = try SchemaValidator.run(arguments: [], input: texts.map { [kind.rawValue, $0] })
    }

    var differences: [String] {
        zip(zip(decoder, schema), texts).compactMap { verdict, text in
            verdict.0 == verdict.1 ? nil : "decoder \(verdict.0), schema \(verdict.1): \(text.prefix(2_000))"
        }
    }
}

/// The spool directory of the sources.
enum SpoolSources {
    static let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("spool", isDirectory: true)
}

/// A real validator of JSON Schema: the Python package `jsonschema`, in a process of its own.
enum SchemaValidator {
    struct Unavailable: Error, CustomStringConvertible {
        let description: String
    }

    private static let program = """
        import json, pathlib, sys
        try:
            from jsonschema import Draft202012Validator
        except ImportError:
            sys.exit(64)
        folder, source, target = sys.argv[1:4]
        schemas = {}
        for path in pathlib.Path(folder).glob("*.schema.json"):
            schema = json.loads(path.read_text(encoding="utf-8"))
            if "--check" in sys.argv:
                Draft202012Validator.check_schema(schema)
            schemas[path.name.split(".")[0]] = Draft202012Validator(schema)
        with open(source, encoding="utf-8") as lines, open(target, "w") as verdicts:
            for kind, text in json.load(lines):
                try:
                    document = json.loads(text)
                except ValueError:
                    verdicts.write("0")
                else:
                    verdicts.write("1" if schemas[kind].is_valid(document) else "0")
        """

    /// Whether each document, given as kind and text, is valid.
    static func run(arguments: [String], input: [[String]]) throws -> [Bool] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("schema-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer {
            do { try FileManager.default.removeItem(at: folder) } catch { Issue.record(error) }
        }
        let (source, target) = (folder.appendingPathComponent("in"), folder.appendingPathComponent("out"))
        try JSONEncoder().encode(input).write(to: source)
        let schemas = SpoolSources.url.appendingPathComponent("schema").path
        let result = try runHere(["python3", "-c", program, schemas, source.path, target.path] + arguments)
        guard result.status != 64 else {
            throw Unavailable(description: "Install the validator first: pip install jsonschema.")
        }
        guard result.status == 0 else {
            throw Unavailable(description: "python3 ended with \(result.status): \(result.errorText)")
        }
        let verdicts = try String(contentsOf: target, encoding: .utf8).map { $0 == "1" }
        guard verdicts.count == input.count else { throw Unavailable(description: "There are too few verdicts.") }
        return verdicts
    }
}

import Foundation
import Mailing
import Spool
import TestSupport
import Testing

/// What the documentation shows must work as it is shown.
struct SchemaExamplesTests {
    private static let examples = SpoolSources.url.appendingPathComponent("examples", isDirectory: true)

    private func entries(of directory: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
    }

    private func job(in file: URL, form: DropName.Form) throws -> (job: Job, text: String) {
        let bytes = try Data(contentsOf: file)
        let job = try JobReader.read(Array(bytes), file: file.lastPathComponent, form: form).get()
        return (job, String(decoding: bytes, as: UTF8.self))
    }

    @Test func `every example is a good job, and there is one for each kind and form`() throws {
        var kinds: Set<Job.Kind> = []
        var forms: Set<DropName.Form> = []
        for name in try entries(of: Self.examples) {
            let url = Self.examples.appendingPathComponent(name)
            let form: DropName.Form = name.hasSuffix(".job") ? .bundle : .single
            let (job, text) = try job(in: form == .bundle ? url.appendingPathComponent("job.json") : url, form: form)
            let verdicts = try SchemaVerdicts(job.kind, [text])
            #expect(verdicts.schema == [true], "\(name)")
            if form == .bundle {
                let files = try entries(of: url).filter { $0 != "job.json" }
                #expect(Set(job.files) == Set(files), "\(name)")
            }
            kinds.insert(job.kind)
            forms.insert(form)
        }
        #expect(kinds == Set(Job.Kind.allCases))
        #expect(forms == [.single, .bundle])
    }

    @Test func `the page on the protocol explains every state, reason and field`() throws {
        let page = try readme()
        let states = Receipt.State.allCases.map(\.rawValue) + Delivery.State.allCases.map(\.rawValue)
        let reasons = WithheldReason.allCases.map(\.rawValue)
        let fields = Mirror(reflecting: Receipt(job: nil, kind: nil, state: .held)).children.compactMap(\.label)
        #expect(fields.count >= 17)
        for word in states + reasons + fields + ["pointer", "line", "column", "file", "message"] {
            #expect(page.contains("`\(word)`"), "\(word)")
        }
        for kind in Job.Kind.allCases {
            #expect(page.contains("schema/\(kind.rawValue).schema.json"))
        }
    }

    @Test func `the shell example of the page drops a good job once`() throws {
        let spool = try SpoolForExamples()
        defer { spool.remove() }
        let script = try #require(try block("sh"))
        #expect(try spool.run("sh", ["-c", script]) == 0)
        let (job, _) = try job(
            in: spool.url.appendingPathComponent("incoming/welcome-2026-11-22-0017.json"), form: .single)
        #expect(job.kind == .campaign)
        #expect(try spool.run("sh", ["-c", script]) == 1)
        #expect(try entries(of: spool.url.appendingPathComponent("incoming")).count == 1)
    }

    @Test func `the Python example of the page drops a good bundle and reads its receipt`() throws {
        let spool = try SpoolForExamples()
        defer { spool.remove() }
        let bundle = Self.examples.appendingPathComponent("readers.job").path
        let program =
            try #require(try block("python")) + """

                import sys
                spool, bundle = os.environ["SPOOL"], sys.argv[1]
                drop(spool, "readers", json.load(open(bundle + "/job.json")), [bundle + "/readers.csv"])
                os.mkdir(spool + "/receipts/readers")
                open(spool + "/receipts/readers/receipt.json", "w").write('{ "state": "finished" }')
                sys.exit(0 if receipt(spool, "readers")["state"] == "finished" else 1)
                """
        #expect(try spool.run("python3", ["-c", program, bundle]) == 0)
        let dropped = spool.url.appendingPathComponent("incoming/readers.job", isDirectory: true)
        let (job, _) = try job(in: dropped.appendingPathComponent("job.json"), form: .bundle)
        #expect(try entries(of: dropped) == (job.files + ["job.json"]).sorted())
        #expect(try entries(of: spool.url.appendingPathComponent("tmp")).isEmpty)
    }

    private func readme() throws -> String {
        try String(contentsOf: SpoolSources.url.appendingPathComponent("README.md"), encoding: .utf8)
    }

    /// The first block of a language in the page.
    private func block(_ language: String) throws -> String? {
        let parts = try readme().components(separatedBy: "```\(language)\n")
        return parts.count > 1 ? parts[1].components(separatedBy: "```")[0] : nil
    }

    /// A spool directory of its own.
    private struct SpoolForExamples {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("spool-\(UUID().uuidString)")

        init() throws {
            for name in ["tmp", "incoming", "receipts"] {
                let directory = url.appendingPathComponent(name)
                try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            }
        }

        func remove() {
            do { try FileManager.default.removeItem(at: url) } catch { Issue.record(error) }
        }

        func run(_ program: String, _ arguments: [String]) throws -> Int32 {
            try runHere([program] + arguments, environment: ["SPOOL": url.path]).status
        }
    }
}
